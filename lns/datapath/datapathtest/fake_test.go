package datapathtest

import (
	"errors"
	"net/netip"
	"testing"

	"lnsgate/lns/datapath"
)

func TestFakeKeepsWhatItIsTold(t *testing.T) {
	f := NewFake()
	spec := Spec("vt1")
	spec.Sequencing, spec.FirstNs = true, 7
	s, err := f.Add(spec)
	if err != nil {
		t.Fatal(err)
	}
	if specs := f.Specs(); len(specs) != 1 || specs[0].Key != spec.Key || len(f.History()) != 1 {
		t.Errorf("specs %v, history %v", specs, f.History())
	}
	var duplicate *datapath.DuplicateError
	if _, err := f.Add(spec); !errors.As(err, &duplicate) {
		t.Errorf("twice: %v", err)
	}
	other := spec
	other.Key.Session++
	if _, err := f.Add(other); !errors.As(err, &duplicate) || duplicate.Address != spec.Address {
		t.Errorf("same address: %v", err)
	}
	if s.NextNs() != 7 || s.NextNs() != 8 {
		t.Error("the sequence does not begin at FirstNs")
	}
	s.SetPath(moved)
	if f.Specs()[0].Path != moved {
		t.Error("the path was not kept")
	}
	in := f.Ingress()
	left := in.Receive(peer, []byte{1})
	f.Take = func(from datapath.Path, datagram []byte) bool { return from == peer && len(datagram) == 1 }
	if left || !in.Receive(peer, []byte{1}) {
		t.Error("wrongly taken or left")
	}
	in.Flush()
	s.Close()
	s.Close()
	if f.Session(spec.Key) != nil || len(f.Specs()) != 0 || len(f.History()) != 1 || len(f.Drops()) != 0 {
		t.Error("still there")
	}
}

func TestFakeRefuses(t *testing.T) {
	f := NewFake()
	refusal := errors.New("no")
	f.Refuse = func(datapath.Spec) error { return refusal }
	if _, err := f.Add(Spec("vt1")); !errors.Is(err, refusal) {
		t.Errorf("got %v", err)
	}
	f.Refuse = nil
	bad := Spec("vt1")
	bad.Address = netip.Addr{}
	if _, err := f.Add(bad); err == nil {
		t.Error("a bad spec was accepted")
	}
	s, err := f.Add(Spec("vt1"))
	if err != nil {
		t.Fatal(err)
	}
	figures := datapath.Counters{RxOctets: 5}
	f.Session(Spec("vt1").Key).SetCounters(figures)
	if s.Counters() != figures {
		t.Errorf("got %+v", s.Counters())
	}
	if err := f.Close(); err != nil || !f.Closed() {
		t.Errorf("Close: %v", err)
	}
}

// fakeRig lets a Fake carry packets of its one session, at once.
type fakeRig struct {
	*Fake
	up, down chan []byte
}

func newFakeRig(*testing.T) Rig {
	r := &fakeRig{Fake: NewFake(), up: make(chan []byte, 1024), down: make(chan []byte, 1024)}
	r.Take = func(_ datapath.Path, datagram []byte) bool {
		packet := datagram[7:] // behind the shortest headers, which are those of the suite
		if r.Session(Spec("vt1").Key).Carry(datapath.Up, packet) {
			r.up <- packet
		}
		return true
	}
	return r
}

func (r *fakeRig) DataPath() datapath.DataPath { return r.Fake }
func (r *fakeRig) Interface() string           { return "vt1" }
func (r *fakeRig) FromPeers() []byte           { return <-r.up }

func (r *fakeRig) ToPeers(packet []byte) {
	if r.Session(Spec("vt1").Key).Carry(datapath.Down, packet) {
		n := 12 + len(packet)
		r.down <- join([]byte{0x40, 2, byte(n >> 8), byte(n), 0, 5, 0, 6, 0xFF, 3, 0, 0x21}, packet)
	}
}

func (r *fakeRig) Sent() (datapath.Path, []byte) { return peer, <-r.down }

func TestFakeKeepsTheContractOfFilters(t *testing.T) { RunFilters(t, newFakeRig) }
