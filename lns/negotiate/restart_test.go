package negotiate

import (
	"bytes"
	"testing"
	"time"

	"lnsgate/lns/ppp"
)

// giveUp lets a machine run into Stopped for want of an answer.
func giveUp(t *testing.T, d driver) {
	t.Helper()
	var out Out
	for d.State() != Stopped {
		tick(t, d, &out)
	}
}

// TestStoppedStartsFromTheBeginning: the peer comes back after we gave up, and
// is asked for everything again.
func TestStoppedStartsFromTheBeginning(t *testing.T) {
	l := serverLCP()
	first := opening(t, l)
	var out Out
	l.Receive(packet(ppp.ConfigureReject, first.Identifier, 1, 4, 5, 0xb4), start, &out)
	giveUp(t, l)
	if l.Reason() != NoAnswer || !l.Heard() || l.Detail() != "10 Configure-Requests sent, none answered" {
		t.Fatalf("reason %v, %s", l.Reason(), l.Detail())
	}
	out.Reset()
	l.Receive(packet(ppp.ConfigureRequest, 1), start, &out)
	if l.State() != AckSent || len(out.Frames) != 2 {
		t.Fatalf("%v, sent:\n%s", l.State(), dialogue(out.Frames))
	}
	request, err := ppp.ParsePacket(out.Frames[0].Packet)
	if err != nil || !bytes.Equal(request.Data, first.Data) {
		t.Errorf("asked for % x, first % x", request.Data, first.Data)
	}
	if l.Reason() != ReasonNone {
		t.Errorf("the old reason stands: %v", l.Reason())
	}
}

// TestDownForgetsThePeer: the next peer may be slow to listen again.
func TestDownForgetsThePeer(t *testing.T) {
	l := serverLCP()
	openedLCP(t, l)
	var out Out
	l.Receive(packet(ppp.TerminateRequest, 1, 'x'), start, &out)
	l.Down(start, &out)
	if l.Reason() != PeerTerminated || l.PeerText() != "x" {
		t.Errorf("%v %q", l.Reason(), l.PeerText())
	}
	l.Up(start, &out)
	if got := l.Deadline().Sub(start); got != 250*time.Millisecond {
		t.Errorf("first repeat after %v", got)
	}
	if l.Reason() != ReasonNone || l.PeerText() != "" {
		t.Errorf("%v %q", l.Reason(), l.PeerText())
	}
}

// TestNakIsNoLargerThanThePeerTakes: a request full of short options would be
// answered with one several times its size.
func TestNakIsNoLargerThanThePeerTakes(t *testing.T) {
	i := NewIPCP(IPCPConfig{Local: headquarters, Assign: assigned, PeerMRU: 256})
	opening(t, i)
	var out Out
	i.Receive(packet(ppp.ConfigureRequest, 1, bytes.Repeat([]byte{3, 2}, 700)...), start, &out)
	if got := last(t, &out); got.Code != ppp.ConfigureNak || len(got.Data) > 256-ppp.HeaderSize {
		t.Errorf("%v with %d octets", got.Code, len(got.Data))
	}
}

func TestCustomTiming(t *testing.T) {
	l := NewLCP(LCPConfig{Timing: Timing{Restart: []time.Duration{100 * time.Millisecond, 0}, MaxConfigure: 3, MaxTerminate: 1}})
	opening(t, l)
	var out Out
	now := start
	for _, want := range []time.Duration{100 * time.Millisecond, 3 * time.Second, 3 * time.Second} {
		at := tick(t, l, &out)
		if at.Sub(now) != want {
			t.Errorf("waited %v, want %v", at.Sub(now), want)
		}
		now = at
	}
	if l.State() != Stopped || len(out.Frames) != 2 {
		t.Errorf("%v after %d repeats", l.State(), len(out.Frames))
	}
}

func TestNamesAreWords(t *testing.T) {
	for _, s := range []interface{ String() string }{Opened, State(99), EventRXR, Event(99), LayerFinished, Change(99), ClosedByUs, Reason(99), AuthEAP, AuthProtocol(99)} {
		if s.String() == "" {
			t.Errorf("%T has no name", s)
		}
	}
	for r := ReasonNone; r <= ClosedByUs; r++ {
		if int(r) >= len(reasonNames) || reasonNames[r] == "" {
			t.Errorf("reason %d has no words", r)
		}
	}
}

func TestOutReset(t *testing.T) {
	out := Out{Frames: []ppp.Frame{{Packet: []byte{1}}}, Changes: []Change{LayerUp}, PeerRejected: []ppp.Protocol{1}, Identification: []string{"x"}}
	out.Reset()
	if len(out.Frames)+len(out.Changes)+len(out.PeerRejected)+len(out.Identification) != 0 {
		t.Errorf("%+v", out)
	}
	if out.Frames[:1][0].Packet != nil {
		t.Error("a packet is held on to")
	}
}

// TestNudgeTakesNoRepeatAway: a repeat that was asked for does not count against
// Max-Configure.
func TestNudgeTakesNoRepeatAway(t *testing.T) {
	l := serverLCP()
	opening(t, l)
	var out Out
	l.Nudge(start.Add(100*time.Millisecond), &out)
	for l.State() != Stopped {
		tick(t, l, &out)
	}
	if n := len(out.Frames); n != defaultMaxConfigure {
		t.Errorf("%d repeats, want the %d of the counter and the one of the nudge", n, defaultMaxConfigure-1)
	}
}

// TestRestartedPeerIsAskedForEchoesAgain: the one before it did not know them.
func TestRestartedPeerIsAskedForEchoesAgain(t *testing.T) {
	l := serverLCP()
	openedLCP(t, l)
	var out Out
	l.Receive(packet(ppp.CodeReject, 1, byte(ppp.EchoRequest)), start, &out)
	l.Down(start, &out)
	l.Up(start, &out)
	request := last(t, &out)
	l.Receive(packet(ppp.ConfigureAck, request.Identifier, request.Data...), start, &out)
	l.Receive(packet(ppp.ConfigureRequest, 2), start, &out)
	if l.State() != Opened || l.Deadline().IsZero() {
		t.Errorf("%v, next at %v", l.State(), l.Deadline())
	}
}

// TestMRUBelowTheSmallest: a setting that no peer could live with is raised.
func TestMRUBelowTheSmallest(t *testing.T) {
	l := NewLCP(LCPConfig{MRU: 10})
	openedLCP(t, l)
	if r := l.Result(); r.LocalMRU != ppp.MinimumMRU || r.PeerMRU != ppp.MinimumMRU {
		t.Errorf("%+v", r)
	}
}
