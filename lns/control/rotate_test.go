package control

import (
	"testing"
	"time"

	"lnsgate/lns/l2tp"
)

var rotating = Config{Secret: []byte("new"), PreviousSecrets: []l2tp.Secret{[]byte("old"), []byte("older")}, RequireAuthentication: true}

// While secrets are changed a peer gets in with any of them, and it is known with which.
func TestEverySecretOfARotationOpensTheTunnel(t *testing.T) {
	for want, secret := range []string{"new", "old", "older"} {
		s := newScript(t, rotating)
		s.say(0, goodSCCRQ)
		if _, proved := s.tun.PeerSecret(); proved {
			t.Errorf("%s: proved before the answer", secret)
		}
		right := l2tp.ChallengeResponse(l2tp.TypeSCCCN, []byte(secret), s.sent[0].(l2tp.SCCRP).Challenge)
		s.say(0, l2tp.SCCCN{ChallengeResponse: right[:]})
		s.want("SCCRP ZLB", "TunnelUp", StateEstablished)
		if which, proved := s.tun.PeerSecret(); which != want || !proved {
			t.Errorf("%s: secret %d, proved %v", secret, which, proved)
		}
	}
}

func TestASecretOutsideOfTheRotationIsWrong(t *testing.T) {
	for _, secret := range []string{"", "ne", "oldest", "newold"} {
		s := newScript(t, rotating)
		s.say(0, goodSCCRQ)
		wrong := l2tp.ChallengeResponse(l2tp.TypeSCCCN, []byte(secret), s.sent[0].(l2tp.SCCRP).Challenge)
		s.say(0, l2tp.SCCCN{ChallengeResponse: wrong[:]})
		s.wantStop(l2tp.StopCCNNotAuthorized, "secrets differ")
		if _, proved := s.tun.PeerSecret(); proved {
			t.Errorf("%q has proved itself", secret)
		}
	}
}

// Before the peer has proved anything its challenge is answered with the present secret.
func TestThePresentSecretAnswersThePeersChallenge(t *testing.T) {
	s := newScript(t, rotating)
	q := goodSCCRQ
	q.Challenge = []byte("who are you")
	s.say(0, q)
	if p := s.sent[0].(l2tp.SCCRP); !l2tp.VerifyChallengeResponse(l2tp.TypeSCCRP, []byte("new"), q.Challenge, p.ChallengeResponse) {
		t.Errorf("%+v", p)
	}
}

// What is hidden in the SCCRQ tells which secret the peer has; its challenge is answered with that one.
func TestHiddenAVPsTellThePeersSecret(t *testing.T) {
	for want, secret := range []string{"new", "old", "older"} {
		cfg := rotating
		cfg.HideAVPs = true
		p := newPair(t, Config{Secret: []byte(secret), RequireAuthentication: true, HideAVPs: true}, cfg)
		p.dial()
		p.run(time.Minute)
		if got := p.lns.State(); got != StateEstablished {
			t.Errorf("%s: %v", secret, got)
		}
		if which, _ := p.lns.PeerSecret(); which != want {
			t.Errorf("%s: secret %d", secret, which)
		}
	}
}
