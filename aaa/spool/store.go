package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"

	"lnsgate/aaa"
	"lnsgate/aaa/boltfile"
)

// The buckets of the file.
var (
	bucketQueue   = []byte("queue")   // serial -> record that waits
	bucketOpen    = []byte("open")    // session of our own -> its last record that was delivered, no Stop
	bucketRefused = []byte("refused") // serial -> record that the sink can never store
	bucketMeta    = []byte("meta")
	keyAlive      = []byte("alive") // when a process last wrote, in nanoseconds since 1970
)

// item is a record in the queue.
type item struct {
	serial uint64
	raw    []byte
	record aaa.Record
}

// store is the file. It is safe for concurrent use. What its maps say is true of the file after each call.
type store struct {
	db   *bolt.DB
	most int // octets that the file may have before records are refused; 0: no limit

	mu       sync.Mutex
	reserve  reserve
	again    time.Time        // when the reserve, once given up, may be made again although records wait
	serial   uint64           // the highest in use
	waiting  int              // records in the queue
	open     int              // sessions in the bucket open
	refused  int              // records in the bucket refused
	interims map[string]place // session -> its waiting interim
}

// openStore opens the file and reads what a predecessor left in it.
func openStore(path string, most int64) (_ *store, err error) {
	db, err := boltfile.Open(path)
	if err != nil {
		return nil, err
	}
	s := &store{db: db, most: int(most), interims: make(map[string]place), reserve: reserve{path: path + ".reserve"}}
	s.reserve.hold()
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	return s, boltfile.Careful(func() error { return db.Update(makeBuckets) })
}

func makeBuckets(tx *bolt.Tx) error {
	for _, name := range [][]byte{bucketQueue, bucketOpen, bucketRefused, bucketMeta} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) close() error { return s.db.Close() }

func key(serial uint64) []byte { return binary.BigEndian.AppendUint64(nil, serial) }

// resume reads the queue, gives refused records another try, and answers the last record of each session of our own without a
// Stop: those of other NASes live on. It is called once, before all others.
func (s *store) resume() (orphans []aaa.Record, alive time.Time, err error) {
	sessions := make(map[string]aaa.Record)
	err = boltfile.Careful(func() error {
		return s.update(func(tx *bolt.Tx) error {
			alive = readAlive(tx)
			if err := s.readOpen(tx, sessions); err != nil {
				return err
			}
			if err := s.readQueue(tx, sessions); err != nil {
				return err
			}
			return s.requeue(tx)
		})
	})
	for _, name := range slices.Sorted(maps.Keys(sessions)) {
		orphans = append(orphans, sessions[name])
	}
	return orphans, alive, err
}

func readAlive(tx *bolt.Tx) time.Time {
	if v := tx.Bucket(bucketMeta).Get(keyAlive); len(v) == 8 {
		return time.Unix(0, int64(binary.BigEndian.Uint64(v)))
	}
	return time.Time{}
}

func (s *store) readOpen(tx *bolt.Tx, sessions map[string]aaa.Record) error {
	return tx.Bucket(bucketOpen).ForEach(func(k, v []byte) error {
		s.open++
		if r, err := decodeRecord(v); err == nil {
			sessions[r.Session] = r
		}
		return nil
	})
}

// readQueue follows the sessions through the queue. What cannot be read is set aside.
func (s *store) readQueue(tx *bolt.Tx, sessions map[string]aaa.Record) error {
	queue, refused := tx.Bucket(bucketQueue), tx.Bucket(bucketRefused)
	if last, _ := refused.Cursor().Last(); len(last) == 8 {
		s.serial = binary.BigEndian.Uint64(last)
	}
	var unreadable [][]byte
	err := queue.ForEach(func(k, v []byte) error {
		if len(k) == 8 {
			s.serial = max(s.serial, binary.BigEndian.Uint64(k))
		}
		r, err := decodeRecord(v)
		switch {
		case err != nil || len(k) != 8:
			unreadable = append(unreadable, bytes.Clone(k))
			return nil
		case r.Kind == aaa.RecordStop:
			delete(sessions, r.Session)
		case r.NAS == nil:
			sessions[r.Session] = r
		}
		if r.Kind == aaa.RecordInterim {
			s.interims[r.Session] = placeOf(&r, binary.BigEndian.Uint64(k))
		} else {
			delete(s.interims, r.Session)
		}
		s.waiting++
		return nil
	})
	for _, k := range unreadable {
		err = errors.Join(err, refused.Put(k, bytes.Clone(queue.Get(k))), queue.Delete(k))
	}
	return err
}

// requeue puts what the sink refused at the end of the queue. A sink that knows a newer record of the session already
// leaves it out.
func (s *store) requeue(tx *bolt.Tx) error {
	queue, refused := tx.Bucket(bucketQueue), tx.Bucket(bucketRefused)
	var again [][]byte
	err := refused.ForEach(func(k, v []byte) error {
		if _, err := decodeRecord(v); err == nil {
			again = append(again, bytes.Clone(k))
		} else {
			s.refused++
		}
		return nil
	})
	for _, k := range again {
		s.serial++
		err = errors.Join(err, queue.Put(key(s.serial), bytes.Clone(refused.Get(k))), refused.Delete(k))
		s.waiting++
	}
	return err
}

// update runs one transaction. Records are appended: pages can be filled to the top.
func (s *store) update(change func(*bolt.Tx) error) error {
	return s.db.Update(func(tx *bolt.Tx) error {
		tx.Bucket(bucketQueue).FillPercent = 0.95
		return change(tx)
	})
}

// put writes records to the queue: at its end, or in the place of the waiting interim of the session. All or none. It
// also notes that the process lives, if that matters to a session.
func (s *store) put(records []aaa.Record, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(records) == 0 && s.open == 0 && s.waiting == 0 {
		return nil
	}
	if !s.room(len(records)) {
		return errNoReserve
	}
	s.db.MaxSize = s.most
	serial, moved := s.serial, make(map[string]place) // serial 0: none waits any more
	err := s.update(func(tx *bolt.Tx) error {
		queue := tx.Bucket(bucketQueue)
		for i := range records {
			r := &records[i]
			at, changed := moved[r.Session]
			if !changed {
				at = s.interims[r.Session]
			}
			if at.serial == 0 || !at.givesWayTo(r) {
				serial++
				at.serial = serial
			}
			if err := queue.Put(key(at.serial), appendRecord(nil, r)); err != nil {
				return err
			}
			moved[r.Session] = place{}
			if r.Kind == aaa.RecordInterim {
				moved[r.Session] = placeOf(r, at.serial)
			}
		}
		return tx.Bucket(bucketMeta).Put(keyAlive, binary.BigEndian.AppendUint64(nil, uint64(now.UnixNano())))
	})
	if err != nil {
		return err
	}
	s.waiting += int(serial - s.serial)
	s.serial = serial
	for session, at := range moved {
		s.setInterim(session, at)
	}
	return nil
}

var errNoReserve = fmt.Errorf("no room for %d KiB of reserve beside it: %w", reserveSize>>10, syscall.ENOSPC)

// room reports whether records may be added. Without the reserve they must not take the last pages of the file: then the
// queue could not get shorter any more. When nothing waits, a few pages are enough.
func (s *store) room(records int) bool {
	if s.waiting == 0 || time.Now().After(s.again) {
		s.reserve.hold()
	}
	if s.reserve.held {
		return true
	}
	pages := s.db.Stats()
	spare := reserveSize >> 12
	if s.waiting == 0 {
		spare = 8
	}
	return pages.FreePageN+pages.PendingPageN > spare+records
}

func (s *store) setInterim(session string, at place) {
	if at.serial == 0 {
		delete(s.interims, session)
	} else {
		s.interims[session] = at
	}
}

// head answers the oldest records of the queue, in order. It changes nothing.
func (s *store) head(most int) (items []item, err error) {
	if waiting, _, _ := s.figures(); waiting > 0 {
		items = make([]item, 0, min(most, waiting))
	}
	err = s.db.View(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketQueue).Cursor()
		for k, v := c.First(); k != nil && len(items) < most; k, v = c.Next() {
			r, err := decodeRecord(v)
			if err != nil {
				return fmt.Errorf("record %x of the queue: %w", k, err)
			}
			items = append(items, item{binary.BigEndian.Uint64(k), bytes.Clone(v), r})
		}
		return nil
	})
	return items, err
}

// remove takes delivered records off the queue and notes them as the last of their session. One whose place a newer
// record has taken since stays in the queue.
func (s *store) remove(items []item) error { return s.settle(items, false) }

// refuse takes records off the queue that the sink can never store, and keeps them aside.
func (s *store) refuse(items []item) error { return s.settle(items, true) }

// settle ends the wait of records. On a full disk it goes in small steps: each needs a few free pages, which the one
// before has left.
func (s *store) settle(items []item, refuse bool) error {
	err := s.settleAll(items, refuse)
	if err == nil || len(items) == 1 {
		return err
	}
	for part := range slices.Chunk(items, (len(items)+7)/8) {
		if err := s.settle(part, refuse); err != nil {
			return err
		}
	}
	return nil
}

// settleAll gives the reserve up when there is no other way.
func (s *store) settleAll(items []item, refuse bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.trySettle(items, refuse)
	if err != nil && len(items) == 1 && s.reserve.release() {
		s.again = time.Now().Add(pulse)
		err = s.trySettle(items, refuse)
	}
	return err
}

func (s *store) trySettle(items []item, refuse bool) error {
	s.db.MaxSize = 0 // the limit must not keep the queue from getting shorter
	gone := make([]*item, 0, len(items))
	var opened int
	err := s.update(func(tx *bolt.Tx) error {
		gone, opened = gone[:0], 0
		queue, open, refused := tx.Bucket(bucketQueue), tx.Bucket(bucketOpen), tx.Bucket(bucketRefused)
		at := queue.Cursor()
		for n := range items {
			i := &items[n]
			k := key(i.serial)
			if found, raw := at.Seek(k); bytes.Equal(found, k) && bytes.Equal(raw, i.raw) {
				if err := at.Delete(); err != nil {
					return err
				}
				gone = append(gone, i)
			}
			if refuse {
				if err := refused.Put(k, i.raw); err != nil {
					return err
				}
			}
		}
		for _, i := range latest(items) {
			n, err := note(open, i)
			if err != nil {
				return err
			}
			opened += n
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.waiting -= len(gone)
	s.open += opened
	if refuse {
		s.refused += len(items)
	}
	for _, i := range gone {
		if s.interims[i.record.Session].serial == i.serial {
			delete(s.interims, i.record.Session)
		}
	}
	return nil
}

// latest answers the last record of each session of our own, by session: neighbours share a page of the file.
func latest(items []item) []*item {
	last := make(map[string]*item, len(items))
	for i := range items {
		if items[i].record.NAS == nil {
			last[items[i].record.Session] = &items[i]
		}
	}
	return slices.SortedFunc(maps.Values(last), func(a, b *item) int { return bytes.Compare([]byte(a.record.Session), []byte(b.record.Session)) })
}

// note writes down the last delivered record of a session and answers by how much the number of open sessions changed.
func note(open *bolt.Bucket, i *item) (int, error) {
	session := []byte(i.record.Session)
	known := open.Get(session) != nil
	switch {
	case i.record.Kind != aaa.RecordStop && known:
		return 0, open.Put(session, i.raw)
	case i.record.Kind != aaa.RecordStop:
		return 1, open.Put(session, i.raw)
	case known:
		return -1, open.Delete(session)
	}
	return 0, nil
}

// figures are the counts of Stats.
func (s *store) figures() (waiting, open, refused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting, s.open, s.refused
}
