package foreign_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
	"lnsgate/pool"
	"lnsgate/pool/memory"
)

func TestLateAndRepeatedRecordsChangeNothing(t *testing.T) {
	run(t, func(r *rig) {
		start := r.open("nas", "ann")
		r.pass(5 * time.Minute)
		interim := later(start, aaa.RecordInterim)
		r.pass(5 * time.Minute)
		r.tell(later(start, aaa.RecordInterim))
		r.tell(interim)
		r.tell(start)
		if n := len(r.books.records()); n != 2 {
			t.Errorf("%d records, want 2", n)
		}
		stop := later(start, aaa.RecordStop)
		r.tell(stop)
		for _, late := range []aaa.Record{stop, interim, start} {
			r.tell(late)
		}
		r.live()
		if n := len(r.books.records()); n != 3 {
			t.Errorf("%d records, want 3", n)
		}
		if h := r.pools.holder(t, start.Address.String()); h != "" {
			t.Errorf("%s has the address again", h)
		}
		if got := r.Stats(); got.Late != 5 || got.Known != 0 {
			t.Errorf("%+v", got)
		}
		r.restart()
		r.tell(interim)
		r.live()
		if h := r.pools.holder(t, start.Address.String()); h != "" {
			t.Errorf("after a restart %s has the address again", h)
		}
	})
}

func TestStopBeforeStart(t *testing.T) {
	run(t, func(r *rig) {
		q, d := r.mustLogin("nas", "ann")
		start := startOf(q, d)
		r.pass(time.Minute)
		r.tell(later(start, aaa.RecordStop))
		r.tell(start)
		r.live()
		if h := r.pools.holder(t, d.Address.String()); h != "" {
			t.Errorf("%s has the address", h)
		}
		if n := len(r.books.records()); n != 1 {
			t.Errorf("%d records, want the Stop", n)
		}
	})
}

func TestRecordIsConfirmedOnlyWhenItIsStored(t *testing.T) {
	run(t, func(r *rig) {
		q, d := r.mustLogin("nas", "ann")
		start := startOf(q, d)
		fault := errors.New("the disk is full")
		r.books.fail(fault)
		rec := start
		if err := r.Account(r.Context(), &rec); !errors.Is(err, fault) {
			t.Errorf("without records: %v", err)
		}
		r.live()
		r.books.fail(nil)
		r.store.Fail(fault)
		rec = start
		if err := r.Account(r.Context(), &rec); !errors.Is(err, fault) {
			t.Errorf("without a store: %v", err)
		}
		r.store.Fail(nil)
		r.tell(start)
		r.live(start.Session)
		stop := later(start, aaa.RecordStop)
		r.books.fail(fault)
		rec = stop
		if err := r.Account(r.Context(), &rec); !errors.Is(err, fault) {
			t.Errorf("a Stop without records: %v", err)
		}
		if h := r.pools.holder(t, d.Address.String()); h != start.Session {
			t.Error("the address is given back before it is written down that the session has ended")
		}
		r.books.fail(nil)
		r.tell(stop)
		r.live()
	})
}

// TestRecordThatIsNotTakenIsNotConfirmed, even where all that was taken is stored: the memory of the spool may be full for a moment.
func TestRecordThatIsNotTakenIsNotConfirmed(t *testing.T) {
	run(t, func(r *rig) {
		q, d := r.mustLogin("nas", "ann")
		start := startOf(q, d)
		full := errors.New("the memory is full")
		for _, rec := range []aaa.Record{start, later(start, aaa.RecordStop)} {
			r.books.refuse(full)
			refused := rec
			if err := r.Account(r.Context(), &refused); !errors.Is(err, full) {
				t.Errorf("%v: %v", rec.Kind, err)
			}
			r.books.refuse(nil)
			r.tell(rec)
		}
		if n := len(r.books.records()); n != 2 {
			t.Errorf("%d records, want both", n)
		}
	})
}

// TestSessionAfterAPowerCut has the name and the login of the one before, of which the NAS says nothing more. What each used is kept.
func TestSessionAfterAPowerCut(t *testing.T) {
	run(t, func(r *rig) {
		d := decision("ann")
		d.MaxSessions = 1
		r.people.set("ann", d)
		first := r.open("nas", "ann")
		r.pass(4 * time.Minute)
		r.tell(later(first, aaa.RecordInterim))
		r.pass(4 * time.Minute)
		second := first
		second.Started = time.Now().Truncate(time.Second)
		second.At = second.Started
		r.tell(second)
		r.live(second.Session)
		r.pass(time.Minute)
		r.tell(later(second, aaa.RecordInterim))
		last := r.books.last(t)
		if last.Terms == nil || last.Terms.RateUp != 1000 || last.RxOctets != 60 {
			t.Errorf("the last record is %+v", last)
		}
		if h := r.pools.holder(t, first.Address.String()); h != second.Session {
			t.Errorf("the address is %q's", h)
		}
		r.tell(later(second, aaa.RecordStop))
		var kinds []string
		for _, rec := range r.books.records() {
			kinds = append(kinds, fmt.Sprint(rec.Kind, " ", rec.RxOctets, " ", rec.Started.Equal(second.Started)))
		}
		want := []string{"start 0 false", "interim 240 false", "stop 240 false", "start 0 true", "interim 60 true", "stop 60 true"}
		if !slices.Equal(kinds, want) {
			t.Errorf("records %q", kinds)
		}
		r.live()
		r.mustLogin("nas", "ann") // the place is free
	})
}

// TestNobodyHasTheAddressBetweenLoginAndStart of a NAS that sends no Class back, whose sessions have another name than their logins. Who
// logs in with the same account at that moment would get it, for it was the last that the account had.
func TestNobodyHasTheAddressBetweenLoginAndStart(t *testing.T) {
	list, err := pool.ParseRange("10.0.0.1-10.0.0.10")
	if err != nil {
		t.Fatal(err)
	}
	allocator, err := memory.New(memory.Config{Pools: []pool.Pool{{Name: "p", Ranges: []pool.Range{list}, Quarantine: time.Minute, Sticky: true}}})
	if err != nil {
		t.Fatal(err)
	}
	p := &pools{Allocator: allocator}
	run(t, func(r *rig) {
		_, d := r.mustLogin("nas", "ann")
		var other aaa.Decision
		p.after = func() { _, other = r.mustLogin("nas", "ann") }
		start := unmarked("nas", "00000001", "ann")
		start.Address = d.Address
		r.tell(start)
		if other.Address == d.Address {
			t.Errorf("two have %s", d.Address)
		}
		if h := p.holder(t, d.Address.String()); h != start.Session {
			t.Errorf("the address is %q's", h)
		}
		if got := r.Stats(); got.Conflicts != 0 {
			t.Errorf("%+v", got)
		}
	}, func(c *foreign.Config) { c.Pools = p })
}

// TestManyOweWhenThePoolsAreBack: each waits for the database, and not for the others.
func TestManyOweWhenThePoolsAreBack(t *testing.T) {
	run(t, func(r *rig) {
		var starts []aaa.Record
		for range 10 {
			q, d := r.mustLogin("nas", "ann")
			starts = append(starts, startOf(q, d))
		}
		r.pools.fail(errors.New("away"))
		for _, start := range starts {
			r.tell(start)
		}
		r.pass(2 * time.Second)
		r.pools.slow(5 * time.Second)
		r.pools.fail(nil)
		r.pass(40 * time.Second)
		if n := r.Stats().Owed; n != 0 {
			t.Errorf("%d addresses are owed", n)
		}
		for _, start := range starts {
			if h := r.pools.holder(t, start.Address.String()); h != start.Session {
				t.Errorf("%s is %q's", start.Address, h)
			}
		}
	})
}

func TestSessionGoesOnWhilePoolsAreAway(t *testing.T) {
	run(t, func(r *rig) {
		d := decision("ann")
		d.MaxSessions = 1
		r.people.set("ann", d)
		q, d := r.mustLogin("nas", "ann")
		r.pools.fail(errors.New("away"))
		start := startOf(q, d)
		r.tell(start)
		r.live(start.Session)
		if got := r.Stats(); got.Owed != 1 {
			t.Errorf("%+v", got)
		}
		r.pass(time.Minute)
		r.pools.fail(nil)
		r.pass(time.Minute)
		if l := r.pools.lease(t, d.Address.String()); l.Holder != start.Session || time.Until(l.Expires) < time.Hour {
			t.Errorf("kept is %+v", l)
		}
		r.pools.fail(errors.New("away"))
		r.tell(later(start, aaa.RecordStop))
		if got := r.Stats(); got.Owed != 1 {
			t.Errorf("%+v", got)
		}
		r.pools.fail(nil)
		r.pass(time.Minute)
		if h := r.pools.holder(t, d.Address.String()); h != "" {
			t.Errorf("%s still has the address", h)
		}
		if got := r.Stats(); got.Owed != 0 {
			t.Errorf("%+v", got)
		}
		r.mustLogin("nas", "ann")
	})
}

func TestAddressesThatAreNotOurs(t *testing.T) {
	run(t, func(r *rig) {
		ann, bob := r.open("nas", "ann"), r.open("nas", "bob")
		q, d := r.mustLogin("nas", "cid")
		start := startOf(q, d)
		start.Address = ann.Address
		r.tell(start)
		if h := r.pools.holder(t, ann.Address.String()); h != ann.Session {
			t.Errorf("the address is %q's", h)
		}
		r.pass(10 * time.Second)
		if h := r.pools.holder(t, d.Address.String()); h != "" {
			t.Errorf("what was offered is still %q's", h)
		}
		if got := r.Stats(); got.Conflicts != 1 || got.Moved != 1 {
			t.Errorf("%+v", got)
		}
		r.live(ann.Session, bob.Session, start.Session)
		r.tell(later(ann, aaa.RecordStop))
		r.pass(5 * time.Minute)
		r.tell(later(start, aaa.RecordInterim)) // now nobody else has it
		if h := r.pools.holder(t, ann.Address.String()); h != start.Session {
			t.Errorf("the address is %q's", h)
		}
		r.tell(later(start, aaa.RecordStop))
		if h := r.pools.holder(t, ann.Address.String()); h != "" {
			t.Errorf("the address is still %q's", h)
		}
	})
}

// A NAS that sends no Class back gives its sessions names of their own.
func TestNASWithoutClass(t *testing.T) {
	for _, said := range []bool{true, false} {
		run(t, func(r *rig) {
			d := decision("ann")
			d.MaxSessions = 1
			r.people.set("ann", d)
			q := request("nas", "ann", 3)
			if said {
				q.NAS.Session = "77"
			}
			d, err := r.auth.Authenticate(r.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			start := startOf(q, d)
			start.Session, start.NAS.Session, start.Account, start.Domain, start.Backend = "nas/77", "77", "ann", "", ""
			r.tell(start)
			if l := r.pools.lease(t, d.Address.String()); l.Holder != "nas/77" || time.Until(l.Expires) < time.Hour {
				t.Errorf("bound is %+v", l)
			}
			if last := r.books.last(t); last.Domain != "d" || last.Backend != "local" || last.Terms == nil || last.Pool != "p" {
				t.Errorf("recorded is %+v", last)
			}
			if got := r.Stats(); got.Logins != 0 || got.Known != 1 || got.Conflicts != 0 {
				t.Errorf("%+v", got)
			}
			if _, _, err := r.login("nas", "ann"); cause(err) != aaa.SessionLimit {
				t.Errorf("a second: %v", err)
			}
			r.pass(time.Minute)
			r.tell(later(start, aaa.RecordStop))
			r.mustLogin("nas", "ann")
		})
	}
}

func TestNASWithoutClassAfterARestart(t *testing.T) {
	run(t, func(r *rig) {
		q, d := r.mustLogin("nas", "ann")
		r.stop()
		r.start() // the pools outlive this one
		start := startOf(q, d)
		start.Session, start.NAS.Session = "nas/77", "77"
		r.tell(start)
		if h := r.pools.holder(t, d.Address.String()); h != "nas/77" {
			t.Errorf("the address is %q's", h)
		}
	}, func(c *foreign.Config) { c.Shared = true })
}

// After a restart of the server nobody remembers which login a session belongs to when the NAS asks anew for it: it goes on by
// another name, with its address.
func TestSessionThatLogsInAnewUnderAnotherName(t *testing.T) {
	run(t, func(r *rig) {
		first := r.open("nas", "ann")
		r.pass(5 * time.Minute)
		r.restart()
		q := request("nas", "ann", 1)
		q.Session, q.NAS.Session = "nas/anew", first.NAS.Session
		logins.Store(q.Session, time.Now())
		d, err := r.auth.Authenticate(r.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		start := startOf(q, d)
		start.Address, start.NAS = first.Address, first.NAS
		r.pass(5 * time.Minute)
		r.tell(later(start, aaa.RecordInterim))
		r.live(start.Session)
		if h := r.pools.holder(t, first.Address.String()); h != start.Session {
			t.Errorf("the address is %q's", h)
		}
		r.pass(time.Second)
		if told := r.nases.orders(); len(told) != 0 || r.Stats().Conflicts != 0 {
			t.Errorf("told %+v, %+v", told, r.Stats())
		}
		if h := r.pools.holder(t, d.Address.String()); h != "" && d.Address != first.Address {
			t.Errorf("what was offered is %q's", h)
		}
	})
}

func TestNameThatIsUsedAgain(t *testing.T) {
	run(t, func(r *rig) {
		first := startOf(request("nas", "ann", 1), aaa.Decision{Account: "ann", Domain: "d"})
		first.Session, first.NAS.Session = "nas/1", "1"
		first.Address = r.pools.first(t)
		r.tell(first)
		r.pass(10 * time.Minute)
		second := first
		second.Started, second.At, second.Name, second.Account = time.Now().Truncate(time.Second), time.Now().Truncate(time.Second), "bob", "bob"
		nas := *first.NAS
		second.NAS = &nas
		r.tell(second)
		all := r.books.records()
		if len(all) != 3 || all[1].Kind != aaa.RecordStop || all[1].Name != "ann" || all[2].Name != "bob" {
			t.Fatalf("recorded is %+v", all)
		}
		r.live("nas/1")
		late := first
		late.Kind, late.Sequence = aaa.RecordStop, 1<<32-1
		r.tell(late) // of the first: it ends the first in the records, and nothing here
		r.live("nas/1")
		r.tell(later(second, aaa.RecordStop))
		r.live()
	})
}

// A NAS that sends no Class back may name the user in its records as the Accept did.
func TestNASWithoutClassTellsTheNameItWasGiven(t *testing.T) {
	run(t, func(r *rig) {
		d := decision("ann")
		d.UserName = "ann@upstream"
		r.people.set("ann", d)
		q, d := r.mustLogin("nas", "ann")
		start := startOf(q, d)
		start.Session, start.NAS.Session, start.Name, start.Account, start.Domain = "nas/77", "77", "ann@upstream", "ann@upstream", "upstream"
		r.tell(start)
		if h := r.pools.holder(t, d.Address.String()); h != "nas/77" {
			t.Errorf("the address is %q's", h)
		}
		if last := r.books.last(t); last.Account != "ann" || last.Domain != "d" {
			t.Errorf("recorded is %+v", last)
		}
	})
}

// Who takes the records of a domain takes those of sessions whose login another node had, too.
func TestRecordsOfStrangersGoWhereTheirDomainSays(t *testing.T) {
	run(t, func(r *rig) {
		q := request("nas", "ann", 1)
		start := startOf(q, decision("ann"))
		for _, rec := range []aaa.Record{start, later(start, aaa.RecordStop)} {
			r.tell(rec)
			if last := r.books.last(t); !slices.Equal(last.Sinks, []string{"upstream of d"}) {
				t.Errorf("%s goes to %q", rec.Kind, last.Sinks)
			}
		}
	}, func(c *foreign.Config) {
		c.Sinks = func(domain string) []string { return []string{"upstream of " + domain} }
	})
}
