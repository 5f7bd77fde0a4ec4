package negotiate

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
	"time"

	"lnsgate/lns/ppp"
)

// The numbers are those of the list of quirks of real clients.

func TestQ17_RequestOfPPPDWithoutMRU(t *testing.T) {
	l := NewLCP(LCPConfig{MRU: 1500, Magic: 1})
	request := opening(t, l)
	asked := join([]byte{2, 6, 0, 0, 0, 0}, []byte{5, 6, 9, 8, 7, 6}, []byte{7, 2}, []byte{8, 2})
	if got := ask(t, l, 1, asked...); got.Code != ppp.ConfigureAck || !bytes.Equal(got.Data, asked) {
		t.Fatalf("%v % x", got.Code, got.Data)
	}
	var out Out
	l.Receive(packet(ppp.ConfigureAck, request.Identifier, request.Data...), start, &out)
	want := LCPResult{LocalMRU: 1500, PeerMRU: 1500, Framing: ppp.Framing{PFC: true, ACFC: true}, PeerMagic: 0x09080706}
	if l.State() != Opened || l.Result() != want {
		t.Errorf("%v %+v", l.State(), l.Result())
	}
}

func TestQ17_OwnMRUIsAskedFor(t *testing.T) {
	request := opening(t, serverLCP())
	if !ppp.Options(request.Data).Contains(ppp.Option{Type: ppp.LCPMRU, Value: []byte{5, 0xb4}}) {
		t.Errorf("% x", request.Data)
	}
}

func TestQ18_EmptyRequestIsAcknowledged(t *testing.T) {
	l := serverLCP()
	request := opening(t, l)
	if got := ask(t, l, 1, 17, 4, 6, 0x40); got.Code != ppp.ConfigureReject {
		t.Fatalf("%v", got.Code)
	}
	if got := ask(t, l, 2); got.Code != ppp.ConfigureAck || len(got.Data) != 0 {
		t.Fatalf("%v % x", got.Code, got.Data)
	}
	var out Out
	l.Receive(packet(ppp.ConfigureAck, request.Identifier, request.Data...), start, &out)
	if l.State() != Opened {
		t.Errorf("state %v", l.State())
	}
}

func TestQ19_ProtocolRejectOfACSCP(t *testing.T) {
	l := serverLCP()
	openedLCP(t, l, 1, 4, 0, 200)
	asked := packet(ppp.ConfigureRequest, 1, 1, 6, 0, 0, 0, 0, 2, 6, 0, 0, 0, 0)
	var out Out
	l.RejectProtocol(ppp.ACSCP, asked, start, &out)
	if got := last(t, &out); got.Code != ppp.ProtocolReject || !bytes.Equal(got.Data, append([]byte{0x82, 0x35}, asked...)) {
		t.Errorf("%v % x", got.Code, got.Data)
	}
	l.RejectProtocol(ppp.ACSCP, make([]byte, 3000), start, &out)
	if n := len(out.Frames[1].Packet); n != 200 {
		t.Errorf("a long one has %d octets, the peer takes 200", n)
	}
	if l.State() != Opened {
		t.Errorf("state %v", l.State())
	}
}

func TestQ20_ServerNeverAsksForDNS(t *testing.T) {
	i := NewIPCP(IPCPConfig{Local: headquarters, Assign: assigned, DNS: [2]netip.Addr{dns1, dns2}, NBNS: [2]netip.Addr{dns1, dns2}})
	if request := opening(t, i); !bytes.Equal(request.Data, address(3, "10.10.0.1")) {
		t.Errorf("% x", request.Data)
	}
}

// TestQ22_EchoIsAnsweredBeforeAuthentication: LCP is open, and nothing else is.
func TestQ22_EchoIsAnsweredBeforeAuthentication(t *testing.T) {
	l := serverLCP()
	request := opening(t, l)
	var out Out
	l.Receive(packet(ppp.ConfigureRequest, 1, 5, 6, 9, 9, 9, 9), start, &out)
	l.Receive(packet(ppp.ConfigureAck, request.Identifier, request.Data...), start, &out)
	l.Receive(packet(ppp.EchoRequest, 0, 9, 9, 9, 9), start, &out)
	if got := last(t, &out); got.Code != ppp.EchoReply || got.Identifier != 0 || !bytes.Equal(got.Data, []byte{0x11, 0x11, 0x11, 0x11}) {
		t.Errorf("%v % x", got.Code, got.Data)
	}
}

// TestQ26_Windows: it acks at once, asks two seconds later, and wants a callback.
func TestQ26_Windows(t *testing.T) {
	l := serverLCP()
	request := opening(t, l)
	var out Out
	l.Receive(packet(ppp.ConfigureAck, request.Identifier, request.Data...), start, &out)
	now := start.Add(2 * time.Second)
	l.Advance(now, &out)
	if len(out.Frames) != 0 {
		t.Fatalf("it was pressed in the meantime:\n%s", dialogue(out.Frames))
	}
	callback := []byte{13, 3, 6}
	rest := join([]byte{1, 4, 5, 0x78}, []byte{5, 6, 1, 2, 3, 4}, []byte{7, 2}, []byte{8, 2})
	l.Receive(packet(ppp.ConfigureRequest, 0, join(rest, callback)...), now, &out)
	if got := last(t, &out); got.Code != ppp.ConfigureReject || !bytes.Equal(got.Data, callback) {
		t.Fatalf("%v % x", got.Code, got.Data)
	}
	l.Receive(packet(ppp.ConfigureRequest, 1, rest...), now, &out)
	if got := last(t, &out); got.Code != ppp.ConfigureAck || !bytes.Equal(got.Data, rest) || l.State() != Opened {
		t.Errorf("%v % x in %v", got.Code, got.Data, l.State())
	}
}

func TestQ27_MultilinkOptionsAreRejectedExactly(t *testing.T) {
	l := serverLCP()
	opening(t, l)
	mrru, discriminator, callback := []byte{17, 4, 6, 0x4e}, join([]byte{19, 23, 1}, bytes.Repeat([]byte{7}, 20)), []byte{13, 3, 6}
	asked := join([]byte{1, 4, 5, 0x78}, []byte{5, 6, 1, 2, 3, 4}, []byte{7, 2}, []byte{8, 2}, callback, mrru, discriminator)
	if got := ask(t, l, 0, asked...); got.Code != ppp.ConfigureReject || !bytes.Equal(got.Data, join(callback, mrru, discriminator)) {
		t.Errorf("%v % x", got.Code, got.Data)
	}
}

func TestQ28_Identification(t *testing.T) {
	for _, open := range []bool{false, true} {
		l := serverLCP()
		if open {
			openedLCP(t, l, 5, 6, 1, 2, 3, 4)
		} else {
			opening(t, l)
		}
		var out Out
		guid := string([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255})
		want := []string{"MSRASV5.20", "MSRAS-0-HOST", guid}
		for i, text := range want {
			l.Receive(packet(ppp.Identification, uint8(i), join([]byte{1, 2, 3, 4}, []byte(text))...), start, &out)
		}
		l.Receive(packet(ppp.Identification, 9, 1, 2), start, &out)
		l.Receive(packet(ppp.TimeRemaining, 10, 1, 2, 3, 4, 0, 0, 0, 9), start, &out)
		if !slices.Equal(out.Identification, want) || len(out.Frames) != 0 {
			t.Errorf("%q, sent:\n%s", out.Identification, dialogue(out.Frames))
		}
	}
}

// TestQ29_OneCounterForAllProtocols: the peer's identifiers jump and repeat.
func TestQ29_OneCounterForAllProtocols(t *testing.T) {
	l, i := serverLCP(), serverIPCP()
	opening(t, l)
	opening(t, i)
	for _, id := range []uint8{7, 9, 9, 3, 255, 0} {
		ask(t, l, id, 13, 3, 6)
		ask(t, i, id, address(3, "0.0.0.0")...)
	}
}

// TestQ31_WindowsIPCP: first the Reject, then the Nak, then the Ack.
func TestQ31_WindowsIPCP(t *testing.T) {
	i := serverIPCP()
	request := opening(t, i)
	zero := func(n uint8) []byte { return address(n, "0.0.0.0") }
	if got := ask(t, i, 5, join(zero(3), zero(129), zero(130), zero(131), zero(132))...); got.Code != ppp.ConfigureReject || !bytes.Equal(got.Data, join(zero(130), zero(132))) {
		t.Fatalf("%v % x", got.Code, got.Data)
	}
	values := join(address(3, "10.10.1.10"), address(129, "10.1.1.53"), address(131, "10.1.2.53"))
	if got := ask(t, i, 6, join(zero(3), zero(129), zero(131))...); got.Code != ppp.ConfigureNak || !bytes.Equal(got.Data, values) {
		t.Fatalf("%v % x", got.Code, got.Data)
	}
	if got := ask(t, i, 7, values...); got.Code != ppp.ConfigureAck {
		t.Fatalf("%v % x", got.Code, got.Data)
	}
	var out Out
	i.Receive(packet(ppp.ConfigureAck, request.Identifier, request.Data...), start, &out)
	if i.State() != Opened {
		t.Errorf("state %v", i.State())
	}
}

func TestQ32_AddressIsNeverRejected(t *testing.T) {
	for _, asked := range [][]byte{address(3, "0.0.0.0"), address(3, "1.2.3.4"), {3, 2}, {3, 3, 1}, join([]byte{3, 14}, make([]byte, 12))} {
		i := serverIPCP()
		opening(t, i)
		for n := range uint8(3 * defaultMaxFailure) {
			if got := ask(t, i, n, asked...); got.Code != ppp.ConfigureNak || !bytes.Equal(got.Data, address(3, "10.10.1.10")) {
				t.Fatalf("% x, request %d: %v % x", asked, n, got.Code, got.Data)
			}
		}
	}
}

// TestQ46_TerminateAckOfIPCPIsNotGivenForNothing: a request that comes while
// other protocols are unfinished is answered on its merits.
func TestQ46_IPCPAnswersOnItsOwn(t *testing.T) {
	i := serverIPCP()
	opening(t, i)
	if got := ask(t, i, 1, address(3, "0.0.0.0")...); got.Code != ppp.ConfigureNak {
		t.Errorf("%v", got.Code)
	}
}

func TestQ47_RouterOS(t *testing.T) {
	l := serverLCP()
	openedLCP(t, l, 1, 4, 5, 0xaa)
	if got := ask(t, serverInReqSent(t), 1, 1, 4, 5, 0xaa, 17, 4, 6, 0x40); got.Code != ppp.ConfigureReject || !bytes.Equal(got.Data, []byte{17, 4, 6, 0x40}) {
		t.Errorf("%v % x", got.Code, got.Data)
	}
	var out Out
	l.RejectProtocol(ppp.BCP, packet(ppp.ConfigureRequest, 1, 1, 4, 0, 0), start, &out)
	if got := last(t, &out); got.Code != ppp.ProtocolReject || got.Data[0] != 0x80 || got.Data[1] != 0x31 || l.State() != Opened {
		t.Errorf("%v % x", got.Code, got.Data)
	}
}

func serverInReqSent(t *testing.T) *LCP {
	t.Helper()
	l := serverLCP()
	opening(t, l)
	return l
}

// TestQ48_PeerThatOnlyAcks is bounded in time.
func TestQ48_PeerThatOnlyAcks(t *testing.T) {
	l := serverLCP()
	request := opening(t, l)
	var out Out
	now := start
	for !l.Deadline().IsZero() && now.Sub(start) < time.Hour {
		l.Receive(packet(ppp.ConfigureAck, request.Identifier, request.Data...), now, &out)
		now = tick(t, l, &out)
		request = last(t, &out)
	}
	if d := now.Sub(start); d > 90*time.Second || l.Reason() != NotConverging {
		t.Errorf("%v after %v: %v", l.State(), d, l.Reason())
	}
}

func TestQ60_EchoReplyIsCutToThePeersMRU(t *testing.T) {
	l := serverLCP()
	openedLCP(t, l, 1, 4, 0, 128, 5, 6, 9, 9, 9, 9)
	var out Out
	l.Receive(packet(ppp.EchoRequest, 3, join([]byte{9, 9, 9, 9}, bytes.Repeat([]byte{0xaa}, 1000))...), start, &out)
	if n := len(out.Frames[0].Packet); n != 128 {
		t.Errorf("%d octets, the peer takes 128", n)
	}
	if got := last(t, &out); got.Code != ppp.EchoReply || got.Identifier != 3 || got.Data[4] != 0xaa {
		t.Errorf("%v % x", got.Code, got.Data)
	}
}
