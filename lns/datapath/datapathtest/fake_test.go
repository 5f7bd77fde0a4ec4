package datapathtest

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"

	"lnsgate/lns/datapath"
)

// last is a Sender that keeps the last datagram.
type last struct {
	path     datapath.Path
	datagram []byte
}

func (l *last) Send(p datapath.Path, d []byte) error {
	l.path, l.datagram = p, bytes.Clone(d)
	return nil
}

func (l *last) SendBatch(datapath.Path, [][]byte) error { return errors.ErrUnsupported }

func TestFakeKeepsWhatItIsTold(t *testing.T) {
	sender := new(last)
	f := NewFake(sender)
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

	packet := Packet{Source: client, Destination: server, Payload: 4}.Bytes()
	in := f.Ingress()
	data := append([]byte{0, 2, 0, 3, 0, 4, 0x21}, packet...)
	if !in.Receive(peer, data) || !in.Receive(stranger, data) || in.Receive(peer, []byte{0, 2, 0, 3, 0, 4, 0xC0, 0x21, 1, 1, 0, 4}) {
		t.Error("wrongly taken or left")
	}
	in.Flush()
	if got := f.Session(spec.Key).Received(); len(got) != 1 || !bytes.Equal(got[0], packet) {
		t.Errorf("received %x", got)
	}
	if s.NextNs() != 7 {
		t.Error("the sequence does not begin at FirstNs")
	}
	s.SetPath(moved)
	down := Packet{Source: server, Destination: client, Payload: 4}.Bytes()
	if err := f.Send(down); err != nil {
		t.Fatal(err)
	}
	if want := append([]byte{0x48, 2, 0, 48, 0, 5, 0, 6, 0, 8, 0, 0, 0xFF, 3, 0, 0x21}, down...); sender.path != moved || !bytes.Equal(sender.datagram, want) {
		t.Errorf("sent %x to %v", sender.datagram, sender.path)
	}
	if err := f.Send(Packet{Source: server, Destination: behind}.Bytes()); err == nil {
		t.Error("sent to nobody")
	}
	if c := s.Close(); c.RxPackets != 1 || c.TxPackets != 1 || c.Drops != 1 || s.Close() != c {
		t.Errorf("last figures %+v", c)
	}
	if f.Session(spec.Key) != nil || in.Receive(peer, data) || f.Drops()[datapath.PeerMismatch.String()] != 1 {
		t.Errorf("still there, or drops %v", f.Drops())
	}
}

func TestFakeRefuses(t *testing.T) {
	f := NewFake(nil)
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
