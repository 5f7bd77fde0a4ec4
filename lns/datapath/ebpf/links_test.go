package ebpf

import (
	"os"
	"testing"

	"github.com/cilium/ebpf"

	"lnsgate/lns/datapath/datapathtest"
	"lnsgate/test/netns"
)

func ip(t *testing.T, n *netns.Namespace, args ...string) {
	t.Helper()
	_, err := n.Run("ip", args...)
	must(t, err)
}

func TestInterfacesThatComeAndGoAreNoticed(t *testing.T) {
	r := newRig(t, nil)
	must(t, netns.Veth(r.host, "wan2", r.peer, "wan2"))
	attachedTo := func(name string, n int) {
		t.Helper()
		r.await(name+" is not noticed", func() bool { return attached(t, r.host, name) == n })
	}
	attachedTo("wan2", 1)
	ip(t, r.host, "link", "add", "br0", "type", "bridge")
	attachedTo("br0", 1)
	ip(t, r.host, "link", "set", "wan2", "master", "br0")
	attachedTo("wan2", 0) // the bridge says what is taken there
	ip(t, r.host, "link", "set", "wan2", "nomaster")
	attachedTo("wan2", 1)
	known := func() int {
		r.path.mu.Lock()
		defer r.path.mu.Unlock()
		return len(r.path.outside)
	}
	if n := known(); n != 3 {
		t.Fatalf("%d interfaces are known: wan, wan2 and br0 should be", n)
	}
	ip(t, r.host, "link", "del", "br0")
	ip(t, r.host, "link", "del", "wan2")
	r.await("an interface that is gone is still known", func() bool { return known() == 1 })
}

func TestChecksumsLeftToADeviceAreNoticed(t *testing.T) {
	r := newRig(t, nil)
	flags := func() (f uint32) {
		r.path.mu.Lock()
		defer r.path.mu.Unlock()
		for index := range r.path.outside {
			must(t, r.path.objects.Outside.Lookup(index, &f))
		}
		return f
	}
	if f := flags(); f != leavesSums|handsOn|noHardware {
		t.Fatalf("a veth has the flags %#x", f)
	}
	must(t, netns.WireLike(r.host, "wan"))
	r.await("a change of checksums is not noticed", func() bool { return flags() == noHardware })
}

// Peers behind a bridge are carried by the program at the bridge.
func TestABridgeIsAnInterfaceAsAnyOther(t *testing.T) {
	r := newRig(t, nil)
	_, err := r.path.Add(datapathtest.Spec("vt1"))
	must(t, err)
	if up, down := r.crossed(); !up || !down {
		t.Fatalf("without it the kernel carries up %v, down %v", up, down)
	}
	ip(t, r.host, "link", "add", "br0", "address", r.gateway.String(), "type", "bridge")
	ip(t, r.host, "address", "flush", "dev", "wan")
	ip(t, r.host, "link", "set", "wan", "master", "br0")
	ip(t, r.host, "link", "set", "br0", "up")
	must(t, r.host.Address("br0", "10.99.0.1/24"))
	must(t, r.host.Address("br0", "192.0.2.1/32"))
	must(t, r.host.Route("198.51.100.0/24", "10.99.0.2"))
	ip(t, r.host, "neigh", "replace", "10.99.0.2", "lladdr", r.far.String(), "dev", "br0")
	r.await("the bridge is not noticed", func() bool { return attached(t, r.host, "br0") == 1 && attached(t, r.host, "wan") == 0 })
	if up, down := r.crossed(); !up || !down {
		t.Errorf("by it the kernel carries up %v, down %v", up, down)
	}
}

// What a host says of its interfaces in /sys is of another namespace where /sys was not mounted anew. Here it is of this one.
func TestDevicesAreKnownWithoutSys(t *testing.T) {
	all, err := links()
	must(t, err)
	for _, l := range all {
		_, err := os.Stat("/sys/class/net/" + l.name + "/device")
		if l.device != (err == nil) || l.ethernet && l.name == "lo" {
			t.Errorf("%+v, and /sys says of its device: %v", l, err)
		}
	}
	must(t, netns.NewTest(t).Do(func() error {
		inside, err := links()
		for _, l := range inside {
			if l.name == "eth0" {
				t.Errorf("%+v is not in this namespace", l)
			}
		}
		return err
	}))
}

// Rules for what comes from a virtual template, or from interfaces at all, are not for the datagrams of this host itself.
func TestTheWayToAPeerIsThatOfTheHost(t *testing.T) {
	r := newRig(t, nil)
	_, err := r.path.Add(datapathtest.Spec("vt1"))
	must(t, err)
	ip(t, r.host, "route", "add", "blackhole", "default", "table", "100")
	for _, from := range []string{"vt1", "wan"} {
		ip(t, r.host, "rule", "add", "iif", from, "lookup", "100")
		r.forgetWays()
		if _, down := r.crossed(); !down {
			t.Errorf("with a rule for what comes from %s the kernel does not find the way to the peer", from)
		}
	}
	ip(t, r.host, "rule", "add", "to", "198.51.100.7", "ipproto", "udp", "dport", "1701", "lookup", "101")
	ip(t, r.host, "route", "add", "198.51.100.7", "via", "10.99.0.3", "dev", "wan", "table", "101")
	ip(t, r.host, "neigh", "replace", "10.99.0.3", "lladdr", "02:00:00:00:00:77", "dev", "wan")
	r.await("a rule for the host itself is not heeded", func() bool { // the way that is known is good for a moment
		r.ToPeers(datapathtest.Packet{Source: "192.0.2.80", Destination: "10.10.1.10", Port: 9, Payload: 100, ID: 1}.Bytes())
		b := r.next(r.wire, func(b []byte) bool { return len(b) > 42 && b[23] == 17 })
		return string(b[:6]) == "\x02\x00\x00\x00\x00\x77"
	})
}

// forgetWays has the programs ask for the way to every peer.
func (r *rig) forgetWays() {
	r.t.Helper()
	cpus, err := ebpf.PossibleCPU()
	must(r.t, err)
	for slot := range r.path.objects.Ways.MaxEntries() {
		must(r.t, r.path.objects.Ways.Put(slot, make([]pathWay, cpus)))
	}
}

// A way is known for longer packets only when it was asked for with one.
func TestAWayIsKnownForPacketsThatItTakes(t *testing.T) {
	r := newRig(t, nil)
	_, err := r.path.Add(datapathtest.Spec("vt1"))
	must(t, err)
	ip(t, r.host, "route", "replace", "198.51.100.0/24", "via", "10.99.0.2", "mtu", "lock", "600")
	for _, c := range []struct {
		payload int
		carried bool
	}{{100, true}, {900, false}, {100, true}} {
		_, before := r.ways()
		r.ToPeers(datapathtest.Packet{Source: "192.0.2.80", Destination: "10.10.1.10", Port: 9, Payload: c.payload, ID: 1}.Bytes())
		if _, after := r.ways(); after != before+1 == c.carried {
			t.Errorf("of packets with %d octets the kernel carries %d, the way takes 600", c.payload, after-before)
		}
	}
}
