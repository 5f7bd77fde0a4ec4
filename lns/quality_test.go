package lns_test

import (
	"testing"
	"time"

	"lnsgate/lns/negotiate"
	"lnsgate/test/simnet"
)

// The quality of an idle line is that of the network, and an account that dials again and again shows.
func TestSessionsTellTheQualityOfTheirLine(t *testing.T) {
	run(t, simnet.Config{Latency: 20 * time.Millisecond}, func(r *rig) {
		for range 2 {
			c := r.dial(2, "l2tpuser", "Admin@123")
			r.wantUp(c, 10*time.Second)
			c.cancel()
			r.wantEnd(c, 10*time.Second)
			c.end.Close()
			r.sleep(time.Minute)
		}
		c := r.dial(3, "l2tpuser", "Admin@123")
		r.wantUp(c, 10*time.Second)
		r.sleep(3 * time.Minute)
		all := r.server.Sessions()
		if len(all) != 1 {
			t.Fatalf("%d sessions", len(all))
		}
		q := all[0].Quality
		if n := len(q.Recent()); n < 4 || q.Sent < 4 || q.Lost != 0 {
			t.Errorf("%d sent, %d lost, %v", q.Sent, q.Lost, q.Recent())
		}
		for _, trip := range q.Recent() {
			if trip == negotiate.Unanswered || trip < 40*time.Millisecond || trip > 42*time.Millisecond {
				t.Errorf("a round trip of %v", trip)
			}
		}
		if n := all[0].LoginsLastHour; n != 3 {
			t.Errorf("%d logins in the last hour, want 3", n)
		}
		c.cancel()
		r.wantEnd(c, 10*time.Second)
	})
}
