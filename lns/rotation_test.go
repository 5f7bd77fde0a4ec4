package lns_test

import (
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/lac"
)

func withSecrets(present string, previous ...string) func(*lns.Config, *lns.Deps) {
	return func(c *lns.Config, _ *lns.Deps) {
		g := &c.Groups[0]
		g.Secret, g.Authenticate = aaa.NewSecret(present), true
		for _, p := range previous {
			g.PreviousSecrets = append(g.PreviousSecrets, aaa.NewSecret(p))
		}
	}
}

func has(secret string) func(*lac.ClientConfig) {
	return func(c *lac.ClientConfig) { c.Secret = l2tp.Secret(secret) }
}

// A peer with a previous secret that wants proof of us refuses the present one, and gets in when it dials again.
func TestAPeerWithAPreviousSecretGetsInAtTheNextTry(t *testing.T) {
	runWith(t, fast, withSecrets("new", "old", "older"), func(r *rig) {
		for tries := range 3 {
			c := r.dial(1, "l2tpuser", "Admin@123", has("older"))
			if tries < 2 {
				if err := r.wantEnd(c, 20*time.Second); err == nil {
					t.Errorf("try %d: not refused", tries)
				}
			} else {
				r.wantUp(c, 20*time.Second)
			}
			c.cancel()
			r.sleep(40 * time.Second)
			c.end.Close()
		}
		again := r.dial(1, "l2tpuser", "Admin@123", has("older"))
		r.wantUp(again, 5*time.Second)
		again.cancel()
		r.sleep(40 * time.Second)
		again.end.Close()
		if n := r.server.Counters()["tunnels_with_previous_secret"]; n != 2 {
			t.Errorf("counted %d", n)
		}
		if !strings.Contains(r.log.String(), "still has a previous tunnel secret") {
			t.Error("the log does not say who has to be given the new one")
		}
		changed := r.dial(1, "l2tpuser", "Admin@123", has("new")) // it has been given the new one, and is found out likewise
		_ = r.wantEnd(changed, 20*time.Second)
		r.sleep(40 * time.Second)
		changed.end.Close()
		changed = r.dial(1, "l2tpuser", "Admin@123", has("new"))
		r.wantUp(changed, 20*time.Second)
		changed.cancel()
		r.sleep(40 * time.Second)
	})
}

func TestAPeerWithTheNewSecretGetsInAtOnce(t *testing.T) {
	runWith(t, fast, withSecrets("new", "old"), func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123", has("new"))
		r.wantUp(c, 5*time.Second)
		c.cancel()
		r.sleep(5 * time.Second)
		if n := r.server.Counters()["tunnels_with_previous_secret"]; n != 0 {
			t.Errorf("counted %d", n)
		}
	})
}
