package foreign_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"
)

// A session that moved while the pools were away owes them two things: what it was offered goes back, and what it has is kept.
func TestAMoveWhileThePoolsAreAway(t *testing.T) {
	run(t, func(r *rig) {
		q, d := r.mustLogin("nas", "ann")
		r.pools.fail(errors.New("away"))
		start := startOf(q, d)
		start.Address = netip.MustParseAddr("10.0.0.7")
		r.tell(start)
		r.pass(10 * time.Second) // it is tried, in vain
		r.pools.fail(nil)
		r.pass(time.Minute)
		if given, has := r.pools.holder(t, d.Address.String()), r.pools.holder(t, "10.0.0.7"); given != "" || has != q.Session || r.Stats().Owed != 0 {
			t.Errorf("%s is of %q, and 10.0.0.7 of %q: %+v", d.Address, given, has, r.Stats())
		}
	})
}
