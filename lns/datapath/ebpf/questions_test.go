package ebpf

import (
	"net"
	"net/netip"
	"testing"

	"github.com/cilium/ebpf"

	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
)

// questions are a rig and a session in it whose packets seem to leave the host by lo, as they do when the kernel is asked to run a
// program.
type questions struct {
	*rig
	entry pathEntry
	spec  datapath.Spec
}

func newQuestions(t *testing.T) *questions {
	t.Helper()
	b := &questions{rig: newRig(t, nil), spec: datapathtest.Spec("vt1")}
	b.spec.IPv6 = []netip.Prefix{netip.MustParsePrefix("2001:db8:1::/64")}
	s := &session{path: b.path, id: idOf(b.spec.Key), template: 1, spec: b.spec}
	b.entry = s.entry()
	place, ok := b.path.tables.take()
	if !ok {
		t.Fatal("there is no place")
	}
	b.entry.Place, b.entry.Filter = place, 1
	number, _ := b.path.tables.write(b.entry, true)
	must(t, b.path.tables.insert(s.id, s.template, number, &b.spec))
	return b
}

// run has the kernel run a program on a packet. It says whether the program has taken it, and whether it was denied.
func (b *questions) run(t interface{ Fatal(...any) }, way datapath.Direction, packet []byte) (taken, denied bool) {
	_, taken, denied = b.see(t, way, packet)
	return taken, denied
}

// see tells too what the program has made of the packet.
func (b *questions) see(t interface{ Fatal(...any) }, way datapath.Direction, packet []byte) (made []byte, taken, denied bool) {
	data, program := packet, b.path.objects.Down
	if way == datapath.Up {
		protocol := []byte{0, 0x21}
		if packet[0]>>4 == 6 {
			protocol[1] = 0x57
		}
		datagram := append([]byte{0, 2, 0, 3, 0, 4, 0xFF, 3}, append(protocol, packet...)...)
		data, program = frame(make(net.HardwareAddr, 6), b.spec.Path, datagram), b.path.objects.Up
	}
	before := b.path.tables.drops()[datapath.Filtered.String()]
	var result uint32
	if err := b.host.Do(func() (err error) {
		o := ebpf.RunOptions{Data: data, DataOut: make([]byte, len(data)+256)}
		result, err = program.Run(&o)
		made = o.DataOut
		return err
	}); err != nil {
		t.Fatal(err)
	}
	const next = 1<<32 - 1
	return made, result != next, b.path.tables.drops()[datapath.Filtered.String()] != before
}

// A host can be told to drop whatever comes or goes without IPsec, with no policy at all.
func TestWhatIsToBeSealedByDefaultIsLeftToTheStack(t *testing.T) {
	b := newQuestions(t)
	b.entry.Filter = 0
	number, _ := b.path.tables.write(b.entry, false)
	must(t, b.path.tables.insert(idOf(b.spec.Key), 1, number, &b.spec))
	up := datapathtest.Packet{Source: "10.10.1.10", Destination: "8.0.0.1", Payload: 40}.Bytes()
	down := datapathtest.Packet{Source: "8.0.0.1", Destination: "10.10.1.10", Payload: 40}.Bytes()
	for _, c := range []struct {
		direction, what string
		taken           bool
	}{{"in", "accept", true}, {"in", "block", false}, {"in", "accept", true}, {"out", "block", false}, {"out", "accept", true}} {
		if _, err := b.host.Run("ip", "xfrm", "policy", "setdefault", c.direction, c.what); err != nil {
			t.Fatal(err)
		}
		taken, _ := b.run(t, datapath.Up, up)
		sent, _ := b.run(t, datapath.Down, down)
		if taken != c.taken || sent != c.taken {
			t.Errorf("with default %s for %s the kernel carries up %v, down %v", c.what, c.direction, taken, sent)
		}
	}
}
