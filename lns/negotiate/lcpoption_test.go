package negotiate

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"lnsgate/lns/ppp"
)

// ask hands the machine a Configure-Request and returns its answer.
func ask(t *testing.T, d driver, id uint8, options ...byte) ppp.Packet {
	t.Helper()
	var out Out
	d.Receive(packet(ppp.ConfigureRequest, id, options...), start, &out)
	got := last(t, &out)
	if got.Identifier != id {
		t.Fatalf("answer has identifier %d, want %d", got.Identifier, id)
	}
	return got
}

func TestRFC1661Section6_LCPAnswers(t *testing.T) {
	good := []byte{5, 6, 2, 2, 2, 2}
	for _, c := range []struct {
		name  string
		asked []byte
		code  ppp.Code
		data  []byte // nil: what was asked
	}{
		{"6.1 MRU 1500", []byte{1, 4, 5, 0xdc}, ppp.ConfigureAck, nil},
		{"6.1 MRU above ours", []byte{1, 4, 0xff, 0xff}, ppp.ConfigureAck, nil},
		{"6.1 smallest MRU", []byte{1, 4, 0, 128}, ppp.ConfigureAck, nil},
		{"6.1 MRU too small", []byte{1, 4, 0, 127}, ppp.ConfigureNak, []byte{1, 4, 5, 0xb4}},
		{"6.1 MRU of the wrong size", []byte{1, 3, 5}, ppp.ConfigureReject, nil},
		{"ACCM", []byte{2, 6, 0, 0, 0, 0}, ppp.ConfigureAck, nil},
		{"ACCM with bits", []byte{2, 6, 0, 10, 0, 0}, ppp.ConfigureAck, nil},
		{"ACCM of the wrong size", []byte{2, 4, 0, 0}, ppp.ConfigureReject, nil},
		{"6.2 the peer wants us to authenticate", []byte{3, 4, 0xc0, 0x23}, ppp.ConfigureReject, nil},
		{"6.3 quality", []byte{4, 8, 0xc0, 0x25, 0, 0, 0, 1}, ppp.ConfigureReject, nil},
		{"6.4 magic", good, ppp.ConfigureAck, nil},
		{"6.4 magic of the wrong size", []byte{5, 4, 1, 2}, ppp.ConfigureReject, nil},
		{"6.5 PFC", []byte{7, 2}, ppp.ConfigureAck, nil},
		{"6.5 PFC of the wrong size", []byte{7, 3, 0}, ppp.ConfigureReject, nil},
		{"6.6 ACFC", []byte{8, 2}, ppp.ConfigureAck, nil},
		{"FCS alternatives", []byte{9, 3, 1}, ppp.ConfigureReject, nil},
		{"callback", []byte{13, 3, 6}, ppp.ConfigureReject, nil},
		{"MRRU", []byte{17, 4, 6, 0x40}, ppp.ConfigureReject, nil},
		{"short sequence numbers", []byte{18, 2}, ppp.ConfigureReject, nil},
		{"endpoint discriminator", []byte{19, 9, 3, 1, 2, 3, 4, 5, 6}, ppp.ConfigureReject, nil},
		{"unknown", []byte{200, 2}, ppp.ConfigureReject, nil},
		{"vendor", []byte{0, 7, 1, 2, 3, 4, 5}, ppp.ConfigureReject, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := serverLCP()
			opening(t, l)
			want := c.data
			if want == nil {
				want = c.asked
			}
			if got := ask(t, l, 9, c.asked...); got.Code != c.code || !bytes.Equal(got.Data, want) {
				t.Errorf("%v % x, want %v % x", got.Code, got.Data, c.code, want)
			}
			// Beside a good option the answer holds the other one alone, except in
			// an Ack.
			if c.code == ppp.ConfigureAck {
				return
			}
			if got := ask(t, l, 10, append(bytes.Clone(good), c.asked...)...); got.Code != c.code || !bytes.Equal(got.Data, want) {
				t.Errorf("beside a good option: %v % x, want %v % x", got.Code, got.Data, c.code, want)
			}
		})
	}
}

// TestRFC1661Section5_4_RejectGoesBeforeNak: the Nak follows when the rejected
// options are gone.
func TestRFC1661Section5_4_RejectGoesBeforeNak(t *testing.T) {
	l := serverLCP()
	opening(t, l)
	if got := ask(t, l, 1, 1, 4, 0, 64, 18, 2); got.Code != ppp.ConfigureReject || !bytes.Equal(got.Data, []byte{18, 2}) {
		t.Errorf("%v % x", got.Code, got.Data)
	}
	if got := ask(t, l, 2, 1, 4, 0, 64); got.Code != ppp.ConfigureNak {
		t.Errorf("%v % x", got.Code, got.Data)
	}
}

func TestRFC1661Section6_5_FramingFollowsThePeer(t *testing.T) {
	for _, c := range []struct {
		options []byte
		want    ppp.Framing
	}{
		{nil, ppp.Framing{}},
		{[]byte{7, 2}, ppp.Framing{PFC: true}},
		{[]byte{8, 2}, ppp.Framing{ACFC: true}},
		{[]byte{7, 2, 8, 2}, ppp.Framing{PFC: true, ACFC: true}},
	} {
		l := serverLCP()
		openedLCP(t, l, c.options...)
		if got := l.Result().Framing; got != c.want {
			t.Errorf("% x: %+v", c.options, got)
		}
	}
}

func TestRFC1661Section6_1_MRUs(t *testing.T) {
	for _, c := range []struct {
		ours  uint16
		asked []byte
		want  uint16
	}{
		{1460, nil, 1460},
		{1500, nil, 1500},
		{1460, []byte{1, 4, 5, 0xdc}, 1460},
		{1460, []byte{1, 4, 5, 0x78}, 1400},
		{1460, []byte{1, 4, 0, 128}, 128},
		{0, []byte{1, 4, 0xff, 0xff}, 1500},
	} {
		l := NewLCP(LCPConfig{MRU: c.ours, Magic: 1})
		openedLCP(t, l, c.asked...)
		if got := l.Result().PeerMRU; got != c.want {
			t.Errorf("ours %d, asked % x: %d, want %d", c.ours, c.asked, got, c.want)
		}
	}
}

// A Nak may lower our MRU, but never lift it above the setting.
func TestRFC1661Section6_1_NakOfOurMRU(t *testing.T) {
	for _, c := range []struct{ ours, proposed, want uint16 }{
		{1460, 1400, 1400},
		{1460, 128, 128},
		{1460, 127, 1460},
		{1460, 1461, 1460},
		{1460, 1500, 1460},
		{1460, 0xffff, 1460},
		{1500, 1400, 1500}, // 1500 is the default and is not in our request
	} {
		l := NewLCP(LCPConfig{MRU: c.ours, Magic: 1})
		request := opening(t, l)
		var out Out
		l.Receive(packet(ppp.ConfigureNak, request.Identifier, ppp.AppendMRU(nil, c.proposed)...), start, &out)
		if got := l.Result().LocalMRU; got != c.want {
			t.Errorf("ours %d, proposed %d: %d, want %d", c.ours, c.proposed, got, c.want)
		}
	}
}

// authOption is the Authentication-Protocol option of a.
func authOption(a AuthProtocol) []byte { return a.appendOption(nil) }

// offered reads the authentication protocol out of a request.
func offered(t *testing.T, p ppp.Packet) AuthProtocol {
	t.Helper()
	for o := range ppp.Options(p.Data).All() {
		if o.Type == ppp.LCPAuthentication {
			return authProtocolOf(o)
		}
	}
	return AuthNone
}

func TestRFC1661Section6_2_AuthenticationIsOfferedInOrder(t *testing.T) {
	l := NewLCP(LCPConfig{Magic: 1, Authentication: []AuthProtocol{AuthMSCHAPv2, AuthCHAPMD5, AuthPAP}})
	request := opening(t, l)
	var out Out
	for _, want := range []AuthProtocol{AuthMSCHAPv2, AuthCHAPMD5, AuthPAP} {
		if got := offered(t, request); got != want {
			t.Fatalf("offered %v, want %v", got, want)
		}
		l.Receive(packet(ppp.ConfigureReject, request.Identifier, authOption(want)...), start, &out)
		request = last(t, &out)
	}
	if l.State() != Closing || l.Reason() != AuthenticationRefused || request.Code != ppp.TerminateRequest {
		t.Errorf("%v %v %v", l.State(), l.Reason(), request.Code)
	}
	l.Receive(packet(ppp.TerminateAck, request.Identifier), start, &out)
	if l.State() != Closed || l.Reason() != AuthenticationRefused || !slices.Equal(out.Changes, []Change{LayerFinished}) {
		t.Errorf("%v %v %v", l.State(), l.Reason(), out.Changes)
	}
}

func TestRFC1661Section6_2_AuthenticationFollowsThePeersChoice(t *testing.T) {
	all := []AuthProtocol{AuthEAP, AuthMSCHAPv2, AuthCHAPMD5, AuthPAP}
	for _, c := range []struct {
		wish []byte
		want AuthProtocol
	}{
		{authOption(AuthPAP), AuthPAP},
		{authOption(AuthCHAPMD5), AuthCHAPMD5},
		{authOption(AuthMSCHAPv2), AuthMSCHAPv2},
		{[]byte{3, 5, 0xc2, 0x23, 0x80}, AuthMSCHAPv2}, // MS-CHAPv1: not ours, so the next of the list
		{[]byte{3, 4, 0xc2, 0x23}, AuthMSCHAPv2},       // CHAP without an algorithm
		{[]byte{3, 4, 0xc0, 0x27}, AuthMSCHAPv2},       // SPAP
		{[]byte{3, 2}, AuthMSCHAPv2},
		{authOption(AuthEAP), AuthMSCHAPv2}, // the very thing it refuses
	} {
		l := NewLCP(LCPConfig{Magic: 1, Authentication: all})
		request := opening(t, l)
		var out Out
		l.Receive(packet(ppp.ConfigureNak, request.Identifier, c.wish...), start, &out)
		if got := offered(t, last(t, &out)); got != c.want {
			t.Errorf("wish % x: offered %v, want %v", c.wish, got, c.want)
		}
	}
}

func TestRFC1661Section6_2_ImpossibleWishesEnd(t *testing.T) {
	l := NewLCP(LCPConfig{Magic: 1, Authentication: []AuthProtocol{AuthCHAPMD5, AuthPAP}})
	request := opening(t, l)
	var out Out
	for range 2 {
		l.Receive(packet(ppp.ConfigureNak, request.Identifier, 3, 5, 0xc2, 0x23, 0x80), start, &out)
		request = last(t, &out)
	}
	if l.Reason() != AuthenticationRefused || l.State() != Closing {
		t.Errorf("%v %v", l.State(), l.Reason())
	}
	if !strings.Contains(l.Detail(), "we ask for authentication PAP, magic 00000001; the peer's answer is Configure-Nak: authentication MS-CHAPv1") {
		t.Error(l.Detail())
	}
}

func TestRFC1661Section6_2_DiallingSide(t *testing.T) {
	for _, c := range []struct {
		accept []AuthProtocol
		asked  AuthProtocol
		code   ppp.Code
		data   []byte
	}{
		{[]AuthProtocol{AuthCHAPMD5, AuthPAP}, AuthPAP, ppp.ConfigureAck, authOption(AuthPAP)},
		{[]AuthProtocol{AuthCHAPMD5, AuthPAP}, AuthMSCHAPv2, ppp.ConfigureNak, authOption(AuthCHAPMD5)},
		{[]AuthProtocol{AuthMSCHAPv2}, AuthEAP, ppp.ConfigureNak, authOption(AuthMSCHAPv2)},
		{nil, AuthPAP, ppp.ConfigureReject, authOption(AuthPAP)},
	} {
		l := NewLCP(LCPConfig{Magic: 1, AcceptAuthentication: c.accept})
		opening(t, l)
		got := ask(t, l, 1, authOption(c.asked)...)
		if got.Code != c.code || !bytes.Equal(got.Data, c.data) {
			t.Errorf("%v asked of %v: %v % x", c.asked, c.accept, got.Code, got.Data)
		}
	}
}

// TestAuthenticationMeets runs every pair of lists: what both can do is found,
// and nothing in common ends with the right reason.
func TestAuthenticationMeets(t *testing.T) {
	lists := [][]AuthProtocol{{AuthPAP}, {AuthCHAPMD5}, {AuthMSCHAPv2}, {AuthCHAPMD5, AuthPAP}, {AuthEAP, AuthMSCHAPv2, AuthCHAPMD5, AuthPAP}, {AuthPAP, AuthMSCHAPv2}}
	for _, offer := range lists {
		for _, accept := range lists {
			t.Run(fmt.Sprint(offer, accept), func(t *testing.T) {
				server := NewLCP(LCPConfig{Magic: 1, Authentication: offer})
				client := NewLCP(LCPConfig{Magic: 2, AcceptAuthentication: accept})
				l := newLink(server, client)
				l.up()
				l.run(time.Minute)
				if slices.ContainsFunc(offer, func(a AuthProtocol) bool { return slices.Contains(accept, a) }) {
					l.mustOpen(t)
					a := server.Result().Authentication
					if a != client.Result().Authentication || !slices.Contains(offer, a) || !slices.Contains(accept, a) {
						t.Errorf("server %v, client %v", a, client.Result().Authentication)
					}
					return
				}
				if server.Reason() != AuthenticationRefused || server.State() != Closed {
					t.Errorf("server: %v %v", server.State(), server.Reason())
				}
			})
		}
	}
}

func TestRFC1661Section6_4_EqualMagicIsNaked(t *testing.T) {
	l := serverLCP()
	opening(t, l)
	for _, magic := range [][]byte{{5, 6, 0x11, 0x11, 0x11, 0x11}, {5, 6, 0, 0, 0, 0}} {
		got := ask(t, l, 3, magic...)
		if got.Code != ppp.ConfigureNak || len(got.Data) != 6 || bytes.Equal(got.Data, magic) || bytes.Equal(got.Data[2:], make([]byte, 4)) {
			t.Errorf("% x: %v % x", magic, got.Code, got.Data)
		}
	}
}

func TestRFC1661Section6_4_NakedMagicChanges(t *testing.T) {
	l := serverLCP()
	request := opening(t, l)
	var out Out
	l.Receive(packet(ppp.ConfigureNak, request.Identifier, 5, 6, 1, 2, 3, 4), start, &out)
	second := last(t, &out)
	if bytes.Equal(second.Data[len(second.Data)-4:], []byte{0x11, 0x11, 0x11, 0x11}) {
		t.Error("the magic number is still the same")
	}
	l.Receive(packet(ppp.ConfigureAck, second.Identifier, second.Data...), start, &out)
	l.Receive(packet(ppp.ConfigureRequest, 1), start, &out)
	if l.State() != Opened {
		t.Errorf("state %v", l.State())
	}
}

// TestRFC1661Section6_4_LoopedBackLine returns every packet to its sender.
func TestRFC1661Section6_4_LoopedBackLine(t *testing.T) {
	l := NewLCP(LCPConfig{Magic: 1})
	var out Out
	l.Open(start, &out)
	l.Up(start, &out)
	now := start
	for sent := 0; sent < len(out.Frames); sent++ {
		if sent > 200 {
			t.Fatal("it never ends")
		}
		now = now.Add(time.Millisecond)
		l.Receive(out.Frames[sent].Packet, now, &out)
	}
	for !l.Deadline().IsZero() {
		tick(t, l, &out)
	}
	if l.Reason() != Loop || slices.Contains(out.Changes, LayerUp) {
		t.Errorf("%v %v %v", l.State(), l.Reason(), out.Changes)
	}
}

// TestRFC1661Section6_4_LoopWithAuthentication: it is we who reject our own wish
// to know who the peer is, and not the peer.
func TestRFC1661Section6_4_LoopWithAuthentication(t *testing.T) {
	l := NewLCP(LCPConfig{Magic: 7, Authentication: []AuthProtocol{AuthMSCHAPv2, AuthPAP}})
	var out Out
	l.Up(start, &out)
	l.Open(start, &out)
	for n := 0; n < len(out.Frames) && l.Reason() == ReasonNone; n++ {
		l.Receive(out.Frames[n].Packet, start, &out)
	}
	if l.Reason() != Loop {
		t.Errorf("%v: %s", l.Reason(), dialogue(out.Frames))
	}
}

// TestRFC1661Section6_4_LoopAfterOpen: our own Echo-Requests come back.
func TestRFC1661Section6_4_LoopAfterOpen(t *testing.T) {
	l := serverLCP()
	openedLCP(t, l, 5, 6, 9, 9, 9, 9)
	var out Out
	for range 3 {
		tick(t, l, &out)
		l.Receive(out.Frames[len(out.Frames)-1].Packet, l.Deadline().Add(-5*time.Second), &out)
	}
	if l.Reason() != Loop || l.State() != Closing {
		t.Errorf("%v %v", l.State(), l.Reason())
	}
}

// TestLoopCountStartsAfreshWithARealEcho: strays of our own do not add up over
// the life of a link.
func TestLoopCountStartsAfreshWithARealEcho(t *testing.T) {
	l := serverLCP()
	openedLCP(t, l, 5, 6, 9, 9, 9, 9)
	var out Out
	for range 10 {
		l.Receive(packet(ppp.EchoRequest, 1, 0x11, 0x11, 0x11, 0x11), start, &out)
		l.Receive(packet(ppp.EchoRequest, 1, 9, 9, 9, 9), start, &out)
	}
	if l.State() != Opened || len(out.Frames) != 10 {
		t.Errorf("%v, %d answers", l.State(), len(out.Frames))
	}
}

// Further options that a dialling side asks for go one by one as they are rejected, and cost nothing else.
func TestExtraOptionsGoWhenRejected(t *testing.T) {
	callback, mrru := []byte{13, 3, 6}, []byte{17, 4, 6, 0x40}
	l := NewLCP(LCPConfig{MRU: 1400, Magic: 1, Extra: join(callback, mrru)})
	request := opening(t, l)
	if !bytes.HasSuffix(request.Data, join(callback, mrru)) {
		t.Fatalf("% x", request.Data)
	}
	var out Out
	l.Receive(packet(ppp.ConfigureReject, request.Identifier, callback...), start, &out)
	next := last(t, &out)
	if next.Code != ppp.ConfigureRequest || !bytes.HasSuffix(next.Data, mrru) || bytes.Contains(next.Data, callback) {
		t.Fatalf("%v % x", next.Code, next.Data)
	}
	l.Receive(packet(ppp.ConfigureReject, next.Identifier, 13, 3, 9), start, &out) // was not asked for
	if got := last(t, &out); got.Identifier != next.Identifier {
		t.Errorf("%v % x", got.Code, got.Data)
	}
}
