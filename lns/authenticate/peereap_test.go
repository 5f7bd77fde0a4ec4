package authenticate

import (
	"bytes"
	"crypto/md5"
	"math/rand/v2"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
	"lnsgate/lns/ppp"
)

// md5Server is a back end that knows one password by EAP-MD5.
type md5Server struct {
	password  string
	challenge []byte
}

// answer is what it says to a Response.
func (s md5Server) answer(ask *Ask) (*aaa.Challenge, Result) {
	e, err := ppp.ParseEAP(ask.Proof.EAP)
	if err != nil {
		return nil, Result{}
	}
	switch e.Type {
	case ppp.EAPIdentity:
		return &aaa.Challenge{Packet: requestOf(e.Identifier+1, ppp.EAPNotification, "a word first"), State: []byte{1}}, Result{}
	case ppp.EAPNotification:
		return &aaa.Challenge{Packet: requestOf(e.Identifier+1, 25, "PEAP?"), State: []byte{2}}, Result{}
	case ppp.EAPNak:
		data := ppp.CHAPValue{Value: s.challenge, Name: []byte("server")}.Append(nil)
		return &aaa.Challenge{Packet: requestOf(e.Identifier+1, ppp.EAPMD5Challenge, string(data)), State: []byte{3}}, Result{}
	case ppp.EAPMD5Challenge:
		value, err := ppp.ParseCHAPValue(e.Data)
		want := md5.Sum(append(append([]byte{e.Identifier}, s.password...), s.challenge...))
		return nil, Result{OK: err == nil && bytes.Equal(value.Value, want[:])}
	}
	return nil, Result{}
}

// talk lets an authenticator and a peer talk over a channel that loses, doubles and delays by chance.
func talk(t *testing.T, seed uint64, loss float64, password string) (authenticated, accepted *Done) {
	t.Helper()
	chance := rand.New(rand.NewPCG(seed, 1))
	a := NewAuthenticator(Config{Protocol: aaa.EAP, Identifier: uint8(seed)})
	p := NewPeer(PeerConfig{Method: aaa.EAP, Name: "bob", Credentials: secret.NewAnswerer("bob", aaa.NewSecret(password), [16]byte{})})
	server := md5Server{"secret", testChallenge}
	type letter struct {
		at    time.Time
		toA   bool
		frame ppp.Frame
	}
	var post []letter
	now := t0
	asks := 0
	take := func(toA bool, out *Out) {
		for _, f := range out.Frames {
			for chance.Float64() >= loss {
				post = append(post, letter{now.Add(time.Duration(chance.IntN(300)) * time.Millisecond), toA, f})
				if chance.Float64() > loss {
					break
				}
			}
		}
	}
	var serve func(out *Out)
	serve = func(out *Out) {
		take(false, out)
		if out.Done != nil {
			authenticated = out.Done
		}
		if out.Ask == nil {
			return
		}
		asks++
		if out.Ask.Name != "bob" {
			t.Fatalf("seed %d: asks for %q", seed, out.Ask.Name)
		}
		c, r := server.answer(out.Ask)
		var next Out
		if c != nil {
			a.Challenge(c, now, &next)
		} else {
			a.Resolve(r, now, &next)
		}
		serve(&next)
	}
	var first, second Out
	p.Start(now, &first)
	a.Start(now, &second)
	serve(&second)
	for now.Before(t0.Add(5 * time.Minute)) {
		now = now.Add(50 * time.Millisecond)
		pending := post
		post = nil
		for _, l := range pending {
			var out Out
			switch {
			case l.at.After(now):
				post = append(post, l)
			case l.toA:
				a.Receive(l.frame, now, &out)
				serve(&out)
			default:
				p.Receive(l.frame, now, &out)
				take(true, &out)
				if out.Done != nil {
					accepted = out.Done
				}
			}
		}
		var out Out
		a.Advance(now, &out)
		serve(&out)
		out = Out{}
		p.Advance(now, &out)
		take(true, &out)
		if out.Done != nil && accepted == nil {
			accepted = out.Done
		}
	}
	if asks > 4 {
		t.Fatalf("seed %d: the server was asked %d times for 4 turns", seed, asks)
	}
	return authenticated, accepted
}

func TestEAPMD5BetweenTheTwoSides(t *testing.T) {
	for _, tc := range []struct {
		password string
		ok       bool
	}{{"secret", true}, {"wrong", false}} {
		us, them := talk(t, 1, 0, tc.password)
		if us == nil || them == nil || us.OK != tc.ok || them.OK != tc.ok {
			t.Errorf("%s: we say %+v, the peer understands %+v", tc.password, us, them)
		}
	}
}

// Whatever is lost, doubled or late: the server is asked once per turn, and the verdict is the right one if there is one.
func TestEAPOverABadLine(t *testing.T) {
	reached := 0
	for seed := range uint64(200) {
		us, them := talk(t, seed, 0.3, "secret")
		if us == nil || them == nil {
			t.Fatalf("seed %d: no end: %+v %+v", seed, us, them)
		}
		if us.OK {
			reached++
		} else if us.Reason == Refused {
			t.Errorf("seed %d: refused", seed)
		}
		if wrong, _ := talk(t, seed, 0.3, "wrong"); wrong.OK {
			t.Errorf("seed %d: let in with a wrong password", seed)
		}
	}
	if reached < 190 {
		t.Errorf("only %d of 200 logins were decided", reached)
	}
}

func TestAPeerBelievesNoSuccessBeforeItsProof(t *testing.T) {
	p := newPeer(t, aaa.EAP, newScript())
	p.start()
	nothing(t, "a Success out of nowhere", p.receive(ppp.Frame{Protocol: ppp.EAP, Packet: []byte{3, 1, 0, 4}}, at(1)))
	p.receive(ppp.Frame{Protocol: ppp.EAP, Packet: requestOf(1, ppp.EAPIdentity, "")}, at(1))
	nothing(t, "a Success after the identity", p.receive(ppp.Frame{Protocol: ppp.EAP, Packet: []byte{3, 1, 0, 4}}, at(1)))
	if out := p.receive(ppp.Frame{Protocol: ppp.EAP, Packet: []byte{4, 1, 0, 4}}, at(2)); out.Done == nil || out.Done.Reason != Refused {
		t.Errorf("a Failure: %+v", out)
	}
}

func TestAPeerAnswersTheSameRequestWithTheSameOctets(t *testing.T) {
	p := newPeer(t, aaa.EAP, newScript())
	p.start()
	request := ppp.Frame{Protocol: ppp.EAP, Packet: requestOf(9, ppp.EAPMD5Challenge, "\x10"+string(testChallenge))}
	first := p.receive(request, at(1))
	again := p.receive(request, at(2))
	if len(first.Frames) != 1 || len(again.Frames) != 1 || !bytes.Equal(first.Frames[0].Packet, again.Frames[0].Packet) {
		t.Errorf("%+v, then %+v", first, again)
	}
	for _, broken := range []string{"", "\x00", "\x11" + string(testChallenge)} {
		p := newPeer(t, aaa.EAP, newScript())
		p.start()
		out := p.receive(ppp.Frame{Protocol: ppp.EAP, Packet: requestOf(9, ppp.EAPMD5Challenge, broken)}, at(1))
		if out.Done == nil || out.Done.Reason != MalformedAnswer || len(out.Frames) != 0 {
			t.Errorf("%q: %+v", broken, out)
		}
	}
}

// FuzzEAP lets any octets be said to both sides, in any order with answers and the time.
func FuzzEAP(f *testing.F) {
	f.Add([]byte{0, 8, 2, 42, 0, 8, 1, 'b', 'o', 'b', 1, 6, 1, 43, 0, 6, 25, 1, 2, 0})
	f.Add([]byte{3, 5, 1, 1, 0, 5, 1, 3, 22, 1, 2, 0, 22, 4, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	f.Fuzz(func(t *testing.T, script []byte) {
		a := NewAuthenticator(Config{Protocol: aaa.EAP, Identifier: 42})
		p := NewPeer(PeerConfig{Method: aaa.EAP, Name: "bob", Credentials: secret.NewAnswerer("bob", aaa.NewSecret("pw"), [16]byte{})})
		now := t0
		var out Out
		a.Start(now, &out)
		p.Start(now, &out)
		open, done := false, 0
		for len(script) > 1 {
			n := min(int(script[1]), len(script)-2)
			what, octets := script[0], script[2:2+n]
			script = script[2+n:]
			var out Out
			switch what % 5 {
			case 0:
				a.Receive(ppp.Frame{Protocol: ppp.EAP, Packet: octets}, now, &out)
			case 1:
				a.Challenge(&aaa.Challenge{Packet: octets, Timeout: time.Duration(what) * time.Second}, now, &out)
			case 2:
				a.Resolve(Result{OK: what > 99, Packet: octets}, now, &out)
			case 3:
				p.Receive(ppp.Frame{Protocol: ppp.EAP, Packet: octets}, now, &out)
				continue
			case 4:
				now = now.Add(time.Duration(what) * time.Second)
				a.Advance(now, &out)
			}
			if out.Ask != nil && open {
				t.Fatal("a second question before the first was answered")
			}
			open = a.stage == stageDeciding
			if out.Done != nil {
				done++
			}
			if done > 1 {
				t.Fatal("it ended twice")
			}
			if d := a.Deadline(); (a.stage == stageAsking) == d.IsZero() {
				t.Fatalf("at stage %d the deadline is %s", a.stage, d)
			}
		}
	})
}
