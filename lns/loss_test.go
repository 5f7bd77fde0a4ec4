package lns_test

import (
	"fmt"
	"testing"
	"time"

	"lnsgate/test/simnet"
)

// A login must survive the loss of datagrams. Every one that a whole login sends is lost in turn, then every two of them.

// datagramsOfLogin is how many datagrams one undisturbed login and goodbye take.
func datagramsOfLogin(t *testing.T) (n int) {
	t.Helper()
	run(t, simnet.Config{Latency: 5 * time.Millisecond}, func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123")
		r.wantUp(c, time.Second)
		n = r.net.Sent()
		c.cancel()
		r.wantEnd(c, 5*time.Second)
	})
	return n
}

func loginWithout(t *testing.T, limit time.Duration, numbers ...int) {
	t.Helper()
	run(t, simnet.Config{Latency: 5 * time.Millisecond}, func(r *rig) {
		r.net.Drop(numbers...)
		c := r.dial(1, "l2tpuser", "Admin@123")
		up := r.wantUp(c, limit)
		if len(r.path.Specs()) != 1 && !t.Failed() {
			r.sleep(5 * time.Second) // the client is up as soon as it has our Ack; we wait for its own
		}
		if len(r.path.Specs()) != 1 {
			t.Errorf("without %v: the client is up at %v, but no session is in the data path", numbers, up.Address)
		}
		c.cancel()
		r.wantEnd(c, 10*time.Second)
	})
}

func TestLoginSurvivesTheLossOfAnyDatagram(t *testing.T) {
	n := datagramsOfLogin(t)
	if n < 20 || n > 60 {
		t.Fatalf("a login took %d datagrams", n)
	}
	for i := 1; i <= n; i++ {
		t.Run(fmt.Sprint(i), func(t *testing.T) { loginWithout(t, 6*time.Second, i) })
	}
}

func TestLoginSurvivesTheLossOfAnyTwoDatagrams(t *testing.T) {
	n := datagramsOfLogin(t)
	for i := 1; i <= n; i++ {
		for j := i + 1; j <= n+4; j++ {
			t.Run(fmt.Sprintf("%d+%d", i, j), func(t *testing.T) { loginWithout(t, 15*time.Second, i, j) })
		}
	}
}

func TestLoginsConvergeOverABadNetwork(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			network := simnet.Config{Latency: 20 * time.Millisecond, Jitter: 40 * time.Millisecond, Loss: 0.1, Duplicate: 0.05,
				Reorder: 0.2, Seed: seed}
			run(t, network, func(r *rig) {
				c := r.dial(1, "l2tpuser", "Admin@123")
				r.wantUp(c, 40*time.Second)
				c.cancel()
				r.wantEnd(c, 30*time.Second)
			})
		})
	}
}
