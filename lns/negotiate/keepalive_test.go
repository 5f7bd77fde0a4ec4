package negotiate

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"lnsgate/lns/ppp"
)

func TestEchoAfterSilence(t *testing.T) {
	l := serverLCP()
	openedLCP(t, l, 5, 6, 9, 9, 9, 9)
	var out Out
	at := tick(t, l, &out)
	if at.Sub(start) != 10*time.Second {
		t.Errorf("after %v", at.Sub(start))
	}
	got := last(t, &out)
	if got.Code != ppp.EchoRequest || !bytes.Equal(got.Data, []byte{0x11, 0x11, 0x11, 0x11}) {
		t.Errorf("%v % x", got.Code, got.Data)
	}
	l.Receive(packet(ppp.EchoReply, got.Identifier, 9, 9, 9, 9), at.Add(time.Second), &out)
	if next := l.Deadline(); next.Sub(at) != 11*time.Second {
		t.Errorf("next echo %v after the first", next.Sub(at))
	}
}

func TestEchoTimeout(t *testing.T) {
	l := serverLCP()
	openedLCP(t, l)
	var out Out
	for i := range 3 {
		tick(t, l, &out)
		if l.State() != Opened || last(t, &out).Code != ppp.EchoRequest {
			t.Fatalf("echo %d: %v", i, l.State())
		}
	}
	at := tick(t, l, &out)
	if at.Sub(start) != 40*time.Second || l.Reason() != EchoTimeout || !slices.Equal(out.Changes, []Change{LayerDown}) {
		t.Errorf("after %v: %v %v", at.Sub(start), l.Reason(), out.Changes)
	}
	for !l.Deadline().IsZero() {
		tick(t, l, &out)
	}
	if l.Reason() != EchoTimeout || !slices.Equal(out.Changes, []Change{LayerDown, LayerFinished}) {
		t.Errorf("%v %v", l.Reason(), out.Changes)
	}
}

func TestTrafficPutsTheEchoOff(t *testing.T) {
	l := serverLCP()
	openedLCP(t, l)
	var out Out
	now := start
	for range 10 {
		now = now.Add(9 * time.Second)
		l.Alive(now)
		l.Advance(now, &out)
	}
	if len(out.Frames) != 0 {
		t.Errorf("%d echoes in spite of traffic", len(out.Frames))
	}
	tick(t, l, &out)
	tick(t, l, &out)
	l.Alive(l.Deadline().Add(-time.Second))
	for range 3 {
		tick(t, l, &out)
	}
	if l.State() != Opened {
		t.Error("traffic did not clear the count")
	}
}

// TestOtherPacketsKeepTheEchoGoing: a packet in Opened that leads nowhere must
// not stop the keep-alive.
func TestOtherPacketsKeepTheEchoGoing(t *testing.T) {
	for code := ppp.Code(0); code < 20; code++ {
		l := serverLCP()
		openedLCP(t, l, 5, 6, 9, 9, 9, 9)
		var out Out
		l.Receive(packet(code, 1, 99, 4, 0, 4), start.Add(time.Second), &out)
		if l.State() == Opened && l.Deadline().Sub(start) != 11*time.Second {
			t.Errorf("%v: deadline %v", code, l.Deadline())
		}
	}
}

func TestNoEchoWithoutAnInterval(t *testing.T) {
	l := NewLCP(LCPConfig{Magic: 1})
	openedLCP(t, l)
	if !l.Deadline().IsZero() {
		t.Error("a timer runs")
	}
}

func TestNudgeRepeatsAnUnansweredRequest(t *testing.T) {
	for name, d := range map[string]driver{"LCP": serverLCP(), "IPCP": serverIPCP()} {
		t.Run(name, func(t *testing.T) {
			opening(t, d)
			var out Out
			d.Nudge(start, &out)
			if len(out.Frames) != 0 {
				t.Fatal("repeated in the same moment")
			}
			if got := d.Deadline().Sub(start); got != listeningWait {
				t.Errorf("next repeat after %v", got)
			}
		})
		t.Run(name+" later", func(t *testing.T) {
			d := map[string]driver{"LCP": serverLCP(), "IPCP": serverIPCP()}[name]
			request := opening(t, d)
			var out Out
			now := start.Add(100 * time.Millisecond)
			d.Nudge(now, &out)
			if got := last(t, &out); got.Code != ppp.ConfigureRequest || got.Identifier != request.Identifier || !bytes.Equal(got.Data, request.Data) {
				t.Errorf("%v", got)
			}
			d.Nudge(now.Add(time.Second), &out)
			if len(out.Frames) != 1 {
				t.Error("a second nudge had an effect")
			}
		})
	}
}

// TestFirstRequestOfThePeerNudges: the repeat stands in front of the Ack.
func TestFirstRequestOfThePeerNudges(t *testing.T) {
	l := serverLCP()
	opening(t, l)
	var out Out
	l.Receive(packet(ppp.ConfigureRequest, 1), start.Add(100*time.Millisecond), &out)
	if len(out.Frames) != 2 || ppp.Code(out.Frames[0].Packet[0]) != ppp.ConfigureRequest || ppp.Code(out.Frames[1].Packet[0]) != ppp.ConfigureAck {
		t.Errorf("sent:\n%s", dialogue(out.Frames))
	}
}

func TestNudgeAfterTheAnswerDoesNothing(t *testing.T) {
	l := serverLCP()
	request := opening(t, l)
	var out Out
	now := start.Add(100 * time.Millisecond)
	l.Receive(packet(ppp.ConfigureAck, request.Identifier, request.Data...), now, &out)
	l.Nudge(now, &out)
	if len(out.Frames) != 0 {
		t.Errorf("sent:\n%s", dialogue(out.Frames))
	}
}

// TestRenegotiation: a Configure-Request in Opened takes the layer down and up
// again (RFC 1661 section 4.1, RCR+ in Opened).
func TestRenegotiation(t *testing.T) {
	server, client := serverLCP(), clientLCP()
	l := newLink(server, client)
	l.up()
	l.run(time.Second)
	l.mustOpen(t)
	l.do(1, func(e *end, out *Out) { e.Down(l.now, out) })
	l.do(1, func(e *end, out *Out) { e.Up(l.now, out) })
	l.run(4 * time.Second)
	l.mustOpen(t)
	want := []Change{LayerStarted, LayerUp, LayerDown, LayerUp}
	for i, e := range l.ends {
		if !slices.Equal(e.all.Changes, want) {
			t.Errorf("end %d: %v", i, e.all.Changes)
		}
	}
	if server.Result().Framing != (ppp.Framing{PFC: true, ACFC: true}) {
		t.Errorf("%+v", server.Result())
	}
}

// TestRepeatedRequestAfterOpen: our Ack was lost, the peer repeats itself. That
// is no renegotiation, until the window is over.
func TestRepeatedRequestAfterOpen(t *testing.T) {
	l := serverLCP()
	openedLCP(t, l, 5, 6, 9, 9, 9, 9)
	repeat := packet(ppp.ConfigureRequest, 200, 5, 6, 9, 9, 9, 9)
	var out Out
	l.Receive(repeat, start.Add(3*time.Second), &out)
	if l.State() != Opened || len(out.Changes) != 0 || len(out.Frames) != 1 || last(t, &out).Code != ppp.ConfigureAck {
		t.Fatalf("%v %v\n%s", l.State(), out.Changes, dialogue(out.Frames))
	}
	for name, request := range map[string][]byte{
		"other identifier": packet(ppp.ConfigureRequest, 201, 5, 6, 9, 9, 9, 9),
		"other content":    packet(ppp.ConfigureRequest, 200, 5, 6, 9, 9, 9, 8),
	} {
		l := serverLCP()
		openedLCP(t, l, 5, 6, 9, 9, 9, 9)
		var out Out
		l.Receive(request, start.Add(time.Second), &out)
		if l.State() != AckSent || !slices.Equal(out.Changes, []Change{LayerDown}) {
			t.Errorf("%s: %v %v", name, l.State(), out.Changes)
		}
	}
	l.Receive(repeat, start.Add(repeatWindow), &out)
	if l.State() != AckSent {
		t.Errorf("after the window: %v", l.State())
	}
}
