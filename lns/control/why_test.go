package control

import (
	"testing"
	"time"

	"lnsgate/lns/l2tp"
)

func challenged() l2tp.SCCRQ {
	q := goodSCCRQ
	q.Challenge = []byte("who are you")
	return q
}

func TestWhyATunnelWentDown(t *testing.T) {
	secured := Config{Secret: tunnelSecret, RequireAuthentication: true}
	refusal := l2tp.StopCCN{AssignedTunnel: 7, Result: l2tp.ResultCode{Result: l2tp.StopCCNNotAuthorized}}
	for _, test := range []struct {
		name   string
		config Config
		play   func(s *script)
		want   Why
	}{
		{"another version", Config{}, func(s *script) { s.say(0, badSCCRQ) }, WhyVersion},
		{"we have no secret to answer with", Config{}, func(s *script) { s.say(0, challenged()) }, WhySecretUnknown},
		{"we have no secret to ask with", Config{RequireAuthentication: true}, func(s *script) { s.say(0, goodSCCRQ) }, WhySecretUnknown},
		{"it does not answer our challenge", secured, func(s *script) { s.say(0, goodSCCRQ); s.say(0, l2tp.SCCCN{}) }, WhySecretMissing},
		{"it answers with another secret", secured, func(s *script) {
			s.say(0, goodSCCRQ)
			s.say(0, l2tp.SCCCN{ChallengeResponse: make([]byte, 16)})
		}, WhySecretWrong},
		{"it does not like our answer", secured, func(s *script) { s.say(0, challenged()); s.say(0, refusal) }, WhySecretRefused},
		{"it refuses us for something else", secured, func(s *script) { s.say(0, goodSCCRQ); s.say(0, refusal) }, WhyNone},
		{"it closes after all", secured, func(s *script) {
			s.say(0, challenged())
			s.say(0, l2tp.StopCCN{AssignedTunnel: 7, Result: l2tp.ResultCode{Result: l2tp.StopCCNGeneral}})
		}, WhyNone},
		{"an unknown mandatory AVP", Config{}, func(s *script) { s.raw(0, with(goodSCCRQ)) }, WhyMalformed},
		{"a message out of place", Config{}, func(s *script) { s.say(0, goodSCCRQ); s.say(0, goodSCCRP) }, WhyMalformed},
		{"SCCRP never acknowledged", Config{MaxTransmissions: 2}, func(s *script) {
			s.say(0, goodSCCRQ)
			for d := time.Duration(0); d < time.Minute; d += time.Second {
				s.at(d)
			}
		}, WhyUnanswered},
		{"set-up over before the last resend", Config{SetupTimeout: time.Second}, func(s *script) {
			s.say(0, goodSCCRQ)
			s.at(time.Second)
		}, WhyUnanswered},
		{"SCCRP acknowledged and no more", Config{}, func(s *script) {
			s.say(0, goodSCCRQ)
			s.ack()
			s.at(time.Hour)
		}, WhyNotConnected},
		{"the peer closes an open tunnel", Config{}, func(s *script) {
			s.say(0, goodSCCRQ)
			s.say(0, l2tp.SCCCN{})
			s.say(0, refusal)
		}, WhyNone},
	} {
		s := newScript(t, test.config)
		test.play(s)
		var down []TunnelDown
		for _, a := range s.done {
			if d, ok := a.(TunnelDown); ok {
				down = append(down, d)
			}
		}
		if len(down) != 1 || down[0].Why != test.want {
			t.Errorf("%s: %+v, want %v", test.name, down, test.want)
		}
	}
}

func TestWhyACallWentDown(t *testing.T) {
	for _, test := range []struct {
		name   string
		config Config
		play   func(s *script)
		want   Why
	}{
		{"no ICCN came", Config{}, func(s *script) {
			s.do(func(now time.Time, out *Out) { s.tun.AcceptCall(3, 1, now, out) })
			s.ack()
			s.at(time.Hour)
		}, WhyNotConnected},
		{"a message out of place", Config{}, func(s *script) {
			s.do(func(now time.Time, out *Out) { s.tun.AcceptCall(3, 1, now, out) })
			s.say(3, l2tp.ICRP{AssignedSession: 1})
		}, WhyMalformed},
		{"one too many", Config{MaxSessions: 1}, func(s *script) { s.say(0, l2tp.ICRQ{AssignedSession: 2}) }, WhyTooManyCalls},
	} {
		s := tunnelIn(t, StateEstablished, test.config)
		s.say(0, l2tp.ICRQ{AssignedSession: 1})
		test.play(s)
		var down []CallDown
		for _, a := range s.done {
			if d, ok := a.(CallDown); ok {
				down = append(down, d)
			}
		}
		if len(down) != 1 || down[0].Why != test.want || down[0].ByPeer {
			t.Errorf("%s: %+v, want %v", test.name, down, test.want)
		}
	}
}

func TestEveryWhyHasItsOwnWords(t *testing.T) {
	seen := map[string]bool{}
	for w := WhyNone; w < whyCount; w++ {
		if w.String() == "" || seen[w.String()] {
			t.Errorf("%d reads %q", w, w)
		}
		seen[w.String()] = true
	}
	if whyCount.String() != "why 10" {
		t.Error(whyCount)
	}
}
