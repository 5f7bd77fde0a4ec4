package control

import (
	"strings"
	"testing"
	"time"

	"lnsgate/lns/l2tp"
)

var tunnelSecret = []byte("s3cret")

func (s *script) wantStop(result uint16, text string) {
	s.Helper()
	stop, ok := s.sent[len(s.sent)-1].(l2tp.StopCCN)
	if !ok || stop.Result.Result != result || !strings.Contains(stop.Result.Message, text) {
		s.Errorf("sent %+v, want StopCCN %d %q", s.sent, result, text)
	}
	if down := s.done[len(s.done)-1].(TunnelDown); down.Result != stop.Result || down.ByPeer || down.Lost {
		s.Errorf("%+v", down)
	}
}

func TestRFC2661Section5_1_1_WeAnswerTheChallenge(t *testing.T) {
	s := newScript(t, Config{Secret: tunnelSecret})
	q := goodSCCRQ
	q.Challenge = []byte("a challenge of any length")
	s.say(0, q)
	p := s.sent[0].(l2tp.SCCRP)
	if p.Challenge != nil || !l2tp.VerifyChallengeResponse(l2tp.TypeSCCRP, tunnelSecret, q.Challenge, p.ChallengeResponse) {
		t.Errorf("%+v", p)
	}
	s = newScript(t, Config{Role: LAC, Secret: tunnelSecret})
	s.do(s.tun.Dial)
	r := goodSCCRP
	r.Challenge = []byte("another")
	s.say(0, r)
	c := s.sent[1].(l2tp.SCCCN)
	if !l2tp.VerifyChallengeResponse(l2tp.TypeSCCCN, tunnelSecret, r.Challenge, c.ChallengeResponse) {
		t.Errorf("%+v", c)
	}
}

func TestQ07ThePeerWantsAuthenticationAndThereIsNoSecret(t *testing.T) {
	q := goodSCCRQ
	q.Challenge = []byte("who are you")
	s := newScript(t, Config{})
	s.say(0, q)
	s.wantStop(l2tp.StopCCNNotAuthorized, "no tunnel secret is configured")
	r := goodSCCRP
	r.Challenge = q.Challenge
	s = tunnelIn(t, StateWaitCtlReply, Config{Role: LAC})
	s.say(0, r)
	s.wantStop(l2tp.StopCCNNotAuthorized, "no tunnel secret is configured")
}

func TestRequiredAuthenticationWithoutASecretRefusesEveryone(t *testing.T) {
	s := newScript(t, Config{RequireAuthentication: true})
	s.say(0, goodSCCRQ)
	s.wantStop(l2tp.StopCCNNotAuthorized, "no tunnel secret")
}

func TestQ12ThePeerIgnoresOurChallenge(t *testing.T) {
	cfg := Config{Secret: tunnelSecret, RequireAuthentication: true}
	s := newScript(t, cfg)
	s.say(0, goodSCCRQ)
	s.say(0, l2tp.SCCCN{})
	s.wantStop(l2tp.StopCCNNotAuthorized, "did not answer the challenge")
	cfg.Role = LAC
	s = tunnelIn(t, StateWaitCtlReply, cfg)
	s.say(0, goodSCCRP)
	s.wantStop(l2tp.StopCCNNotAuthorized, "did not answer the challenge")
}

func TestRFC2661Section5_1_1_WrongResponse(t *testing.T) {
	cfg := Config{Secret: tunnelSecret, RequireAuthentication: true}
	s := newScript(t, cfg)
	s.say(0, goodSCCRQ)
	challenge := s.sent[0].(l2tp.SCCRP).Challenge
	if len(challenge) != 16 {
		t.Fatalf("challenge %x", challenge)
	}
	// The right secret with the id of the other message is wrong, too: no reflection.
	wrong := l2tp.ChallengeResponse(l2tp.TypeSCCRP, tunnelSecret, challenge)
	s.say(0, l2tp.SCCCN{ChallengeResponse: wrong[:]})
	s.wantStop(l2tp.StopCCNNotAuthorized, "secrets differ")

	s = newScript(t, cfg)
	s.say(0, goodSCCRQ)
	right := l2tp.ChallengeResponse(l2tp.TypeSCCCN, tunnelSecret, s.sent[0].(l2tp.SCCRP).Challenge)
	s.say(0, l2tp.SCCCN{ChallengeResponse: right[:]})
	s.want("SCCRP ZLB", "TunnelUp", StateEstablished)
	if s.tun.challenge != nil {
		t.Error("the challenge is kept")
	}
}

func TestWrongSecretEndsTheDialogue(t *testing.T) {
	p := newPair(t, Config{Secret: []byte("one"), RequireAuthentication: true}, Config{Secret: []byte("two"), RequireAuthentication: true})
	p.dial()
	p.run(time.Minute)
	wantDone(t, p.lac, "TunnelDown Finished")
	wantDone(t, p.lns, "TunnelDown Finished")
	if d := last[TunnelDown](t, p.lns); !d.ByPeer || d.Result.Result != l2tp.StopCCNNotAuthorized {
		t.Errorf("%+v", d)
	}
}

func TestChallengesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 50 {
		s := newScript(t, Config{Secret: tunnelSecret, RequireAuthentication: true})
		s.say(0, goodSCCRQ)
		seen[string(s.sent[0].(l2tp.SCCRP).Challenge)] = true
	}
	if len(seen) != 50 {
		t.Errorf("%d different challenges of 50", len(seen))
	}
}

// A source of randomness that fails must not make a challenge weak.
func TestRandomSourceThatFails(t *testing.T) {
	s := newScript(t, Config{Secret: tunnelSecret, RequireAuthentication: true, Rand: strings.NewReader("short")})
	s.say(0, goodSCCRQ)
	c := s.sent[0].(l2tp.SCCRP).Challenge
	if strings.HasPrefix(string(c), "short") || string(c) == string(make([]byte, 16)) {
		t.Errorf("%x", c)
	}
}

func TestHideAVPsHidesWhatWeSend(t *testing.T) {
	s := newScript(t, Config{Secret: tunnelSecret, HideAVPs: true})
	var out Out
	if err := s.tun.Receive(l2tp.AppendControl(nil, 22, 0, 0, 0, l2tp.Append(nil, goodSCCRQ, l2tp.AppendOptions{})), s.now, &out); err != nil {
		t.Fatal(err)
	}
	for _, a := range out.Actions {
		if d, ok := a.(Send); ok {
			_, payload, _ := l2tp.ParseHeader(d.Datagram)
			if _, err := l2tp.Parse(payload, nil); err == nil {
				t.Error("SCCRP is readable without the secret")
			}
			if m, err := l2tp.Parse(payload, tunnelSecret); err != nil || m.Type() != l2tp.TypeSCCRP {
				t.Errorf("%v %v", m, err)
			}
		}
	}
}
