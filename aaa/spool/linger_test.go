package spool

import (
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"lnsgate/aaa"
)

// safeAfter is how long a record takes to the disk that comes behind a group of so many.
func safeAfter(t *testing.T, group int, hurry bool) (took time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		s := mustOpen(t, Config{Path: filepath.Join(t.TempDir(), "f"), Sink: newMemory()})
		for n := range group {
			s.Account(record(aaa.RecordStart, fmt.Sprint("s", n), 1))
		}
		stop := start(t, s)
		synctest.Wait()
		began := time.Now()
		s.Account(record(aaa.RecordStart, "last", 1))
		for s.written() < uint64(group)+1 {
			if hurry {
				if err := s.Sync(t.Context()); err != nil {
					t.Fatal(err)
				}
				break
			}
			time.Sleep(100 * time.Microsecond)
			synctest.Wait()
		}
		took = time.Since(began)
		stop()
	})
	return took
}

func TestTheMoreRecordsComeTheLongerAGroupWaits(t *testing.T) {
	for _, x := range []struct {
		group int
		hurry bool
		want  time.Duration
	}{
		{1, false, 2 * time.Millisecond},
		{3, false, 2 * time.Millisecond},
		{8, false, 4 * time.Millisecond},
		{40, false, 12 * time.Millisecond},
		{1000, false, 20 * time.Millisecond},
		{1000, true, 2 * time.Millisecond},
	} {
		if got := safeAfter(t, x.group, x.hurry); got < x.want || got > x.want+200*time.Microsecond {
			t.Errorf("behind %d records, somebody waiting %t: %s, want %s", x.group, x.hurry, got, x.want)
		}
	}
}
