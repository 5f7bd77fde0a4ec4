package radius

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/spool"
)

// deafTo is a server that never answers records of some sessions, as one that proxies to a server that is away.
func deafTo(deaf func(session string) bool) *fakeWait {
	return &fakeWait{book: newBook(), before: func(ctx context.Context, line string) error {
		if deaf(line) {
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}}
}

// deliver writes what is left again and again, as a spool does, and returns what is left after so many times.
func deliver(t *testing.T, r *Recorder, records []aaa.Record, times int) []aaa.Record {
	t.Helper()
	for range times {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		err := r.Write(ctx, records)
		cancel()
		var partial *spool.PartialError
		if err == nil {
			return nil
		}
		if !errors.As(err, &partial) {
			t.Fatal(err)
		}
		var left []aaa.Record
		for i, err := range partial.Errors {
			if err != nil {
				left = append(left, records[i])
			}
		}
		records = left
	}
	return records
}

// A record of before the restart that no server ever confirms must not keep the records of today from being sent.
func TestAnOldRecordThatIsNeverConfirmedHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		group := deafTo(func(session string) bool { return session == "old" })
		r := newRecorder(t, group, func(c *RecorderConfig) { c.OnOff, c.Since = true, began.Add(150*time.Second) })
		left := deliver(t, r, []aaa.Record{record(aaa.RecordStop, "old", 1), record(aaa.RecordStart, "new", 3)}, 6)
		if len(left) != 1 || left[0].Session != "old" {
			t.Errorf("%d are left; the server has %q", len(left), group.book.lines)
		}
	})
}

// More sessions than may be under way at once are stuck: the others get through all the same, and soon.
func TestManyStuckSessionsHoldUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		group := deafTo(func(session string) bool { return session[0] == 'x' })
		r := newRecorder(t, group, func(c *RecorderConfig) { c.InFlight = 4 })
		var records []aaa.Record
		for i := range 20 {
			records = append(records, record(aaa.RecordStart, fmt.Sprint("x", i), 1))
		}
		records = append(records, record(aaa.RecordStart, "a", 1), record(aaa.RecordStart, "b", 1))
		if left := deliver(t, r, records, 4); len(left) != 20 {
			t.Errorf("%d are left; the server has %q", len(left), group.book.lines)
		}
	})
}

// A server that comes back while old records wait hears of them before it hears of Accounting-On, which would close their
// sessions with other counters.
func TestAccountingOnWaitsForOldRecordsOverAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		lost := map[string]bool{"old3 2": true, "old4 2": true}
		group := deafTo(func(string) bool { return false })
		group.before = func(ctx context.Context, line string) error {
			if time.Since(begin) < 15*time.Second || lost[line] { // it is away, then it loses some
				if time.Since(begin) >= 15*time.Second {
					delete(lost, line)
				}
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}
		r := newRecorder(t, group, func(c *RecorderConfig) { c.OnOff, c.InFlight, c.Since = true, 1, began.Add(150*time.Second) })
		var records []aaa.Record
		for i := range 5 {
			records = append(records, record(aaa.RecordStop, fmt.Sprint("old", i), 1))
		}
		if left := deliver(t, r, append(records, record(aaa.RecordStart, "new", 3)), 20); len(left) != 0 {
			t.Fatalf("%d are left", len(left))
		}
		lines := group.book.lines
		n := len(lines) // one may have been answered in the moment it was given up, and sent again
		if n < 7 || lines[n-1] != "new 1" || slices.Index(lines, "node 7") != n-2 {
			t.Errorf("%q", lines)
		}
	})
}
