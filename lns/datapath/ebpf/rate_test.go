package ebpf

import (
	"testing"
	"time"

	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
)

// What is due passes in the kernel, what has to wait does so in user space, and what would wait too long ends in the kernel.
func TestARateIsKeptByBothPathsTogether(t *testing.T) {
	r := newRig(t, nil)
	const bits, burst = 1_000_000, 150
	spec := datapathtest.Spec("vt1")
	spec.RateUp, spec.RateDown = bits, bits
	s, err := r.path.Add(spec)
	must(t, err)
	r.hurried = true
	start := time.Now()
	for i := range burst {
		p := datapathtest.Packet{Source: "10.10.1.10", Destination: "192.0.2.80", Port: 9, Payload: 972, ID: uint16(i + 1)}
		r.Receive(spec.Path, append([]byte{0, 2, 0, 3, 0, 4, 0x21}, p.Bytes()...))
		r.Flush()
		p.Source, p.Destination = p.Destination, p.Source
		r.ToPeers(p.Bytes())
	}
	all := func() (n uint64) {
		c := s.Counters()
		return c.RxPackets + c.TxPackets + c.Drops
	}
	r.await("packets have come to nothing", func() bool { return all() == 2*burst })
	took := time.Since(start)
	up, down := r.ways()
	under, dropped := s.(*session).under.Counters(), r.path.tables.drops()
	if up == 0 || down == 0 || under.RxPackets == 0 || under.TxPackets == 0 {
		t.Errorf("the kernel has carried %d up and %d down, user space %+v", up, down, under)
	}
	if most := uint64(took.Seconds()*bits/8/1000) + 64; up+under.RxPackets > most || down+under.TxPackets > most {
		t.Errorf("in %v the kernel has carried %d up and %d down, user space %+v", took, up, down, under)
	}
	if took < time.Second && (dropped[datapath.OverRateUp.String()] == 0 || dropped[datapath.OverRateDown.String()] == 0) {
		t.Errorf("in %v the kernel has dropped %v", took, dropped)
	}
	for range up + under.RxPackets {
		r.FromPeers()
	}
	for range down + under.TxPackets {
		r.Sent()
	}
	r.hurried = false
	for end := time.Now().Add(patience); ; {
		if up, down := r.crossed(); up && down {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the kernel does not carry the session again once it is quiet")
		}
	}
}

// Whoever asks for a change after the end touches nothing that has been given back.
func TestARateChangedAfterTheEndChangesNothing(t *testing.T) {
	var open datapath.Session
	t.Run("session", func(t *testing.T) {
		r := newRig(t, nil)
		spec := datapathtest.Spec("vt1")
		closed, err := r.path.Add(spec)
		must(t, err)
		closed.Close()
		closed.SetRates(1, 1)
		spec.RateDown = 1e6
		open, err = r.path.Add(spec)
		must(t, err)
		if up, down := r.crossed(); !up || !down {
			t.Errorf("the kernel carries up %v, down %v", up, down)
		}
	})
	// The path has been closed, and its memory is gone.
	open.SetRates(2, 2)
	open.SetFilter(nil)
	open.SetPath(datapathtest.Spec("vt1").Path)
	if c := open.Counters(); c.RxPackets != 1 || c.TxPackets != 1 {
		t.Errorf("%+v", c)
	}
}
