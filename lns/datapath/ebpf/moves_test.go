package ebpf

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
)

// crossed sends a packet each way and says which of them the kernel has carried.
func (r *rig) crossed() (up, down bool) {
	r.t.Helper()
	rx, tx := r.ways()
	packet := datapathtest.Packet{Source: "10.10.1.10", Destination: "192.0.2.80", Port: 9, Payload: 100, ID: 1}.Bytes()
	if !r.Receive(datapathtest.Spec("vt1").Path, append([]byte{0, 2, 0, 3, 0, 4, 0x21}, packet...)) {
		r.t.Fatal("a packet was refused")
	}
	r.Flush()
	if got := r.FromPeers(); string(got) != string(packet) {
		r.t.Fatalf("%x came out", got)
	}
	r.ToPeers(datapathtest.Packet{Source: "192.0.2.80", Destination: "10.10.1.10", Port: 9, Payload: 100, ID: 1}.Bytes())
	r.Sent()
	rx2, tx2 := r.ways()
	return rx2 != rx, tx2 != tx
}

func TestSessionsMoveBetweenThePathsWithoutLoss(t *testing.T) {
	r := newRig(t, nil)
	s, err := r.path.Add(datapathtest.Spec("vt1"))
	must(t, err)
	filter, err := datapath.NewFilter("all", datapath.Allow, nil)
	must(t, err)
	long, err := datapath.NewFilter("long", datapath.Deny, slices.Repeat([]datapath.Rule{{Action: datapath.Allow}}, mostRules+1))
	must(t, err)
	secure := datapathtest.Spec("vt1").Path
	secure.Secure = true
	policy := []string{"xfrm", "policy", "add", "src", "203.0.113.77/32", "dst", "203.0.113.78/32", "dir", "out", "tmpl", "proto", "esp", "mode", "transport"}
	steps := []struct {
		name     string
		do       func()
		up, down bool
	}{
		{"added", func() {}, true, true},
		{"rates", func() { s.SetRates(1e9, 1e9) }, true, true},
		{"none", func() { s.SetRates(0, 0) }, true, true},
		{"a filter", func() { s.SetFilter(filter) }, true, true},
		{"a long one", func() { s.SetFilter(long) }, false, false},
		{"none", func() { s.SetFilter(nil) }, true, true},
		{"another local address", func() { s.SetPath(datapath.Path{Remote: secure.Remote}) }, false, false},
		{"the known one", func() { s.SetPath(datapathtest.Spec("vt1").Path) }, true, true},
		{"IPsec for somebody", func() { _, err := r.host.Run("ip", policy...); must(t, err) }, false, false},
		{"IPsec for nobody", func() { _, err := r.host.Run("ip", "xfrm", "policy", "flush"); must(t, err) }, true, true},
	}
	for _, step := range steps {
		step.do()
		if up, down := r.crossed(); up != step.up || down != step.down {
			t.Errorf("%s: the kernel carries up %v, down %v", step.name, up, down)
		}
	}
	if got, want := s.Counters(), uint64(len(steps)); got.RxPackets != want || got.TxPackets != want ||
		got.RxOctets != 128*want || got.TxOctets != 128*want {
		t.Errorf("after %d packets each way: %+v", want, got)
	}
	s.SetPath(secure)
	if n := r.path.Carried(); n != 0 {
		t.Errorf("%d sessions behind IPsec are in the kernel", n)
	}
	if last := s.Close(); last.RxPackets != uint64(len(steps)) || last != s.Counters() || r.path.Drops()[datapath.PeerMismatch.String()] != 0 {
		t.Errorf("at last %+v", last)
	}
}

// Whatever is cut off a datagram, it comes to the same as in user space, and nothing of it enters the host.
func TestCutDatagramsAreLeftToUserSpace(t *testing.T) {
	r := newRig(t, nil)
	s, err := r.path.Add(datapathtest.Spec("vt1"))
	must(t, err)
	packet := datapathtest.Packet{Source: "10.10.1.10", Destination: "192.0.2.80", Port: 9, Payload: 30, ID: 1}.Bytes()
	datagram := append([]byte{0x40, 2, 0, byte(12 + len(packet)), 0, 3, 0, 4, 0xFF, 3, 0, 0x21}, packet...)
	for n := range datagram {
		r.Receive(datapathtest.Spec("vt1").Path, datagram[:n])
		r.Flush()
	}
	if rx, _ := r.ways(); rx != 0 || s.Counters().RxPackets != 0 {
		t.Errorf("%d cut datagrams were carried by the kernel: %+v", rx, s.Counters())
	}
	r.Receive(datapathtest.Spec("vt1").Path, datagram)
	if rx, _ := r.ways(); rx != 1 {
		t.Errorf("the whole one was not")
	}
}

// Whatever a stranger changes in a datagram, what enters the host through the kernel is a packet of the session, as it came.
func TestChangedDatagramsAreNotTakenForOthers(t *testing.T) {
	r := newRig(t, nil)
	_, err := r.path.Add(datapathtest.Spec("vt1"))
	must(t, err)
	random := rand.New(rand.NewPCG(1, 2))
	carried := uint64(0)
	for round := range 600 {
		packet := datapathtest.Packet{Source: "10.10.1.10", Destination: "192.0.2.80", Port: 9, Payload: 10, ID: uint16(round)}.Bytes()
		datagram := append([]byte{0, 2, 0, 3, 0, 4, 0xFF, 3, 0, 0x21}, packet...)
		for range 1 + random.IntN(2) {
			datagram[random.IntN(30)] = byte(random.Uint32())
		}
		r.Receive(datapathtest.Spec("vt1").Path, datagram)
		r.Flush()
		rx, _ := r.ways()
		if rx == carried {
			continue
		}
		carried = rx
		if !bytes.Equal(datagram[2:6], []byte{0, 3, 0, 4}) || datagram[0]&0x8A != 0 || datagram[1]&0x0F != 2 {
			t.Errorf("%x was carried", datagram)
		}
		got := r.next(r.capture, func(b []byte) bool {
			return binary.BigEndian.Uint16(b[4:]) == binary.BigEndian.Uint16(datagram[len(datagram)-len(packet)+4:])
		})
		if !bytes.HasSuffix(datagram, got) || string(got[12:16]) != "\x0a\x0a\x01\x0a" || int(binary.BigEndian.Uint16(got[2:])) != len(got) {
			t.Errorf("%x came out as %x", datagram, got)
		}
	}
	if carried < 50 {
		t.Errorf("only %d were carried", carried)
	}
}
