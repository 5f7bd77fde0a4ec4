package lns_test

import (
	"runtime"
	"testing"
	"time"

	"lnsgate/lns"
	"lnsgate/lns/recorder"
)

// costOfLogins is what one login takes, in allocations and octets, with all that goes with it.
func costOfLogins(t *testing.T, logins int, change func(*lns.Config, *lns.Deps)) (allocations, octets float64) {
	runWith(t, fast, change, func(r *rig) {
		var before, after runtime.MemStats
		for i := range 20 + logins {
			if i == 20 {
				runtime.ReadMemStats(&before)
			}
			c := r.dial(1, "l2tpuser", "Admin@123")
			r.wantUp(c, time.Second)
			c.cancel()
			r.wantEnd(c, 10*time.Second)
			c.end.Close()
			r.sleep(time.Second)
		}
		runtime.ReadMemStats(&after)
		allocations = float64(after.Mallocs-before.Mallocs) / float64(logins)
		octets = float64(after.TotalAlloc-before.TotalAlloc) / float64(logins)
	})
	return allocations, octets
}

// What the story of a login takes that goes well, in addition to the login.
const (
	storyAllocations = 30
	storyOctets      = 8000
)

// A login that goes well is told in few words: what nobody asks for is not put into sentences.
func TestTheStoryOfALoginCostsLittle(t *testing.T) {
	const logins = 200
	var rec *recorder.Recorder
	without, octetsWithout := costOfLogins(t, logins, nil)
	with, octetsWith := costOfLogins(t, logins, recording(&rec, nil))
	t.Logf("a login takes %.0f allocations and %.0f octets, its story %.1f and %.0f", without, octetsWithout, with-without, octetsWith-octetsWithout)
	if with-without > storyAllocations || octetsWith-octetsWithout > storyOctets {
		t.Errorf("the story of a login takes %.1f allocations and %.0f octets, of %d and %d allowed", with-without, octetsWith-octetsWithout,
			storyAllocations, storyOctets)
	}
}
