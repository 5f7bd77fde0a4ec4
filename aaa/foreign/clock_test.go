package foreign_test

import (
	"testing"
	"time"

	"lnsgate/aaa"
)

// oldNAS is one that sends no Class back, and whose clock may be wrong.
type oldNAS struct {
	*rig
	off time.Duration // of its clock
}

func (n *oldNAS) now() time.Time { return time.Now().Add(n.off).Truncate(time.Second) }

// begins has a user log in, and its session begin, which has the name that it always has.
func (n *oldNAS) begins() aaa.Record {
	n.Helper()
	q, d := n.mustLogin("nas", "ann")
	start := startOf(q, d)
	start.NAS.Session = "80000001"
	start.Session, start.Account, start.Domain, start.Backend = "nas/80000001", "ann", "", ""
	start.Started, start.At = n.now(), n.now()
	n.tell(start)
	return start
}

// goesOn is a record of a session that has lasted so long, of a server that does not remember its start.
func (n *oldNAS) goesOn(start aaa.Record, kind aaa.RecordKind, lasted time.Duration) aaa.Record {
	start.Kind, start.At, start.Started = kind, n.now(), n.now().Add(-lasted)
	if start.Sequence = 2 + uint32(lasted/time.Second); kind == aaa.RecordStop {
		start.Sequence = 1<<32 - 1
	}
	return start
}

// is wants the last record to be of a session that began then, has lasted so long, and has its address.
func (n *oldNAS) is(kind aaa.RecordKind, began time.Time, lasted time.Duration, address string) {
	n.Helper()
	last := n.books.last(n)
	if last.Kind != kind || !last.Started.Equal(began) || last.At.Sub(last.Started) != lasted || last.Account != "ann" || last.Domain != "d" {
		n.Errorf("the last record is the %s of %q since %v, after %v; want the %s since %v, after %v",
			last.Kind, last.Account, last.Started, last.At.Sub(last.Started), kind, began, lasted)
	}
	if h := n.pools.holder(n, address); (h == "nas/80000001") != (kind != aaa.RecordStop) {
		n.Errorf("%s is held by %q", address, h)
	}
}

// A NAS without a clock of its own loses power, and gives the name of a session that it never ended, or that it did, to the next one.
func TestClockOfANASThatWasSetBack(t *testing.T) {
	for name, tc := range map[string]struct {
		ended bool
		off   time.Duration
	}{"lost": {false, -3 * time.Hour}, "ended": {true, -3 * time.Hour}, "not set back": {false, 0}} {
		t.Run(name, func(t *testing.T) {
			run(t, func(r *rig) {
				nas := &oldNAS{rig: r}
				r.pass(time.Hour)
				first := nas.begins()
				r.pass(10 * time.Minute)
				if tc.ended {
					r.tell(nas.goesOn(first, aaa.RecordStop, 10*time.Minute))
				}
				nas.off = tc.off
				r.pass(2 * time.Minute)
				began := time.Now().Truncate(time.Second)
				second := nas.begins()
				nas.is(aaa.RecordStart, began, 0, second.Address.String())
				if h := r.pools.holder(t, first.Address.String()); h != "" && first.Address != second.Address {
					t.Errorf("the address of the one before is %q's", h)
				}
				stops := 0
				for _, rec := range r.books.records() {
					if rec.Kind == aaa.RecordStop && rec.Started.Equal(first.Started) {
						stops++
					}
				}
				if stops != 1 {
					t.Errorf("the one before has %d Stops", stops)
				}
				r.pass(time.Minute)
				count := len(r.books.records())
				r.tell(second) // once more
				if n := len(r.books.records()); n != count {
					t.Errorf("%d records of a Start that is repeated: %+v", n-count, r.books.last(t))
				}
				r.pass(4 * time.Minute)
				r.tell(nas.goesOn(second, aaa.RecordInterim, 5*time.Minute))
				nas.is(aaa.RecordInterim, began, 5*time.Minute, second.Address.String())
				r.live("nas/80000001")
				nas.off = 0 // it has learned what time it is
				r.pass(5 * time.Minute)
				r.tell(nas.goesOn(second, aaa.RecordInterim, 10*time.Minute))
				nas.is(aaa.RecordInterim, began, 10*time.Minute, second.Address.String())
				r.pass(time.Minute)
				r.tell(nas.goesOn(second, aaa.RecordStop, 11*time.Minute))
				nas.is(aaa.RecordStop, began, 11*time.Minute, second.Address.String())
				r.live()
			})
		})
	}
}

// Nobody remembers the start of a session but the Store, and the NAS has set its clock: it is the same session.
func TestClockThatWasSetWhileASessionLasts(t *testing.T) {
	for name, off := range map[string][2]time.Duration{"back": {0, -2 * time.Hour}, "forward": {-2 * time.Hour, 0}, "not at all": {0, 0}} {
		t.Run(name, func(t *testing.T) {
			run(t, func(r *rig) {
				r.pass(time.Hour)
				nas := &oldNAS{rig: r, off: off[0]}
				start := nas.begins()
				r.pass(5 * time.Minute)
				r.tell(nas.goesOn(start, aaa.RecordInterim, 5*time.Minute))
				r.restart()
				nas.off = off[1]
				r.pass(5 * time.Minute)
				r.tell(nas.goesOn(start, aaa.RecordInterim, 10*time.Minute))
				nas.is(aaa.RecordInterim, start.Started, 10*time.Minute, start.Address.String())
				r.live(start.Session)
				r.pass(time.Minute)
				r.tell(nas.goesOn(start, aaa.RecordStop, 11*time.Minute))
				nas.is(aaa.RecordStop, start.Started, 11*time.Minute, start.Address.String())
				r.live()
			})
		})
	}
}

// The Start of the next session of a name was lost: it does not go on with the one before, which has lasted longer.
func TestASessionWhoseStartWasLostDoesNotGoOnWithTheOneBefore(t *testing.T) {
	run(t, func(r *rig) {
		nas := &oldNAS{rig: r}
		start := nas.begins()
		r.pass(20 * time.Minute)
		r.tell(nas.goesOn(start, aaa.RecordInterim, 20*time.Minute))
		r.pass(10 * time.Minute)
		r.tell(nas.goesOn(start, aaa.RecordInterim, 5*time.Minute))
		if last := r.books.last(t); last.Started.Sub(start.Started) != 25*time.Minute {
			t.Errorf("it began %v after the one before", last.Started.Sub(start.Started))
		}
		r.live(start.Session)
	})
}

// The first record of a session that comes does not tell how long it has lasted; its Start comes late, and is no other session's.
func TestAStartThatComesLateOpensNoSession(t *testing.T) {
	for name, kind := range map[string]aaa.RecordKind{"after the Interim": aaa.RecordInterim, "after the Stop": aaa.RecordStop} {
		t.Run(name, func(t *testing.T) {
			run(t, func(r *rig) {
				nas := &oldNAS{rig: r}
				q, d := r.mustLogin("nas", "ann")
				start := startOf(q, d)
				start.NAS.Session, start.Session = "80000001", "nas/80000001"
				start.Started, start.At = nas.now(), nas.now()
				r.pass(5 * time.Minute)
				r.tell(nas.goesOn(start, kind, 0))
				r.pass(3 * time.Minute)
				count := len(r.books.records())
				start.Delay = 8 * time.Minute
				r.tell(start)
				if n := len(r.books.records()); n != count || r.Stats().Late != 1 {
					t.Errorf("%d records of a late Start: %+v; %+v", n-count, r.books.last(t), r.Stats())
				}
				if kind == aaa.RecordStop {
					r.live()
				} else {
					r.live("nas/80000001")
				}
			})
		})
	}
}

// A Start that had to be sent twice is the first that is heard of its session.
func TestAStartThatWasSentTwiceOpensItsSession(t *testing.T) {
	run(t, func(r *rig) {
		nas := &oldNAS{rig: r}
		first := nas.begins()
		r.pass(10 * time.Minute)
		r.tell(nas.goesOn(first, aaa.RecordStop, 10*time.Minute))
		r.pass(10 * time.Minute)
		nas.off = -3 * time.Hour // the NAS was off, and its clock stood still
		second := first
		second.Started, second.At, second.Delay = nas.now(), nas.now(), 5*time.Second
		r.tell(second)
		r.live("nas/80000001")
	})
}
