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
	l.Close(start, &out)
	if l.State() != Closing || l.Reason() != ClosedByUs || !slices.Equal(out.Changes, []Change{LayerDown}) {
		t.Fatalf("%v %v %v", l.State(), l.Reason(), out.Changes)
	}
	first := last(t, &out)
	if first.Code != ppp.TerminateRequest || len(first.Data) != 0 {
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
