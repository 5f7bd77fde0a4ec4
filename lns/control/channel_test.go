package control

import (
	"testing"
	"time"

	"lnsgate/lns/l2tp"
)

func testConfig() ChannelConfig {
	c := Config{}.withDefaults()
	return ChannelConfig{c.ReceiveWindow, c.RetransmitFirst, c.RetransmitCap, c.MaxTransmissions}
}

// rig is one channel and what it sent.
type rig struct {
	testing.TB
	Channel
	now  time.Time
	sent []l2tp.Header
	body [][]byte
}

func newRig(t testing.TB, window uint16) *rig {
	r := &rig{TB: t, Channel: NewChannel(testConfig()), now: start}
	r.SetPeer(5, window)
	return r
}

func (r *rig) take(out *Out) {
	for _, a := range out.Actions {
		if s, ok := a.(Send); ok {
			h, payload, err := l2tp.ParseHeader(s.Datagram)
			if err != nil || !h.Control || h.Tunnel != 5 {
				r.Errorf("sent %x: %v", s.Datagram, err)
			}
			r.sent, r.body = append(r.sent, h), append(r.body, payload)
		}
	}
}

func (r *rig) send(n int) {
	for range n {
		var out Out
		r.Send(Outgoing{Type: l2tp.TypeHello, Body: []byte("x")}, r.now, &out)
		r.take(&out)
	}
}

func (r *rig) receive(ns, nr uint16, body string) (Verdict, error) {
	var out Out
	v, err := r.Receive(l2tp.Header{Control: true, Ns: ns, Nr: nr}, []byte(body), r.now, &out)
	r.Acknowledge(&out)
	r.take(&out)
	return v, err
}

func (r *rig) advance(d time.Duration) (lost bool) {
	var out Out
	r.now = r.now.Add(d)
	lost = r.Advance(r.now, &out)
	r.take(&out)
	return lost
}

// wantSent compares the Ns of what was sent since the last call. ZLBs are written as -1.
func (r *rig) wantSent(ns ...int) {
	r.Helper()
	var got []int
	for i, h := range r.sent {
		if len(r.body[i]) == 0 {
			got = append(got, -1)
		} else {
			got = append(got, int(h.Ns))
		}
	}
	same := len(got) == len(ns)
	for i := range min(len(got), len(ns)) {
		same = same && got[i] == ns[i]
	}
	if !same {
		r.Errorf("sent %v, want %v", got, ns)
	}
	r.sent, r.body = nil, nil
}

func TestRFC2661Section5_8_NsCountsMessagesAndNotZLBs(t *testing.T) {
	r := newRig(t, 8)
	r.send(1)
	if _, err := r.receive(0, 1, "m"); err != nil {
		t.Fatal(err)
	}
	if zlb := r.sent[1]; zlb.Ns != 1 || zlb.Nr != 1 {
		t.Errorf("ZLB %+v, want the next Ns and Nr 1", zlb)
	}
	r.wantSent(0, -1)
	r.send(1)
	r.wantSent(1)
}

func TestRFC2661Section5_8_NrOfAZLBIsNotCounted(t *testing.T) {
	r := newRig(t, 8)
	for range 3 {
		if v, err := r.receive(0, 0, ""); v != Nothing || err != nil {
			t.Fatal(v, err)
		}
	}
	if v, _ := r.receive(0, 0, "m"); v != Deliver {
		t.Error(v)
	}
	r.wantSent(-1)
}

func TestQ40AZLBIsNeverAnsweredByAZLB(t *testing.T) {
	r := newRig(t, 8)
	r.receive(0, 0, "")
	r.receive(7, 0, "")
	r.receive(0xffff, 0, "")
	r.wantSent()
}

// The window of numbers that count as old: the last received and the 32767 before it.
func TestRFC2661Section5_8_OldAndNewModulo65536(t *testing.T) {
	for _, c := range []struct {
		ns   uint16
		want Verdict
	}{
		{15, Duplicate}, {0, Duplicate}, {65535, Duplicate}, {32784, Duplicate},
		{16, Deliver}, {17, Kept}, {31, Kept}, {32, Dropped}, {32783, Dropped},
	} {
		r := newRig(t, 8)
		r.expected = 16
		if v, _ := r.receive(c.ns, 0, "m"); v != c.want {
			t.Errorf("Ns %d: %v, want %v", c.ns, v, c.want)
		}
		if wantAck := c.want == Duplicate || c.want == Deliver; wantAck != (len(r.sent) == 1) {
			t.Errorf("Ns %d: %d acknowledgements", c.ns, len(r.sent))
		}
	}
}

func TestRFC2661Section5_8_NumbersWrapAround(t *testing.T) {
	r := newRig(t, 4)
	r.una, r.expected = 65533, 65534
	for i := range 6 {
		r.send(1)
		if v, err := r.receive(uint16(65534+i), uint16(65534+i), "m"); v != Deliver || err != nil {
			t.Fatalf("%d: %v %v", i, v, err)
		}
	}
	if !r.Idle() || r.una != 3 || r.expected != 4 {
		t.Errorf("una %d, expected %d", r.una, r.expected)
	}
}

func TestRFC2661Section5_8_DuplicatesAreAcknowledgedAgain(t *testing.T) {
	r := newRig(t, 8)
	r.receive(0, 0, "m")
	for range 3 {
		if v, _ := r.receive(0, 0, "m"); v != Duplicate {
			t.Error(v)
		}
	}
	r.wantSent(-1, -1, -1, -1)
}

func TestRFC2661Section5_8_OutOfOrderIsKeptAndDeliveredInOrder(t *testing.T) {
	r := newRig(t, 8)
	for _, ns := range []uint16{3, 1, 3, 2} {
		if v, _ := r.receive(ns, 0, string(rune('0'+ns))); v == Deliver {
			t.Fatal(v)
		}
	}
	r.wantSent()
	if _, _, ok := r.Next(); ok {
		t.Fatal("delivered before its turn")
	}
	var out Out
	if v, _ := r.Receive(l2tp.Header{}, []byte("0"), r.now, &out); v != Deliver {
		t.Fatal(v)
	}
	got := ""
	for h, b, ok := r.Next(); ok; h, b, ok = r.Next() {
		if got += string(b); int(h.Ns) != len(got) {
			t.Errorf("header %+v with %q", h, b)
		}
	}
	r.Acknowledge(&out)
	r.take(&out)
	if got != "123" || r.sent[0].Nr != 4 || r.early != nil || r.earlyLen != 0 {
		t.Errorf("%q %+v", got, r.sent)
	}
}

func TestRFC2661Section5_8_RetransmissionBacksOffToTheCap(t *testing.T) {
	r := newRig(t, 8)
	r.send(1)
	for _, s := range []int{1, 2, 4, 8, 8} {
		d := time.Duration(s) * time.Second
		if got := r.Deadline().Sub(r.now); got != d {
			t.Errorf("next in %v, want %v", got, d)
		}
		if r.advance(d - 1); len(r.sent) != 1 {
			t.Error("resent too early")
		}
		if r.advance(1) {
			t.Error("lost too early")
		}
		r.wantSent(0, 0)
		r.sent, r.body = []l2tp.Header{{}}, [][]byte{[]byte("x")}
	}
	if !r.advance(8 * time.Second) {
		t.Error("not lost after 6 sendings and 31 s")
	}
}

func TestRFC2661Section5_8_AResentMessageCarriesAFreshNr(t *testing.T) {
	r := newRig(t, 8)
	r.send(1)
	r.receive(0, 0, "m")
	r.advance(time.Second)
	if h := r.sent[2]; h.Ns != 0 || h.Nr != 1 {
		t.Errorf("%+v", h)
	}
}

func TestRFC2661Section5_8_ProgressStartsTheBackOffAnew(t *testing.T) {
	r := newRig(t, 8)
	r.send(2)
	r.advance(time.Second)
	r.advance(2 * time.Second)
	r.receive(0, 1, "")
	r.wantSent(0, 0, 0, 1)
	if got := r.Deadline().Sub(r.now); got != time.Second {
		t.Errorf("next in %v", got)
	}
}

func TestRFC2661Section5_8_ThePeersWindowIsHonoured(t *testing.T) {
	for _, window := range []uint16{1, 2, 4, 16} {
		r := newRig(t, window)
		sent, acked := 0, 0
		r.send(100)
		for acked < 100 {
			if sent += len(r.sent); sent-acked > int(window) {
				t.Fatalf("window %d: %d in flight", window, sent-acked)
			}
			r.sent, r.body = nil, nil
			acked++
			if _, err := r.receive(0, uint16(acked), ""); err != nil {
				t.Fatal(err)
			}
		}
		if !r.Idle() || r.queue != nil {
			t.Error("something is left")
		}
	}
}

func TestQ02WindowOfOneNeverHasTwoInFlight(t *testing.T) {
	r := newRig(t, 1)
	r.send(3)
	r.wantSent(0)
	r.advance(time.Second)
	r.wantSent(0)
	r.receive(0, 1, "")
	r.wantSent(1)
	r.receive(0, 1, "")
	r.wantSent()
	r.receive(0, 2, "")
	r.wantSent(2)
}

func TestQ56WindowOfZeroMeansFour(t *testing.T) {
	r := newRig(t, 0)
	if r.window != 4 {
		t.Errorf("window %d", r.window)
	}
}

func TestRFC2661AppendixA_SlowStartThenCongestionAvoidance(t *testing.T) {
	r := newRig(t, 20)
	r.ssthresh = 4
	r.send(60)
	var widths []uint16
	for i := range 20 {
		r.receive(0, uint16(i+1), "")
		widths = append(widths, r.cwnd)
	}
	want := []uint16{2, 3, 4, 4, 4, 4, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 7, 7, 7}
	for i := range want {
		if widths[i] != want[i] {
			t.Fatalf("cwnd %v, want %v", widths, want)
		}
	}
}

func TestRFC2661AppendixA_CongestionHalvesTheThreshold(t *testing.T) {
	r := newRig(t, 16)
	r.send(40)
	for i := range 9 {
		r.receive(0, uint16(i+1), "")
	}
	if r.cwnd != 10 || r.ssthresh != 16 {
		t.Fatalf("cwnd %d, ssthresh %d", r.cwnd, r.ssthresh)
	}
	r.sent, r.body = nil, nil
	r.advance(time.Second)
	if r.cwnd != 1 || r.ssthresh != 5 {
		t.Errorf("cwnd %d, ssthresh %d", r.cwnd, r.ssthresh)
	}
	r.wantSent(9)
	// What was in flight counts as lost and is sent again as the window opens, unless the peer has it after all.
	r.receive(0, 10, "")
	r.wantSent(10, 11)
	r.receive(0, 19, "")
	r.wantSent(19, 20, 21)
}

func TestRFC2661AppendixA_TheCongestionWindowNeverExceedsThePeers(t *testing.T) {
	r := newRig(t, 3)
	r.send(50)
	for i := range 50 {
		r.receive(0, uint16(i+1), "")
		if r.cwnd > 3 {
			t.Fatalf("cwnd %d", r.cwnd)
		}
	}
}

func TestAcknowledgementOfWhatWasNeverSent(t *testing.T) {
	r := newRig(t, 8)
	r.send(3) // one is sent, two wait
	for _, nr := range []uint16{2, 3, 4, 100, 32767} {
		if v, err := r.receive(0, nr, "m"); v != Dropped || err != ErrAcknowledgement {
			t.Errorf("Nr %d: %v %v", nr, v, err)
		}
	}
	if v, err := r.receive(0, 65535, "m"); v != Deliver || err != nil {
		t.Errorf("old Nr: %v %v", v, err)
	}
}

func TestAcknowledgementMayWaitForAnAnswer(t *testing.T) {
	r := newRig(t, 8)
	var out Out
	r.Receive(l2tp.Header{}, []byte("m"), r.now, &out)
	r.AcknowledgeBy(r.now.Add(ackDelay))
	if got := r.Deadline(); !got.Equal(r.now.Add(ackDelay)) {
		t.Fatal(got)
	}
	r.advance(ackDelay)
	r.wantSent(-1)
	r.AcknowledgeBy(r.now.Add(ackDelay))
	if !r.Deadline().IsZero() {
		t.Error("nothing is owed any more")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	r := newRig(t, 4)
	r.send(queueLimit)
	if v, err := r.receive(0, 0, "work"); v != Dropped || err != ErrQueueFull || len(r.sent) != 1 {
		t.Errorf("%v %v", v, err)
	}
	if _, err := r.receive(0, 1, ""); err != nil || r.Full() {
		t.Errorf("acknowledgements must get through: %v", err)
	}
	r = newRig(t, 4)
	kept := 0
	for ns := range 100 {
		if v, _ := r.receive(uint16(ns+1), 0, string(make([]byte, 4000))); v == Kept {
			kept++
		}
	}
	if kept != 4 || r.earlyLen > earlyOctets {
		t.Errorf("kept %d, %d octets", kept, r.earlyLen)
	}
}

func TestDropUnsentKeepsTheNumbering(t *testing.T) {
	r := newRig(t, 2)
	r.send(5)
	r.receive(0, 1, "")
	r.wantSent(0, 1, 2)
	r.DropUnsent()
	r.send(1)
	r.receive(0, 3, "")
	r.wantSent(3)
	r.send(1)
	r.DropAll()
	r.receive(0, 3, "m")
	if h := r.sent[len(r.sent)-1]; h.Ns != 5 || len(r.body[len(r.body)-1]) != 0 || !r.Deadline().IsZero() {
		t.Errorf("%+v", h)
	}
}
