package radius

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/client"
	"lnsgate/aaa/radius/wire"
)

func mschapProof() aaa.Proof {
	return aaa.Proof{Method: aaa.MSCHAPv2, Identifier: 1, Challenge: make([]byte, 16), Response: make([]byte, 49)}
}

func eapProof(state []byte) aaa.Proof {
	return aaa.Proof{Method: aaa.EAP, EAP: []byte{2, 1, 0, 5, 1}, State: state}
}

func vendor(p *radius.Packet, kind byte, value string) {
	if err := wire.AddVendor(p, wire.Microsoft, kind, []byte(value)); err != nil {
		panic(err)
	}
}

func rejection(t *testing.T, err error, cause aaa.Cause) *aaa.Rejection {
	t.Helper()
	var r *aaa.Rejection
	if !errors.As(err, &r) || r.Cause != cause {
		t.Fatalf("%v, not a rejection: %v", err, cause)
	}
	return r
}

func TestNewWantsNameAndGroup(t *testing.T) {
	if _, err := New(Config{Name: "x"}); err == nil {
		t.Error("no group")
	}
	if _, err := New(Config{Group: &fake{}}); err == nil {
		t.Error("no name")
	}
}

func TestAcceptIsAGrant(t *testing.T) {
	group := answers(radius.CodeAccessAccept, func(p *radius.Packet) {
		p.Add(8, []byte{10, 1, 2, 3})
		p.Add(85, binary.BigEndian.AppendUint32(nil, 5))
		p.Add(18, []byte("hello"))
		p.Add(1, []byte("alice-4711"))
	})
	g, err := newBackend(t, group, nil).Authenticate(t.Context(), query(t, "alice", pap("secret")))
	if err != nil {
		t.Fatal(err)
	}
	if g.Address != netip.MustParseAddr("10.1.2.3") || g.Interim != time.Minute || g.Message != "hello" || g.UserName != "alice-4711" {
		t.Errorf("%+v", g)
	}
}

func TestTrailHasTheServerThatAnswered(t *testing.T) {
	trail := &aaa.Trail{Now: time.Now}
	ctx := aaa.WithTrail(t.Context(), trail)
	g, err := aaa.NewGateway(aaa.Config{
		DefaultDomain: "hq", Domains: []aaa.Domain{{Name: "hq", Chain: []string{"hq"}}},
		Backends: []aaa.Backend{newBackend(t, answers(radius.CodeAccessReject, nil), nil)},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = g.Authenticate(ctx, query(t, "alice", pap("x")).Request)
	rejection(t, err, aaa.Refused)
	if len(trail.Asked) != 1 || trail.Asked[0].Server != "one" || trail.Asked[0].After != 2*time.Second || trail.Asked[0].Sendings != 3 {
		t.Errorf("%+v", trail.Asked)
	}
}

func TestTheNameThatWasSentIsTheNameOfTheRecords(t *testing.T) {
	b := newBackend(t, answers(radius.CodeAccessAccept, nil), func(c *Config) { c.Names = WithoutDomain })
	g, err := b.Authenticate(t.Context(), query(t, "alice@sales", pap("secret")))
	if err != nil || g.UserName != "alice" {
		t.Errorf("%q %v", g.UserName, err)
	}
	if g, err = b.Authenticate(t.Context(), query(t, "alice", pap("secret"))); err != nil || g.UserName != "" {
		t.Errorf("%q %v", g.UserName, err)
	}
}

func TestAcceptThatCannotBeHonouredIsANo(t *testing.T) {
	group := answers(radius.CodeAccessAccept, func(p *radius.Packet) { p.Add(6, []byte{0, 0, 0, 1}) })
	_, err := newBackend(t, group, nil).Authenticate(t.Context(), query(t, "alice", pap("secret")))
	r := rejection(t, err, aaa.Misconfigured)
	if !strings.Contains(r.Detail, "server one") || !strings.Contains(r.Detail, "Service-Type = 1") {
		t.Errorf("%q", r.Detail)
	}
}

func TestMSCHAPv2IsRelayedVerbatim(t *testing.T) {
	success := "S=0123456789ABCDEF0123456789ABCDEF01234567 M=welcome"
	b := newBackend(t, answers(radius.CodeAccessAccept, func(p *radius.Packet) { vendor(p, wire.MSCHAP2Success, "\x01"+success) }), nil)
	g, err := b.Authenticate(t.Context(), query(t, "alice", mschapProof()))
	if err != nil || g.Reply != success {
		t.Errorf("%q %v", g.Reply, err)
	}

	failure := "E=648 R=0 C=00000000000000000000000000000000 V=3 M=expired"
	b = newBackend(t, answers(radius.CodeAccessReject, func(p *radius.Packet) {
		vendor(p, wire.MSCHAPError, "\x01"+failure)
		p.Add(18, []byte("no"))
	}), nil)
	_, err = b.Authenticate(t.Context(), query(t, "alice", mschapProof()))
	if r := rejection(t, err, aaa.Refused); r.Reply != failure {
		t.Errorf("%q", r.Reply)
	}

	b = newBackend(t, answers(radius.CodeAccessAccept, nil), nil)
	_, err = b.Authenticate(t.Context(), query(t, "alice", mschapProof()))
	rejection(t, err, aaa.Misconfigured)
}

func TestRejectHasItsText(t *testing.T) {
	group := answers(radius.CodeAccessReject, func(p *radius.Packet) { p.Add(18, []byte("pay")); p.Add(18, []byte("first")) })
	_, err := newBackend(t, group, nil).Authenticate(t.Context(), query(t, "alice", pap("secret")))
	r := rejection(t, err, aaa.Refused)
	if r.Reply != "pay\nfirst" || !strings.Contains(r.Detail, `"pay\nfirst"`) || r.Retryable() {
		t.Errorf("%q %q", r.Reply, r.Detail)
	}
}

func TestRFC2865Section4_4_ChallengeWithoutEAPIsANo(t *testing.T) {
	group := answers(radius.CodeAccessChallenge, func(p *radius.Packet) { p.Add(18, []byte("code?")); p.Add(24, []byte("s")) })
	for _, proof := range []aaa.Proof{pap("secret"), mschapProof()} {
		_, err := newBackend(t, group, nil).Authenticate(t.Context(), query(t, "alice", proof))
		rejection(t, err, aaa.Refused)
	}
}

func TestEAPConversation(t *testing.T) {
	first := append([]byte{1, 2, 0, 0}, bytes.Repeat([]byte{5}, 600)...)
	binary.BigEndian.PutUint16(first[2:], uint16(len(first)))
	turn := 0
	group := &fake{}
	group.answer = func(request *radius.Packet) (*radius.Packet, error) {
		turn++
		if turn == 1 {
			p := request.Response(radius.CodeAccessChallenge)
			writer{p}.addEAP(first)
			p.Add(24, []byte("state of the server"))
			p.Add(27, []byte{0, 0, 0, 60})
			return p, nil
		}
		p := request.Response(radius.CodeAccessAccept)
		p.Add(79, []byte{3, 2, 0, 4})
		return p, nil
	}
	b := newBackend(t, group, nil)
	_, err := b.Authenticate(t.Context(), query(t, "alice", eapProof(nil)))
	var c *aaa.Challenge
	if !errors.As(err, &c) || !bytes.Equal(c.Packet, first) || c.Timeout != time.Minute {
		t.Fatalf("%v %+v", err, c)
	}
	g, err := b.Authenticate(t.Context(), query(t, "alice", eapProof(c.State)))
	if err != nil || !bytes.Equal(g.Packet, []byte{3, 2, 0, 4}) {
		t.Fatalf("%v %+v", err, g)
	}
	if got := group.last().Get(24); string(got) != "state of the server" {
		t.Errorf("State %q", got)
	}
	if group.servers[0] != "" || group.servers[1] != "one" {
		t.Errorf("asked %q", group.servers)
	}
	for _, p := range group.asked {
		if string(p.Get(1)) != "alice" {
			t.Errorf("User-Name %q", p.Get(1))
		}
	}
}

func TestRFC3579Section2_6_3_ResultAndPacketMustAgree(t *testing.T) {
	for _, tc := range []struct {
		name   string
		code   radius.Code
		packet []byte
		relay  bool // to the peer
	}{
		{"Accept with Failure", radius.CodeAccessAccept, []byte{4, 1, 0, 4}, false},
		{"Accept with Request", radius.CodeAccessAccept, []byte{1, 1, 0, 5, 1}, false},
		{"Accept without EAP", radius.CodeAccessAccept, nil, false},
		{"Accept with a cut packet", radius.CodeAccessAccept, []byte{3, 1, 0, 9}, false},
		{"Accept with a code that is none", radius.CodeAccessAccept, []byte{9, 1, 0, 4}, false},
		{"Challenge without EAP", radius.CodeAccessChallenge, nil, false},
		{"Challenge with Success", radius.CodeAccessChallenge, []byte{3, 1, 0, 4}, false},
		{"Reject with Failure", radius.CodeAccessReject, []byte{4, 1, 0, 4}, true},
		{"Reject with Success", radius.CodeAccessReject, []byte{3, 1, 0, 4}, false},
		{"Reject without EAP", radius.CodeAccessReject, nil, false},
	} {
		group := answers(tc.code, func(p *radius.Packet) { writer{p}.addEAP(tc.packet) })
		_, err := newBackend(t, group, nil).Authenticate(t.Context(), query(t, "alice", eapProof(nil)))
		r := rejection(t, err, aaa.Refused)
		if (r.Packet != nil) != tc.relay {
			t.Errorf("%s: relays %x", tc.name, r.Packet)
		}
	}
}

func TestEAPPaddingIsCutOff(t *testing.T) {
	p := &radius.Packet{}
	p.Add(79, []byte{3, 1, 0, 4, 0, 0})
	if got := eapOf(p); !bytes.Equal(got, []byte{3, 1, 0, 4}) {
		t.Errorf("%x", got)
	}
}

func TestNoAnswerNamesTheServers(t *testing.T) {
	silent := &client.TimeoutError{Group: "hq", Tries: []client.Try{{Server: "one", Took: time.Second, Err: client.ErrSilent}, {Server: "two", Err: client.ErrBusy}}}
	b := newBackend(t, &fake{answer: func(*radius.Packet) (*radius.Packet, error) { return nil, silent }}, nil)
	_, err := b.Authenticate(t.Context(), query(t, "alice", pap("x")))
	r := rejection(t, err, aaa.BackendUnavailable)
	if r.Reason != aaa.RADIUSNoAnswer || !strings.Contains(r.Detail, "one") || !strings.Contains(r.Detail, "two") || !r.Retryable() || !errors.Is(err, client.ErrSilent) {
		t.Errorf("%q", r.Detail)
	}

	ctx, cancel := context.WithCancel(t.Context())
	b = newBackend(t, &fake{answer: func(*radius.Packet) (*radius.Packet, error) {
		cancel()
		return nil, fmt.Errorf("asking: %w", ctx.Err())
	}}, nil)
	_, err = b.Authenticate(ctx, query(t, "alice", pap("x")))
	rejection(t, err, aaa.Timeout)
}

func TestWhyNobodyAnswered(t *testing.T) {
	try := client.Try{Server: "one", Address: "192.0.2.7:1812", Err: client.ErrSilent}
	forged, unsigned, busy := try, try, client.Try{Server: "one", Err: client.ErrBusy}
	forged.Forged, unsigned.Unsigned = 2, 1
	for _, test := range []struct {
		tries  []client.Try
		reason aaa.Reason
		words  string
	}{
		{[]client.Try{try}, aaa.RADIUSNoAnswer, "one (192.0.2.7:1812): no answer"},
		{[]client.Try{try, forged}, aaa.RADIUSWrongSecret, "2 answers that were not made with the shared secret"},
		{[]client.Try{unsigned, try}, aaa.RADIUSUnsigned, "1 answers without a Message-Authenticator"},
		{[]client.Try{busy}, aaa.TooManyChecks, "too many requests"},
		{[]client.Try{busy, try}, aaa.RADIUSNoAnswer, "no answer"},
	} {
		b := newBackend(t, &fake{answer: func(*radius.Packet) (*radius.Packet, error) {
			return nil, &client.TimeoutError{Group: "hq", Tries: test.tries}
		}}, nil)
		_, err := b.Authenticate(t.Context(), query(t, "alice", pap("x")))
		if r := rejection(t, err, aaa.BackendUnavailable); r.Reason != test.reason || !strings.Contains(r.Detail, test.words) {
			t.Errorf("%v: %v", r.Reason, r)
		}
	}
}

func TestAnAnswerOfAnotherKindIsNone(t *testing.T) {
	b := newBackend(t, answers(radius.CodeAccountingResponse, nil), nil)
	_, err := b.Authenticate(t.Context(), query(t, "alice", pap("x")))
	rejection(t, err, aaa.BackendUnavailable)
}

func TestAuthorizeIsOnlyAtLogin(t *testing.T) {
	_, err := newBackend(t, &fake{}, nil).Authorize(t.Context(), query(t, "alice", aaa.Proof{}))
	rejection(t, err, aaa.OnlyAtLogin)
}

func TestStateOfAServerComesBack(t *testing.T) {
	for _, state := range []string{"", "x", strings.Repeat("s", 253)} {
		server, got, r := openState(sealState("10.0.0.1:1812", []byte(state)))
		if r != nil || server != "10.0.0.1:1812" || string(got) != state {
			t.Errorf("%q: %q %q %v", state, server, got, r)
		}
	}
}

// FuzzReply: whatever an authentic server answers, the outcome is a grant, a challenge or a rejection, and nothing of EAP
// that does not fit the code is relayed.
func FuzzReply(f *testing.F) {
	for _, code := range []radius.Code{radius.CodeAccessAccept, radius.CodeAccessReject, radius.CodeAccessChallenge} {
		for method := aaa.PAP; method <= aaa.EAP; method++ {
			f.Add(byte(code), byte(method), []byte("\x4f\x06\x03\x01\x00\x04\x18\x03s\x1a\x0d\x00\x00\x01\x37\x1a\x07\x01S=12"))
			f.Add(byte(code), byte(method), []byte("\x4f\x07\x01\x01\x00\x05\x04\x12\x05hey"))
		}
	}
	f.Fuzz(func(t *testing.T, code, method byte, attributes []byte) {
		parsed, err := radius.ParseAttributes(attributes)
		if err != nil {
			return
		}
		proof := map[aaa.Method]aaa.Proof{aaa.PAP: pap("x"), aaa.MSCHAPv2: mschapProof(), aaa.EAP: eapProof(nil),
			aaa.CHAP: {Method: aaa.CHAP, Challenge: []byte("c"), Response: make([]byte, 16)}}[aaa.Method(method)]
		group := answers(radius.Code(code), func(p *radius.Packet) { p.Attributes = parsed })
		g, err := newBackend(t, group, nil).Authenticate(t.Context(), query(t, "alice", proof))
		var c *aaa.Challenge
		var r *aaa.Rejection
		switch {
		case err == nil && (radius.Code(code) != radius.CodeAccessAccept || g.Packet != nil && g.Packet[0] != 3):
			t.Fatalf("grant for code %d: %x", code, g.Packet)
		case err == nil:
		case errors.As(err, &c):
			if proof.Method != aaa.EAP || c.Packet[0] != 1 {
				t.Fatalf("challenge %x", c.Packet)
			}
		case !errors.As(err, &r) || r.Cause == aaa.CauseNone || r.Packet != nil && r.Packet[0] != 4:
			t.Fatalf("%v", err)
		}
	})
}
