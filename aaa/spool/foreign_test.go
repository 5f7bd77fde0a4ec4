package spool

import (
	"bytes"
	"math"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"lnsgate/aaa"
)

// TestSessionsOfOtherNASesLiveOn: they are not ours to end, wherever their last record is.
func TestSessionsOfOtherNASesLiveOn(t *testing.T) {
	sink := newMemory()
	cfg := quick(t, sink)
	s := mustOpen(t, cfg)
	stop := start(t, s)
	s.Account(foreign(record(aaa.RecordStart, "delivered", 1)))
	s.Account(foreign(record(aaa.RecordInterim, "delivered", 2)))
	s.Account(record(aaa.RecordStart, "own", 1))
	drain(t, s)
	if open := s.Stats().Open; open != 1 {
		t.Errorf("%d sessions of our own are open", open)
	}
	stop()
	s = mustOpen(t, cfg)
	expect(t, queue(t, s), "own stop 2")
	s.Account(foreign(record(aaa.RecordStart, "waiting", 1)))
	mustFlush(t, s)
	s.Close()
	s = mustOpen(t, cfg)
	expect(t, queue(t, s), "own stop 2", "waiting start 1")
	if s.Stats().Orphans != 0 {
		t.Errorf("%+v", s.Stats())
	}
}

// TestOtherNASesTellLate: what comes late takes no place of what is newer, neither in memory nor in the file nor after a restart.
func TestOtherNASesTellLate(t *testing.T) {
	interim := func(sequence uint32) aaa.Record { return foreign(record(aaa.RecordInterim, "s", sequence)) }
	bare, again := interim(130), interim(2)
	bare.Terms = nil
	again.Started = again.Started.Add(time.Hour)
	stop := foreign(record(aaa.RecordStop, "s", math.MaxUint32))
	for _, test := range []struct {
		name string
		come []aaa.Record
		want []string
	}{
		{"newer", []aaa.Record{interim(60), interim(120)}, []string{"s interim 120"}},
		{"twice", []aaa.Record{interim(60), interim(60)}, []string{"s interim 60"}},
		{"late", []aaa.Record{interim(120), interim(60)}, []string{"s interim 120", "s interim 60"}},
		{"a late start", []aaa.Record{interim(120), foreign(record(aaa.RecordStart, "s", 1)), interim(180)}, []string{"s interim 120", "s start 1", "s interim 180"}},
		{"the stop", []aaa.Record{interim(120), stop}, []string{"s stop 4294967295"}},
		{"after the stop", []aaa.Record{stop, interim(120)}, []string{"s stop 4294967295", "s interim 120"}},
		{"without terms", []aaa.Record{interim(120), bare}, []string{"s interim 120", "s interim 130"}},
		{"another session by the same name", []aaa.Record{interim(120), again}, []string{"s interim 120", "s interim 2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, every := range []int{1, 10} { // flushed one by one, and after the first all at once
				cfg := quick(t, newMemory())
				s := mustOpen(t, cfg)
				for n, r := range test.come {
					s.Account(r)
					if n%every == 0 {
						mustFlush(t, s)
					}
					if every == 1 {
						s.Close()
						s = mustOpen(t, cfg)
					}
				}
				mustFlush(t, s)
				expect(t, queue(t, s), test.want...)
				if s.Stats().Waiting != len(test.want) {
					t.Errorf("%+v", s.Stats())
				}
				s.Close()
			}
		})
	}
}

// TestOlderFilesAreRead: a file whose records an lnsgate wrote that knew of no other NAS.
func TestOlderFilesAreRead(t *testing.T) {
	cfg := quick(t, newMemory())
	s := mustOpen(t, cfg)
	for _, session := range []string{"a", "b"} {
		s.Account(record(aaa.RecordStop, session, 2))
	}
	mustFlush(t, s)
	r := record(aaa.RecordStop, "a", 2)
	old := appendRecord(nil, &r)
	old = old[:len(old)-len(appendIPv6(nil, r.IPv6))-len(appendAccess(nil, &r))] // before there was RADIUS
	err := s.store.db.Update(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketQueue).Cursor()
		k, v := c.First()
		if !bytes.HasPrefix(v, old) || v[0] != 1 {
			t.Errorf("the form of our own records has changed: %x", v)
		}
		return tx.Bucket(bucketQueue).Put(k, old)
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = mustOpen(t, cfg)
	expect(t, queue(t, s), "a stop 2", "b stop 2")
}
