package foreign_test

import (
	"errors"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
	"lnsgate/aaa/foreign/foreigntest"
)

func TestRestartOfANASEndsWhatBeganBefore(t *testing.T) {
	run(t, func(r *rig) {
		old, other := r.open("nas", "ann"), r.open("bras", "bob")
		r.mustLogin("nas", "bob")
		r.pass(5 * time.Minute)
		r.tell(later(old, aaa.RecordInterim))
		r.pass(time.Minute)
		offered, gone := r.mustLogin("nas", "bob")
		r.pass(10 * time.Second)
		at := time.Now()
		r.pass(10 * time.Second)
		young := r.open("nas", "cid")
		if err := r.Restarted(r.Context(), "nas", at); err != nil {
			t.Fatal(err)
		}
		r.live(other.Session, young.Session)
		last := r.books.last(t)
		if last.Kind != aaa.RecordStop || last.Session != old.Session || last.Terminate != aaa.TerminateNASReboot || !last.At.Equal(at) ||
			last.Sequence != 303 || last.RxOctets != 300 || last.Reason == "" {
			t.Errorf("the Stop is %+v", last)
		}
		for address, holder := range map[string]string{
			old.Address.String(): "", gone.Address.String(): "", young.Address.String(): young.Session,
		} {
			if h := r.pools.holder(t, address); h != holder {
				t.Errorf("%s is %q's, want %q (the login was %s)", address, h, holder, offered.Session)
			}
		}
		if got := r.Stats(); got.Restarted != 1 || got.Logins != 0 {
			t.Errorf("%+v", got)
		}
		if err := r.Restarted(r.Context(), "nas", at); err != nil || len(r.books.records()) != 5 {
			t.Errorf("a second time: %v, %d records", err, len(r.books.records()))
		}
		late := old
		late.Kind, late.Sequence, late.At = aaa.RecordInterim, 372, at.Add(-time.Second) // kept by the NAS over its restart
		r.tell(late)
		r.live(other.Session, young.Session)
		stop := old
		stop.Kind, stop.Sequence, stop.RxOctets = aaa.RecordStop, 1<<32-1, 370
		r.tell(stop) // and so was this: it knows better
		if last := r.books.last(t); last.RxOctets != 370 {
			t.Errorf("the Stop of the NAS is not recorded: %+v", last)
		}
		r.live(other.Session, young.Session)
	})
}

func TestRestartIsToldAgainWhenItCannotBeWritten(t *testing.T) {
	run(t, func(r *rig) {
		start := r.open("nas", "ann")
		r.pass(time.Minute)
		r.books.fail(errors.New("full"))
		if err := r.Restarted(r.Context(), "nas", time.Now()); err == nil {
			t.Error("it is confirmed")
		}
		r.live(start.Session)
		r.books.fail(nil)
		if err := r.Restarted(r.Context(), "nas", time.Now()); err != nil {
			t.Error(err)
		}
		r.live()
	})
}

func TestSilentSessionsAreGivenUp(t *testing.T) {
	run(t, func(r *rig) {
		silent, talks, quiet := r.open("nas", "ann"), r.open("nas", "bob"), r.open("wifi", "cid")
		r.pass(5 * time.Minute)
		r.tell(later(silent, aaa.RecordInterim))
		heard := time.Now()
		for range 4 {
			r.tell(later(talks, aaa.RecordInterim))
			r.pass(5 * time.Minute)
		}
		r.live(talks.Session, quiet.Session) // wifi has never sent an Interim
		last := r.books.last(t)
		if last.Kind != aaa.RecordStop || last.Session != silent.Session || last.Terminate != aaa.TerminateLostService || !last.At.Equal(heard) {
			t.Errorf("the Stop is %+v", last)
		}
		if h := r.pools.holder(t, silent.Address.String()); h != "" {
			t.Errorf("the address is still %q's", h)
		}
		r.tell(later(silent, aaa.RecordInterim)) // it was alive
		r.live(silent.Session, talks.Session, quiet.Session)
		if h := r.pools.holder(t, silent.Address.String()); h != silent.Session {
			t.Errorf("the address is %q's", h)
		}
		r.pass(25 * time.Hour)
		r.live()
		if got := r.Stats(); got.Silent != 4 || got.Known != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// A NAS whose clock is wrong is not silent.
func TestClockOfANASDoesNotCount(t *testing.T) {
	run(t, func(r *rig) {
		start := r.open("nas", "ann")
		for range 20 {
			r.pass(5 * time.Minute)
			rec := later(start, aaa.RecordInterim)
			rec.At = start.Started
			r.tell(rec)
		}
		r.live(start.Session)
	})
}

func TestSilenceIsCountedFromOurOwnStart(t *testing.T) {
	run(t, func(r *rig) {
		start := r.open("nas", "ann")
		r.pass(5 * time.Minute)
		r.tell(later(start, aaa.RecordInterim))
		r.stop()
		r.pass(2 * time.Hour)
		r.restart()
		r.pass(10 * time.Minute)
		r.live(start.Session)
		if h := r.pools.holder(t, start.Address.String()); h != start.Session {
			t.Errorf("the address is %q's", h)
		}
		r.pass(10 * time.Minute)
		r.live()
	})
}

// A node that has just come does not know for how long it was the only one to hear of the sessions of another.
func TestSessionsOfANodeThatIsGone(t *testing.T) {
	run(t, func(r *rig) {
		r.stop()
		heard, unheard := foreigntest.Start("nas", 1, time.Now()), foreigntest.Start("bras", 2, time.Now())
		for _, rec := range []aaa.Record{unheard, foreigntest.Interim(heard, time.Minute)} {
			rec.Node = "gone"
			if err := r.store.Put(r.Context(), rec); err != nil {
				t.Fatal(err)
			}
		}
		r.pass(time.Hour)
		r.start()
		r.pass(10 * time.Minute)
		r.live(heard.Session, unheard.Session)
		r.pass(10 * time.Minute)
		r.live(unheard.Session)
		r.pass(23 * time.Hour)
		r.live(unheard.Session) // it may not have told anything in its time
		r.pass(time.Hour)
		r.live()
		if got := r.Stats(); got.Silent != 2 {
			t.Errorf("%+v", got)
		}
	}, func(c *foreign.Config) { c.Shared = true })
}

// Which node heard of a session last gives it up first.
func TestSilentSessionsOfAnotherNode(t *testing.T) {
	run(t, func(r *rig) {
		r.pass(time.Hour)
		rec := foreigntest.Interim(foreigntest.Start("nas", 1, time.Now()), time.Minute)
		rec.Node = "other"
		if err := r.store.Put(r.Context(), rec); err != nil {
			t.Fatal(err)
		}
		r.pass(20 * time.Minute)
		r.live(rec.Session)
		r.pass(5 * time.Minute)
		r.live()
	}, func(c *foreign.Config) { c.Shared = true })
}

// TestNobodyIsSilentWhileTheStoreIsAway: the other node could not write down what it has heard, and does so when the Store is back.
func TestNobodyIsSilentWhileTheStoreIsAway(t *testing.T) {
	run(t, func(r *rig) {
		start := foreigntest.Start("nas", 1, time.Now())
		first := foreigntest.Interim(start, time.Minute)
		first.Node = "other"
		if err := r.store.Put(r.Context(), first); err != nil {
			t.Fatal(err)
		}
		r.store.Fail(errors.New("away"))
		r.pass(time.Hour)
		r.store.Fail(nil)
		r.pass(15 * time.Minute)
		r.live(start.Session)
		r.pass(5 * time.Minute) // then it is silent indeed
		r.live()
	}, func(c *foreign.Config) { c.Shared = true })
}

func TestMemoryIsBounded(t *testing.T) {
	counts := foreign.NewCounts(nil)
	run(t, func(r *rig) {
		for _, name := range []string{"ann", "bob", "cid"} {
			d := decision(name)
			d.MaxSessions = 1
			r.people.set(name, d)
			r.mustLogin("wifi", name)
		}
		if got := r.Stats(); got.Logins != 2 {
			t.Errorf("%+v", got)
		}
		r.pass(5 * time.Second)
		r.mustLogin("wifi", "ann") // the one that was forgotten does not count
		if _, _, err := r.login("wifi", "cid"); cause(err) != aaa.SessionLimit {
			t.Errorf("a second: %v", err)
		}
	}, func(c *foreign.Config) { c.Most, c.Registry = 2, counts })
}

func TestNobodyIsLetInBeforeTheSessionsThatLiveHaveTheirAddresses(t *testing.T) {
	run(t, func(r *rig) {
		start := r.open("nas", "ann")
		r.stop()
		r.store.Fail(errors.New("away"))
		r.restart()
		_, _, err := r.login("nas", "bob")
		if no := (*aaa.Rejection)(nil); !errors.As(err, &no) || !no.Retryable() {
			t.Errorf("a login: %v", err)
		}
		rec := later(start, aaa.RecordInterim)
		if err := r.Account(r.Context(), &rec); err == nil {
			t.Error("a record is confirmed")
		}
		r.store.Fail(nil)
		if _, d := r.mustLogin("nas", "bob"); d.Address == start.Address {
			t.Errorf("%s is given twice", d.Address)
		}
	})
}

// What one node let in another hears of.
func TestTwoNodes(t *testing.T) {
	counts := foreign.NewCounts(nil)
	shared := func(c *foreign.Config) { c.Shared, c.Registry = true, counts }
	run(t, func(r *rig) {
		d := decision("ann")
		d.MaxSessions = 1
		r.people.set("ann", d)
		q, d := r.mustLogin("nas", "ann")
		config := r.config
		config.Node = "n2"
		other, err := foreign.New(config)
		if err != nil {
			t.Fatal(err)
		}
		start := startOf(q, d)
		if err := other.Account(r.Context(), &start); err != nil {
			t.Fatal(err)
		}
		r.pass(3 * time.Minute) // the login lapses here
		if h := r.pools.holder(t, d.Address.String()); h != q.Session {
			t.Errorf("the address is %q's", h)
		}
		if _, _, err := r.login("nas", "ann"); cause(err) != aaa.SessionLimit {
			t.Errorf("a second: %v", err)
		}
		r.tell(later(start, aaa.RecordStop))
		r.live()
		if h := r.pools.holder(t, d.Address.String()); h != "" {
			t.Errorf("the address is still %q's", h)
		}
		r.mustLogin("nas", "ann")
	}, shared)
}
