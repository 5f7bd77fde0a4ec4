package foreign_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
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

// A session that began though it has no place must end, and so it must where its Start could not be stored at first.
func TestASessionThatMustEndIsNotForgotten(t *testing.T) {
	run(t, func(r *rig) {
		d := decision("ann")
		d.MaxSessions = 1
		r.people.set("ann", d)
		first, second := request("nas", "ann", 7), request("nas", "ann", 7)
		second.Session = "nas/second try"
		logins.Store(second.Session, time.Now())
		var got [2]aaa.Decision
		for i, q := range []*aaa.Request{first, second} {
			var err error
			if got[i], err = r.auth.Authenticate(r.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		r.tell(startOf(second, got[1]))
		start := startOf(first, got[0])
		r.books.fail(errors.New("full"))
		if again := start; r.Account(r.Context(), &again) == nil {
			t.Fatal("a record that is not stored is confirmed")
		}
		r.books.fail(nil)
		r.tell(start)
		if told := r.nases.orders(); len(told) != 1 || told[0].Kind != foreign.Disconnect || told[0].Session.Session != first.Session {
			t.Errorf("told %+v", told)
		}
	})
}

// However often a session moves while the pools are away, all that it had goes back.
func TestManyMovesWhileThePoolsAreAway(t *testing.T) {
	run(t, func(r *rig) {
		start := r.open("nas", "ann")
		r.pools.fail(errors.New("away"))
		for _, next := range []string{"10.0.0.5", "10.0.0.6", "10.0.0.7"} {
			r.pass(5 * time.Minute)
			interim := later(start, aaa.RecordInterim)
			interim.Address = netip.MustParseAddr(next)
			r.tell(interim)
		}
		r.pools.fail(nil)
		r.pass(time.Minute)
		if had, has := r.pools.holder(t, start.Address.String()), r.pools.holder(t, "10.0.0.7"); had != "" || has != start.Session {
			t.Errorf("%s is of %q, and 10.0.0.7 of %q", start.Address, had, has)
		}
	})
}
