package negotiate

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"lnsgate/lns/ppp"
)

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
