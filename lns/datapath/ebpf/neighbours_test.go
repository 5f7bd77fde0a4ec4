package ebpf

import (
	"strings"
	"testing"

	"lnsgate/lns/datapath/datapathtest"
	"lnsgate/test/netns"
)

// The card of a router is exchanged: the packets that the programs send must not go to the old one for ever.
func TestNeighboursInUseAreLookedFor(t *testing.T) {
	r := newRig(t, nil)
	must(t, netns.WireLike(r.host, "wan"))
	const of = "net.ipv4.neigh.wan."
	_, err := r.host.Run("sysctl", "-qw", of+"delay_first_probe_time=1", of+"ucast_solicit=1", of+"retrans_time_ms=100")
	must(t, err)
	_, err = r.host.Run("ip", "neigh", "replace", "10.99.0.2", "lladdr", "02:00:00:00:00:66", "dev", "wan", "nud", "stale")
	must(t, err)
	must(t, r.host.Do(func() error { r.path.Look(); return nil }))
	s, err := r.path.Add(datapathtest.Spec("vt1"))
	must(t, err)
	r.ToPeers(datapathtest.Packet{Source: "192.0.2.80", Destination: "10.10.1.10", Payload: 100}.Bytes())
	if _, tx := r.ways(); tx != 1 || s.Counters().TxPackets != 1 {
		t.Fatalf("the kernel has carried %d packets", tx)
	}
	r.path.useNeighbours()
	r.await("the kernel does not look for the neighbour", func() bool {
		state, err := r.host.Run("ip", "neigh", "show", "10.99.0.2")
		must(t, err)
		return !strings.Contains(string(state), "STALE") && !strings.Contains(string(state), "02:00:00:00:00:66")
	})
}

// An entry of an administrator is no matter of ARP, which the router may not even answer.
func TestNeighboursOfTheAdministratorStay(t *testing.T) {
	r := newRig(t, nil)
	must(t, netns.WireLike(r.host, "wan"))
	_, err := r.host.Run("ip", "neigh", "replace", "10.99.0.2", "lladdr", "02:00:00:00:00:66", "dev", "wan", "nud", "permanent")
	must(t, err)
	must(t, r.host.Do(func() error { r.path.Look(); return nil }))
	_, err = r.path.Add(datapathtest.Spec("vt1"))
	must(t, err)
	r.ToPeers(datapathtest.Packet{Source: "192.0.2.80", Destination: "10.10.1.10", Payload: 100}.Bytes())
	if len(r.path.neighbours(patience)) != 1 {
		t.Fatal("the neighbour is not in use")
	}
	r.path.useNeighbours()
	state, err := r.host.Run("ip", "neigh", "show", "10.99.0.2")
	must(t, err)
	if !strings.Contains(string(state), "02:00:00:00:00:66 PERMANENT") {
		t.Errorf("the entry has become %q", state)
	}
}
