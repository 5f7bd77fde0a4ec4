package client

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"layeh.com/radius"
	"layeh.com/radius/rfc2865"

	"lnsgate/aaa/radius/wire"
)

func TestExchange(t *testing.T) {
	s := serve(t, func(r request) {
		p := r.packet()
		v, err := wire.NewKey(secret).VerifyRequest(r.octets)
		switch {
		case err != nil || !v.Signed || r.octets[wire.HeaderLength] != 80:
			t.Errorf("request %x is not signed in front: %v", r.octets, err)
		case rfc2865.UserPassword_GetString(p) != "secret of "+rfc2865.UserName_GetString(p):
			r.reply(r.answer(radius.CodeAccessReject, true))
		default:
			r.reply(r.answer(radius.CodeAccessAccept, true, text(18, "welcome")))
		}
	})
	g := group(t, Config{Servers: []Server{{Address: s.address()}}})
	reply := must(t, g, login("alice"), radius.CodeAccessAccept)
	if rfc2865.ReplyMessage_GetString(reply.Packet) != "welcome" || reply.Server != s.address() || !reply.Signed || reply.RTT <= 0 {
		t.Errorf("reply %+v", reply)
	}
	if want := s.requests(false)[0].packet().Authenticator; reply.Packet.Authenticator != want {
		t.Errorf("the packet has the authenticator %x, not that of the request, %x", reply.Packet.Authenticator, want)
	}
	if string(reply.Packet.Secret) != secret {
		t.Error("the packet has not the secret of the server")
	}
}

func TestExchangeAccounting(t *testing.T) {
	s := serve(t, func(r request) {
		if _, err := wire.NewKey(secret).VerifyRequest(r.octets); err != nil {
			t.Errorf("request: %v", err)
		}
		r.accept()
	})
	g := group(t, Config{Servers: []Server{{Address: s.address(), MessageAuthenticator: Require}}, Retry: EndlessRetry()})
	must(t, g, record(), radius.CodeAccountingResponse)
}

// Wrong replies leave the request alone: the right one, which comes last, is taken, and nothing is sent again.
func TestWrongReplies(t *testing.T) {
	other := wire.NewKey("another secret")
	tests := []struct {
		name   string
		bad    func(r request) []byte
		reason Reason
	}{
		{"garbage", func(r request) []byte { return []byte("garbage") }, Malformed},
		{"garbage with the identifier", func(r request) []byte { return append([]byte{2, r.octets[1]}, make([]byte, 40)...) }, Malformed},
		{"cut short", func(r request) []byte { return r.answer(radius.CodeAccessAccept, true)[:30] }, Malformed},
		{"an attribute too long", func(r request) []byte {
			b := r.answer(radius.CodeAccessAccept, false, text(18, "x"))
			b[21] = 40
			return b
		}, Malformed},
		{"another identifier", func(r request) []byte {
			p := r.packet().Response(radius.CodeAccessAccept)
			p.Identifier++
			b, _ := wire.NewKey(secret).AppendReply(nil, p)
			return b
		}, Unexpected},
		{"another secret", func(r request) []byte {
			b, _ := other.AppendReply(nil, r.packet().Response(radius.CodeAccessAccept))
			return b
		}, Forged},
		{"changed on the way", func(r request) []byte {
			b := r.answer(radius.CodeAccessReject, true)
			b[0] = byte(radius.CodeAccessAccept)
			return b
		}, Forged},
		{"answer to another request", func(r request) []byte {
			p := r.packet().Response(radius.CodeAccessAccept)
			p.Authenticator[3]++
			b, _ := wire.NewKey(secret).AppendReply(nil, p)
			return b
		}, Forged},
		{"wrong Message-Authenticator", func(r request) []byte {
			p := r.packet().Response(radius.CodeAccessAccept)
			p.Add(80, make([]byte, 16))
			b, _ := p.Encode()
			return b
		}, ForgedMessage},
		{"two Message-Authenticators", func(r request) []byte {
			p := r.packet().Response(radius.CodeAccessAccept)
			p.Add(80, make([]byte, 16))
			p.Add(80, make([]byte, 16))
			b, _ := p.Encode()
			return b
		}, ForgedMessage},
		{"wrong code", func(r request) []byte { return r.answer(radius.CodeAccountingResponse, false) }, WrongCode},
		{"a request", func(r request) []byte { return r.octets }, Forged},
		{"unsigned EAP", func(r request) []byte { return r.answer(radius.CodeAccessAccept, false, text(79, "\x03\x01\x00\x04")) }, Unsigned},
		{"Proxy-State that was not asked for", func(r request) []byte {
			return r.answer(radius.CodeAccessAccept, true, text(33, "collision"))
		}, ProxyState},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, func(r request) {
				for range 3 {
					r.reply(test.bad(r))
				}
				r.reply(r.answer(radius.CodeAccessAccept, false, text(18, "the right one")))
			})
			g := group(t, Config{Servers: []Server{{Address: s.address()}}})
			reply := must(t, g, login("alice"), radius.CodeAccessAccept)
			if rfc2865.ReplyMessage_GetString(reply.Packet) != "the right one" {
				t.Errorf("the wrong reply was taken: %+v", reply.Packet)
			}
			got := g.Stats()[0]
			if got.Discarded[test.reason] != 3 || got.Resent != 0 || got.Answered != 1 {
				t.Errorf("%v: %+v", test.reason, got)
			}
		})
	}
}

func TestTheErrorTellsOfAnswersThatWereThrownAway(t *testing.T) {
	other := wire.NewKey("another secret")
	s := serve(t, func(r request) {
		b, _ := other.AppendReply(nil, r.packet().Response(radius.CodeAccessReject))
		r.reply(b)
	})
	silent := serve(t, nil)
	retry := quick()
	retry.Count, retry.Duration = 2, 300*time.Millisecond
	g := group(t, Config{Servers: []Server{{Name: "one", Address: s.address()}, {Address: silent.address(), Priority: 1}}, Retry: retry})
	_, err := g.Exchange(t.Context(), login("alice"))
	var late *TimeoutError
	if !errors.As(err, &late) || !errors.Is(err, ErrForged) || !errors.Is(err, ErrSilent) || errors.Is(err, ErrUnsigned) {
		t.Fatal(err)
	}
	if late.Tries[0].Forged != 2 || late.Tries[1].Forged != 0 || !strings.Contains(err.Error(), "one ("+s.address()+"): no answer") {
		t.Errorf("%v", err)
	}
}

func TestProxyStateThatWasSent(t *testing.T) {
	s := serve(t, func(r request) { r.reply(r.answer(radius.CodeAccessAccept, true, text(33, "p1"))) })
	g := group(t, Config{Servers: []Server{{Address: s.address()}}})
	r := login("alice")
	build := r.Build
	r.Build = func(p *radius.Packet) error { p.Add(33, radius.Attribute("p1")); return build(p) }
	must(t, g, r, radius.CodeAccessAccept)
}

func TestPaddedReply(t *testing.T) {
	s := serve(t, func(r request) { r.reply(append(r.answer(radius.CodeAccessAccept, true), make([]byte, 100)...)) })
	g := group(t, Config{Servers: []Server{{Address: s.address()}}})
	must(t, g, login("alice"), radius.CodeAccessAccept)
}

func TestDuplicateReplies(t *testing.T) {
	s := serve(t, func(r request) {
		for range 4 {
			r.accept()
		}
	})
	g := group(t, Config{Servers: []Server{{Address: s.address()}}})
	must(t, g, login("alice"), radius.CodeAccessAccept)
	must(t, g, login("bob"), radius.CodeAccessAccept)
	eventually(t, "six copies too many", func() bool { return g.Stats()[0].Discarded[Unexpected] == 6 })
}

// A second copy of an answer that comes when its identifier is in use again is not forged, and nobody is told to compare secrets.
func TestDuplicateReplyToTheRequestBefore(t *testing.T) {
	var first request
	s := serve(t, func(r request) {
		if r.number == 1 {
			first = r
		} else if r.octets[1] == first.octets[1] {
			first.accept()
		}
		r.accept()
	})
	g := group(t, Config{Servers: []Server{{Address: s.address()}}, Sockets: 1})
	for range identifierCount + 1 {
		must(t, g, login("alice"), radius.CodeAccessAccept)
	}
	if got := g.Stats()[0]; got.Discarded[Unexpected] != 1 || got.Discarded[Forged] != 0 || got.Answered != identifierCount+1 {
		t.Errorf("%+v", got)
	}
}

// A connected socket takes nothing from anybody else.
func TestReplyFromAnotherSource(t *testing.T) {
	stranger, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	s := serve(t, func(r request) {
		stranger.WriteTo(r.answer(radius.CodeAccessAccept, true, text(18, "from a stranger")), r.from)
		r.accept()
	})
	g := group(t, Config{Servers: []Server{{Address: s.address()}}})
	reply := must(t, g, login("alice"), radius.CodeAccessAccept)
	if rfc2865.ReplyMessage_GetString(reply.Packet) != "" {
		t.Error("an answer from another port was taken")
	}
}

func TestSameOctetsAgain(t *testing.T) {
	s := serve(t, func(r request) {
		if r.number == 3 {
			r.accept()
		}
	})
	g := group(t, Config{Servers: []Server{{Address: s.address()}}, Retry: quick()})
	reply := must(t, g, login("alice"), radius.CodeAccessAccept)
	if reply.Sendings != 3 || reply.Took <= reply.RTT {
		t.Errorf("%d sendings in %v, %v after the last", reply.Sendings, reply.Took, reply.RTT)
	}
	got := s.requests(false)
	if len(got) != 3 || string(got[0].octets) != string(got[1].octets) || string(got[0].octets) != string(got[2].octets) ||
		got[0].from.String() != got[2].from.String() {
		t.Errorf("%d requests, not three that are the same", len(got))
	}
}

func TestFailoverIsANewRequest(t *testing.T) {
	silent := serve(t, nil)
	well := serve(t, request.accept)
	g := group(t, Config{Retry: quick(), Servers: []Server{
		{Name: "a", Address: silent.address(), Priority: 1, Timeout: 50 * time.Millisecond},
		{Name: "b", Address: well.address(), Priority: 2},
	}})
	reply := must(t, g, login("alice"), radius.CodeAccessAccept)
	if reply.Server != "b" {
		t.Errorf("%s answered", reply.Server)
	}
	a, b := silent.requests(false)[0].packet(), well.requests(false)[0].packet()
	if a.Authenticator == b.Authenticator {
		t.Error("the second server got the authenticator of the first")
	}
	if a, b := rfc2865.UserPassword_GetString(a), rfc2865.UserPassword_GetString(b); a != b {
		t.Errorf("passwords %q and %q", a, b)
	}
}

func TestErrors(t *testing.T) {
	silent := serve(t, nil)
	g := group(t, Config{Retry: RetryConfig{Initial: 10 * time.Millisecond, Count: 2}, Servers: []Server{{Name: "a", Address: silent.address()}}})
	own := errors.New("no such user")
	if _, err := g.Exchange(context.Background(), Request{Code: 1, Build: func(*radius.Packet) error { return own }}); !errors.Is(err, own) {
		t.Errorf("error of Build: %v", err)
	}
	big := func(p *radius.Packet) error {
		for range 20 {
			p.Add(18, make([]byte, 253))
		}
		return nil
	}
	if _, err := g.Exchange(context.Background(), Request{Code: 1, Build: big}); !errors.Is(err, wire.ErrTooLong) {
		t.Errorf("a packet that is too long: %v", err)
	}
	if _, err := g.Exchange(context.Background(), Request{Code: 1, Server: "nobody"}); !errors.Is(err, ErrNoServer) {
		t.Errorf("an unknown server: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := login("alice")
	r.Build = func(*radius.Packet) error { cancel(); return nil }
	if _, err := g.Exchange(ctx, r); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that was cancelled: %v", err)
	}
	ctx, cancel = context.WithTimeout(context.Background(), 25*time.Millisecond)
	defer cancel()
	_, err := g.Exchange(ctx, login("alice"))
	timeout, ok := errors.AsType[*TimeoutError](err)
	if !ok || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrSilent) || timeout.Tries[0].Server != "a" {
		t.Errorf("a context that ran out: %v", err)
	}
	if got := g.Stats()[0].InFlight; got != 0 {
		t.Errorf("%d requests in flight", got)
	}
}

func TestTimeoutNamesAllTries(t *testing.T) {
	a, b := serve(t, nil), serve(t, func(r request) { r.reply(r.answer(wire.CodeProtocolError, true)) })
	g := group(t, Config{Retry: RetryConfig{Initial: 5 * time.Millisecond, Count: 2, Duration: time.Second}, Servers: []Server{
		{Name: "a", Address: a.address()}, {Name: "b", Address: b.address(), Priority: 1}}})
	_, err := g.Exchange(context.Background(), login("alice"))
	timeout, ok := errors.AsType[*TimeoutError](err)
	if !ok || len(timeout.Tries) != 2 || !errors.Is(timeout.Tries[0].Err, ErrSilent) || !errors.Is(timeout.Tries[1].Err, ErrProtocol) {
		t.Fatalf("%v", err)
	}
}

func TestClose(t *testing.T) {
	s := serve(t, nil)
	g := group(t, Config{Servers: []Server{{Address: s.address(), InFlight: 2}}})
	var waiting sync.WaitGroup
	for range 6 { // two of them in flight, the others in the queue
		waiting.Go(func() {
			if _, err := g.Exchange(context.Background(), login("alice")); !errors.Is(err, ErrClosed) {
				t.Errorf("error %v", err)
			}
		})
	}
	eventually(t, "all wait", func() bool { got := g.Stats()[0]; return got.InFlight == 2 && got.Queued == 4 })
	g.Close()
	waiting.Wait()
	if _, err := g.Exchange(context.Background(), login("alice")); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
	g.Close()
}
