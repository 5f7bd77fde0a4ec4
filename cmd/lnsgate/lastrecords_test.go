package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"lnsgate/aaa/spool"
)

// slowSpool stores a record each so often, until all are stored.
type slowSpool struct {
	each  time.Duration
	all   uint64
	began time.Time
}

func (s *slowSpool) Drain(ctx context.Context) error {
	timer := time.NewTimer(time.Until(s.began.Add(s.each * time.Duration(s.all))))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (s *slowSpool) Stats() spool.Stats {
	return spool.Stats{Delivered: min(s.all, uint64(time.Since(s.began)/s.each))}
}

func TestTheEndWaitsForRecordsAsLongAsSomeAreStored(t *testing.T) {
	for _, c := range []struct {
		what   string
		each   time.Duration
		all    uint64
		took   time.Duration
		stored bool
	}{
		{"soon", 300 * time.Millisecond, 5, 1500 * time.Millisecond, true},
		{"slowly, but all", 2 * time.Second, 4, 8 * time.Second, true},
		{"more than there is time for", time.Second, 100, drainMost, false},
		{"nobody takes any", time.Hour, 1, drainTimeout, false},
		{"hardly any", drainTimeout + time.Second, 100, drainTimeout, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &slowSpool{c.each, c.all, time.Now()}
			err := storeLast(s)
			if took := time.Since(s.began); took != c.took || (err == nil) != c.stored {
				t.Errorf("%s: after %s %v", c.what, took, err)
			}
		})
	}
}
