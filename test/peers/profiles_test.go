package peers_test

import (
	"testing"

	"lnsgate/test/peers"
)

// Every profile logs in at the first try, on a server with the defaults, and understands every octet that it is sent.
func TestEveryProfileLogsInAtTheFirstTry(t *testing.T) {
	for _, p := range peers.All() {
		t.Run(p.Name, func(t *testing.T) {
			inLab(t, forgetful(p), func(l *lab) {
				peer := l.connect(p)
				if !peer.Address.IsValid() || peer.Address.IsUnspecified() {
					t.Errorf("address %s\n%s", peer.Address, peer.Transcript())
				}
				if n := len(l.logins.asked()); n != 1 {
					t.Errorf("the back end was asked %d times", n)
				}
				s := l.wantSessions(1)[0]
				if s.User != userName || s.Address != peer.Address {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// forgetful tells the server of the one kind of peer that it must be told of.
func forgetful(p peers.Profile) func(*lab) {
	return func(l *lab) {
		if p.TunnelZero {
			l.config.Groups[0].Profile = "dlink"
		}
	}
}
