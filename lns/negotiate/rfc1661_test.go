package negotiate

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"lnsgate/lns/ppp"
)

// opening brings a machine to Req-Sent and returns its request.
func opening(t *testing.T, d driver) ppp.Packet {
	t.Helper()
	var out Out
	d.Open(start, &out)
	d.Up(start, &out)
	if d.State() != ReqSent {
		t.Fatalf("state %v, want Req-Sent", d.State())
	}
	return last(t, &out)
}

// openedLCP brings an LCP to Opened; the peer's request holds the options given.
func openedLCP(t *testing.T, l *LCP, peerOptions ...byte) {
	t.Helper()
	request := opening(t, l)
	var out Out
	l.Receive(packet(ppp.ConfigureAck, request.Identifier, request.Data...), start, &out)
	l.Receive(packet(ppp.ConfigureRequest, 200, peerOptions...), start, &out)
	if l.State() != Opened {
		t.Fatalf("state %v, want Opened; sent:\n%s", l.State(), dialogue(out.Frames))
	}
}

// tick advances the machine to its next deadline.
func tick(t *testing.T, d driver, out *Out) time.Time {
	t.Helper()
	at := d.Deadline()
	if at.IsZero() {
		t.Fatalf("no deadline in %v", d.State())
	}
	before := len(out.Frames) + len(out.Changes)
	d.Advance(at.Add(-1), out)
	if len(out.Frames)+len(out.Changes) != before {
		t.Fatal("something happened before the deadline")
	}
	d.Advance(at, out)
	return at
}

func TestRFC1661Section4_6_RestartSchedule(t *testing.T) {
	for name, d := range map[string]driver{"LCP": serverLCP(), "IPCP": serverIPCP()} {
		t.Run(name, func(t *testing.T) {
			opening(t, d)
			var out Out
			at := start
			want := []time.Duration{250, 500, 1000, 3000, 3000, 3000, 3000, 3000, 3000, 3000}
			for i, ms := range want {
				next := tick(t, d, &out)
				if got := next.Sub(at); got != ms*time.Millisecond {
					t.Errorf("wait %d: %v, want %v", i, got, ms*time.Millisecond)
				}
				at = next
			}
			if len(out.Frames) != defaultMaxConfigure-1 {
				t.Errorf("%d repeats, want %d", len(out.Frames), defaultMaxConfigure-1)
			}
			if d.State() != Stopped || d.Reason() != NoAnswer || !slices.Equal(out.Changes, []Change{LayerFinished}) {
				t.Errorf("%v, %v, %v", d.State(), d.Reason(), out.Changes)
			}
			if !d.Deadline().IsZero() {
				t.Error("a timer runs in Stopped")
			}
		})
	}
}

// TestRFC1661Section4_6_RestartWhenHeard: the quick repeats are over once the
// peer has shown that it listens.
func TestRFC1661Section4_6_RestartWhenHeard(t *testing.T) {
	l := serverLCP()
	opening(t, l)
	var out Out
	now := start.Add(time.Millisecond)
	l.Receive(packet(ppp.ConfigureRequest, 1, 5, 6, 1, 2, 3, 4), now, &out)
	if got := l.Deadline().Sub(now); got != listeningWait {
		t.Errorf("wait %v, want %v", got, listeningWait)
	}
	if l.State() != AckSent {
		t.Errorf("state %v", l.State())
	}
}

func TestRFC1661Section4_6_MaxTerminate(t *testing.T) {
	l := serverLCP()
	openedLCP(t, l)
	var out Out
	l.CloseWith("good night", start, &out)
	if l.State() != Closing || l.Reason() != ClosedByUs || !slices.Equal(out.Changes, []Change{LayerDown}) {
		t.Fatalf("%v %v %v", l.State(), l.Reason(), out.Changes)
	}
	first := last(t, &out)
	if first.Code != ppp.TerminateRequest || string(first.Data) != "good night" {
		t.Errorf("sent %v %q", first.Code, first.Data)
	}
	tick(t, l, &out)
	if again := last(t, &out); again.Identifier != first.Identifier || !bytes.Equal(again.Data, first.Data) {
		t.Errorf("the repeat differs: %v", again)
	}
	tick(t, l, &out)
	if l.State() != Closed || len(out.Frames) != 2 || !slices.Equal(out.Changes, []Change{LayerDown, LayerFinished}) {
		t.Errorf("%v after %d Terminate-Requests, %v", l.State(), len(out.Frames), out.Changes)
	}
}

func TestRFC1661Section4_6_MaxFailureTurnsNaksIntoRejects(t *testing.T) {
	l := serverLCP()
	opening(t, l)
	small := []byte{1, 4, 0, 64}
	for i := range uint8(defaultMaxFailure + 1) {
		var out Out
		l.Receive(packet(ppp.ConfigureRequest, i, small...), start, &out)
		want := ppp.ConfigureNak
		if i == defaultMaxFailure {
			want = ppp.ConfigureReject
		}
		if got := last(t, &out); got.Code != want || got.Identifier != i {
			t.Fatalf("request %d: %v id %d, want %v", i, got.Code, got.Identifier, want)
		}
	}
	var out Out
	l.Receive(packet(ppp.ConfigureRequest, 90), start, &out)
	l.Receive(packet(ppp.ConfigureRequest, 91, small...), start, &out)
	if got := last(t, &out); got.Code != ppp.ConfigureNak {
		t.Errorf("after an Ack: %v, want Nak again", got.Code)
	}
}

// TestRFC1661Section4_6_RepeatsAreNoFailures: a request that is repeated because
// our Nak was lost does not count.
func TestRFC1661Section4_6_RepeatsAreNoFailures(t *testing.T) {
	i := serverIPCP()
	opening(t, i)
	for range 2 * defaultMaxFailure {
		if got := ask(t, i, 1, address(129, "0.0.0.0")...); got.Code != ppp.ConfigureNak {
			t.Fatalf("%v", got.Code)
		}
	}
}

func TestRFC1661Section5_MalformedPacketsAreDropped(t *testing.T) {
	whole := packet(ppp.ConfigureRequest, 7, 1, 4, 5, 0xdc, 5, 6, 1, 2, 3, 4)
	for n := range len(whole) {
		l := serverLCP()
		opening(t, l)
		var out Out
		l.Receive(whole[:n], start, &out)
		if len(out.Frames)+len(out.Changes) != 0 || l.State() != ReqSent {
			t.Errorf("cut at %d: state %v, %d frames", n, l.State(), len(out.Frames))
		}
	}
	for name, data := range map[string][]byte{
		"option length 0":            {1, 0},
		"option length 1":            {1, 1, 5, 6},
		"option past the end":        {1, 4, 5},
		"lone octet":                 {5, 6, 1, 2, 3, 4, 1},
		"second option past the end": {5, 6, 1, 2, 3, 4, 1, 9, 0},
	} {
		l := serverLCP()
		request := opening(t, l)
		var out Out
		l.Receive(packet(ppp.ConfigureRequest, 7, data...), start, &out)
		l.Receive(packet(ppp.ConfigureNak, request.Identifier, data...), start, &out)
		l.Receive(packet(ppp.ConfigureReject, request.Identifier, data...), start, &out)
		if len(out.Frames)+len(out.Changes) != 0 || l.State() != ReqSent {
			t.Errorf("%s: answered", name)
		}
	}
}

func TestRFC1661Section5_PaddingIsIgnored(t *testing.T) {
	l := serverLCP()
	opening(t, l)
	var out Out
	l.Receive(append(packet(ppp.ConfigureRequest, 7, 5, 6, 1, 2, 3, 4), 0, 0, 0, 0), start, &out)
	if got := last(t, &out); got.Code != ppp.ConfigureAck || len(got.Data) != 6 {
		t.Errorf("%v % x", got.Code, got.Data)
	}
}

func TestRFC1661Section5_1_Identifiers(t *testing.T) {
	l := serverLCP()
	first := opening(t, l)
	var out Out
	tick(t, l, &out)
	if again := last(t, &out); again.Identifier != first.Identifier || !bytes.Equal(again.Data, first.Data) {
		t.Errorf("a repeat changed: %v, first %v", again, first)
	}
	l.Receive(packet(ppp.ConfigureReject, first.Identifier, 1, 4, 5, 0xb4), start, &out)
	second := last(t, &out)
	if second.Code != ppp.ConfigureRequest || second.Identifier == first.Identifier {
		t.Errorf("changed options under the old identifier: %v", second)
	}
	l.Receive(packet(ppp.ConfigureAck, second.Identifier, second.Data...), start, &out)
	tick(t, l, &out)
	if third := last(t, &out); third.Code != ppp.ConfigureRequest || third.Identifier == second.Identifier {
		t.Errorf("after a valid reply the identifier must change: %v", third)
	}
}

func TestRFC1661Section5_2_AckMustMatch(t *testing.T) {
	l := serverLCP()
	request := opening(t, l)
	var out Out
	l.Receive(packet(ppp.ConfigureAck, request.Identifier+1, request.Data...), start, &out)
	l.Receive(packet(ppp.ConfigureAck, request.Identifier, request.Data[:len(request.Data)-6]...), start, &out)
	changed := bytes.Clone(request.Data)
	changed[2] ^= 1
	l.Receive(packet(ppp.ConfigureAck, request.Identifier, changed...), start, &out)
	if l.State() != ReqSent || len(out.Frames) != 0 {
		t.Fatalf("a wrong Ack was taken: %v", l.State())
	}
	l.Receive(packet(ppp.ConfigureAck, request.Identifier, request.Data...), start, &out)
	if l.State() != AckRcvd {
		t.Fatalf("the right one was not: %v", l.State())
	}
	l.Receive(packet(ppp.ConfigureAck, request.Identifier, request.Data...), start, &out)
	l.Receive(packet(ppp.ConfigureReject, request.Identifier, 1, 4, 5, 0xb4), start, &out)
	if l.State() != AckRcvd || len(out.Frames) != 0 {
		t.Errorf("a second answer to the same request had an effect: %v", l.State())
	}
}

func TestRFC1661Section5_3_NakChangesTheRequest(t *testing.T) {
	l := NewLCP(LCPConfig{MRU: 1460, Magic: 5, RequestPFC: true})
	request := opening(t, l)
	var out Out
	// A lower MRU, and an option that was not asked for.
	l.Receive(packet(ppp.ConfigureNak, request.Identifier, 1, 4, 5, 0x14, 17, 4, 5, 0xdc), start, &out)
	second := last(t, &out)
	want := ppp.Option{Type: ppp.LCPPFC}.Append(ppp.AppendMagic(ppp.AppendMRU(nil, 1300), 5))
	if !bytes.Equal(second.Data, want) {
		t.Errorf("request % x, want % x", second.Data, want)
	}
	// An MRU that is no use is not taken.
	l.Receive(packet(ppp.ConfigureNak, second.Identifier, 1, 4, 0, 10), start, &out)
	if third := last(t, &out); !bytes.Equal(third.Data, want) {
		t.Errorf("request % x, want % x", third.Data, want)
	}
}

func TestRFC1661Section5_4_RejectMustBePartOfTheRequest(t *testing.T) {
	l := NewLCP(LCPConfig{MRU: 1460, Magic: 5, RequestPFC: true, RequestACFC: true})
	request := opening(t, l)
	var out Out
	for _, data := range [][]byte{
		{17, 4, 5, 0xdc},         // never asked for
		{1, 4, 5, 0xdc},          // asked for with another value
		{7, 2, 5, 6, 0, 0, 0, 6}, // one right, one wrong
	} {
		l.Receive(packet(ppp.ConfigureReject, request.Identifier, data...), start, &out)
		if l.State() != ReqSent || len(out.Frames) != 0 {
			t.Fatalf("% x was taken", data)
		}
	}
	l.Receive(packet(ppp.ConfigureReject, request.Identifier, request.Data...), start, &out)
	second := last(t, &out)
	if second.Code != ppp.ConfigureRequest || len(second.Data) != 0 {
		t.Fatalf("%v % x, want an empty request", second.Code, second.Data)
	}
	l.Receive(packet(ppp.ConfigureAck, second.Identifier), start, &out)
	l.Receive(packet(ppp.ConfigureRequest, 3), start, &out)
	if l.State() != Opened || l.Result().LocalMRU != ppp.DefaultMRU {
		t.Errorf("%v %+v", l.State(), l.Result())
	}
}

func TestRFC1661Section5_5_TerminateRequestIsAcknowledged(t *testing.T) {
	l := serverLCP()
	openedLCP(t, l)
	var out Out
	l.Receive(packet(ppp.TerminateRequest, 77, []byte("User request")...), start, &out)
	if got := last(t, &out); got.Code != ppp.TerminateAck || got.Identifier != 77 {
		t.Errorf("answer %v id %d", got.Code, got.Identifier)
	}
	if l.State() != Stopping || l.Reason() != PeerTerminated || l.PeerText() != "User request" {
		t.Errorf("%v %v %q", l.State(), l.Reason(), l.PeerText())
	}
	l.Receive(packet(ppp.TerminateRequest, 78, []byte("User request")...), start, &out)
	if got := last(t, &out); got.Code != ppp.TerminateAck || got.Identifier != 78 {
		t.Errorf("the repeat is answered with %v id %d", got.Code, got.Identifier)
	}
	if at := tick(t, l, &out); at.Sub(start) != 3*time.Second {
		t.Errorf("waited %v for the peer", at.Sub(start))
	}
	if l.State() != Stopped || l.Reason() != PeerTerminated || !slices.Equal(out.Changes, []Change{LayerDown, LayerFinished}) {
		t.Errorf("%v %v %v", l.State(), l.Reason(), out.Changes)
	}
}

func TestRFC1661Section5_5_LongTerminateTextIsCut(t *testing.T) {
	l := serverLCP()
	openedLCP(t, l)
	var out Out
	l.Receive(packet(ppp.TerminateRequest, 77, make([]byte, 1000)...), start, &out)
	if n := len(l.PeerText()); n != maxText {
		t.Errorf("%d octets kept", n)
	}
}

func TestRFC1661Section5_5_TerminatedWhileNegotiating(t *testing.T) {
	l := serverLCP()
	opening(t, l)
	var out Out
	l.Receive(packet(ppp.TerminateRequest, 1), start, &out)
	if l.State() != ReqSent {
		t.Fatalf("state %v", l.State())
	}
	for l.State() != Stopped {
		tick(t, l, &out)
	}
	if l.Reason() != PeerTerminated {
		t.Errorf("reason %v", l.Reason())
	}
}

func TestRFC1661Section5_6_UnknownCodeIsRejected(t *testing.T) {
	l := serverLCP()
	openedLCP(t, l, 1, 4, 0, 200) // MRU 200
	unknown := packet(99, 5, make([]byte, 400)...)
	var out Out
	l.Receive(unknown, start, &out)
	got := last(t, &out)
	if got.Code != ppp.CodeReject || len(got.Data)+ppp.HeaderSize != 200 || !bytes.Equal(got.Data, unknown[:196]) {
		t.Errorf("%v with %d octets", got.Code, len(got.Data))
	}
	l.Receive(unknown, start, &out)
	if again := last(t, &out); again.Identifier == got.Identifier {
		t.Error("two Code-Rejects with one identifier")
	}
	if l.State() != Opened {
		t.Errorf("state %v", l.State())
	}
}

func TestRFC1661Section5_6_CodeRejectReceived(t *testing.T) {
	for code := ppp.Code(0); code < 20; code++ {
		l := serverLCP()
		openedLCP(t, l)
		var out Out
		l.Receive(packet(ppp.CodeReject, 1, byte(code), 1, 0, 4), start, &out)
		fatal := code >= 1 && code <= 8
		if fatal != (l.State() == Stopping) || fatal != (l.Reason() == MandatoryRejected) {
			t.Errorf("Code-Reject of %v: %v %v", code, l.State(), l.Reason())
		}
		if !fatal && l.State() != Opened {
			t.Errorf("Code-Reject of %v: %v", code, l.State())
		}
	}
	l := serverLCP()
	openedLCP(t, l)
	var out Out
	l.Receive(packet(ppp.CodeReject, 1), start, &out)
	if l.State() != Opened {
		t.Error("an empty Code-Reject had an effect")
	}
}

func TestRFC1661Section5_6_PeerWithoutEchoIsLeftAlone(t *testing.T) {
	l := serverLCP()
	openedLCP(t, l)
	var out Out
	tick(t, l, &out)
	l.Receive(packet(ppp.CodeReject, 1, out.Frames[0].Packet...), start, &out)
	if !l.Deadline().IsZero() || l.State() != Opened {
		t.Errorf("%v, next at %v", l.State(), l.Deadline())
	}
	l.Alive(start)
	if !l.Deadline().IsZero() {
		t.Error("traffic starts the echoes again")
	}
}

func TestRFC1661Section5_7_ProtocolRejectSentInOpenedOnly(t *testing.T) {
	l := serverLCP()
	opening(t, l)
	var out Out
	l.RejectProtocol(ppp.CCP, packet(ppp.ConfigureRequest, 1), start, &out)
	if len(out.Frames) != 0 {
		t.Error("sent before Opened")
	}
	l = serverLCP()
	openedLCP(t, l)
	rejected := packet(ppp.ConfigureRequest, 1, 18, 6, 1, 0, 0, 0x60)
	l.RejectProtocol(ppp.CCP, rejected, start, &out)
	got := last(t, &out)
	if got.Code != ppp.ProtocolReject || !bytes.Equal(got.Data, append([]byte{0x80, 0xfd}, rejected...)) {
		t.Errorf("%v % x", got.Code, got.Data)
	}
}

func TestRFC1661Section5_7_ProtocolRejectReceived(t *testing.T) {
	l := serverLCP()
	opening(t, l)
	var out Out
	l.Receive(packet(ppp.ProtocolReject, 1, 0x80, 0x21), start, &out)
	if len(out.PeerRejected) != 0 {
		t.Error("taken before Opened")
	}
	l = serverLCP()
	openedLCP(t, l)
	l.Receive(packet(ppp.ProtocolReject, 1, 0x80), start, &out)
	l.Receive(packet(ppp.ProtocolReject, 1, 0x80, 0x57, 1, 1, 0, 4), start, &out)
	if !slices.Equal(out.PeerRejected, []ppp.Protocol{ppp.IPv6CP}) || l.State() != Opened {
		t.Errorf("%v %v", out.PeerRejected, l.State())
	}
	l.Receive(packet(ppp.ProtocolReject, 1, 0xc0, 0x21), start, &out)
	if l.State() != Stopping || l.Reason() != MandatoryRejected {
		t.Errorf("without LCP: %v %v", l.State(), l.Reason())
	}
}

func TestRFC1661Section5_8_EchoIsAnswered(t *testing.T) {
	l := serverLCP()
	openedLCP(t, l, 5, 6, 9, 9, 9, 9)
	var out Out
	l.Receive(packet(ppp.EchoRequest, 44, 9, 9, 9, 9, 'h', 'i'), start, &out)
	got := last(t, &out)
	if got.Code != ppp.EchoReply || got.Identifier != 44 || !bytes.Equal(got.Data, []byte{0x11, 0x11, 0x11, 0x11, 'h', 'i'}) {
		t.Errorf("%v id %d % x", got.Code, got.Identifier, got.Data)
	}
	n := len(out.Frames)
	l.Receive(packet(ppp.EchoRequest, 45, 9, 9, 9), start, &out)       // no room for a magic number
	l.Receive(packet(ppp.EchoReply, 46, 9, 9, 9, 9), start, &out)      // never asked for
	l.Receive(packet(ppp.DiscardRequest, 47, 9, 9, 9, 9), start, &out) // section 5.9
	if len(out.Frames) != n || l.State() != Opened {
		t.Errorf("%d answers too many", len(out.Frames)-n)
	}
}

func TestRFC1661Section5_8_EchoBeforeOpenedIsDropped(t *testing.T) {
	l := serverLCP()
	opening(t, l)
	var out Out
	l.Receive(packet(ppp.EchoRequest, 44, 9, 9, 9, 9), start, &out)
	if len(out.Frames) != 0 {
		t.Errorf("answered:\n%s", dialogue(out.Frames))
	}
}

func TestRFC1661Section4_OpenedIsLeftByDown(t *testing.T) {
	l := serverLCP()
	openedLCP(t, l, 1, 4, 4, 0, 7, 2)
	var out Out
	l.Down(start, &out)
	if l.State() != Starting || !slices.Equal(out.Changes, []Change{LayerDown}) || !l.Deadline().IsZero() {
		t.Errorf("%v %v", l.State(), out.Changes)
	}
	if r := l.Result(); r.Framing.PFC || r.PeerMRU != 1460 || r.PeerMagic != 0 {
		t.Errorf("what was agreed outlives the link: %+v", r)
	}
	l.Up(start, &out)
	if l.State() != ReqSent || last(t, &out).Code != ppp.ConfigureRequest {
		t.Errorf("%v", l.State())
	}
}

// TestPacketsOutsideTheirTime: nothing is answered while the link is down.
func TestPacketsOutsideTheirTime(t *testing.T) {
	for _, open := range []bool{false, true} {
		l := serverLCP()
		var out Out
		if open {
			l.Open(start, &out)
		}
		for code := ppp.Code(0); code < 20; code++ {
			l.Receive(packet(code, 1, 5, 6, 1, 2, 3, 4), start, &out)
		}
		l.Identify("x", &out)
		l.RejectProtocol(ppp.CCP, nil, start, &out)
		l.Nudge(start, &out)
		l.Advance(start.AddDate(1, 0, 0), &out)
		if len(out.Frames) != 0 {
			t.Errorf("answered while down:\n%s", dialogue(out.Frames))
		}
	}
}

// TestClosedAnswersWithTerminateAck: RFC 1661 section 4.2, Closed.
func TestRFC1661Section4_2_ClosedAnswersWithTerminateAck(t *testing.T) {
	l := serverLCP()
	var out Out
	l.Up(start, &out)
	for _, code := range []ppp.Code{ppp.ConfigureRequest, ppp.ConfigureAck, ppp.ConfigureNak, ppp.ConfigureReject, ppp.TerminateRequest} {
		l.Receive(packet(code, byte(code)), start, &out)
		if got := last(t, &out); got.Code != ppp.TerminateAck || got.Identifier != uint8(code) {
			t.Errorf("%v is answered with %v id %d", code, got.Code, got.Identifier)
		}
	}
	n := len(out.Frames)
	l.Receive(packet(ppp.TerminateAck, 1), start, &out)
	if len(out.Frames) != n || l.State() != Closed {
		t.Error("a Terminate-Ack was answered")
	}
}
