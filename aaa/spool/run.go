package spool

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"lnsgate/aaa"
)

const (
	// group is how many records one transaction takes at most.
	group = 4096
	// mostLeft is how many batches of records that the sink does not take now may stand in front of those that it takes.
	mostLeft = 15
	// pulse is how often a process that has nothing to write notes that it is alive.
	pulse = 10 * time.Second
)

// Run writes and delivers until the context ends. Before it returns it writes what is in memory. Call it once.
func (s *Spool) Run(ctx context.Context) error {
	var both sync.WaitGroup
	both.Go(func() { s.write(ctx) })
	both.Go(func() { s.deliver(ctx) })
	both.Wait()
	return nil
}

// write brings what is in memory to the disk: at once after a pause, else in groups. A group costs the processor as much as
// many records, so the more records come the longer it waits for others.
func (s *Spool) write(ctx context.Context) {
	again := backoff{least: s.cfg.RetryMin, most: s.cfg.RetryMax}
	alive := time.NewTicker(pulse)
	defer alive.Stop()
	for {
		select {
		case <-ctx.Done():
			_ = s.flush() // what fails is told, and Close tries once more
			return
		case <-s.wake:
		case <-alive.C:
		}
		before := s.written()
		if err := s.flush(); err != nil {
			wait(ctx, again.next())
			signal(s.wake)
			continue
		}
		again.reset()
		wait(ctx, s.cfg.Gather)
		s.linger(ctx, s.written()-before)
	}
}

// Of lingering.
const (
	lingerShare = 8 // so many records of a group make the next one wait for Config.Gather longer
	lingerMost  = 9 // times Config.Gather, at most
)

// linger waits longer for the next group after one of so many records, unless somebody waits for the disk.
func (s *Spool) linger(ctx context.Context, records uint64) {
	if records < lingerShare/2 {
		return
	}
	t := time.NewTimer(s.cfg.Gather * time.Duration(min(records, lingerMost*lingerShare)) / lingerShare)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-s.hurry:
	}
}

// written counts the records that reached the disk.
func (s *Spool) written() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats.Written
}

// flush writes all that is in memory. Without a record it only notes that the process lives.
func (s *Spool) flush() error {
	s.mu.Lock()
	records, taken := s.pending.take(), s.stats.Accepted
	s.mu.Unlock()
	rest, err := s.commit(records)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Written += uint64(len(records) - len(rest))
	s.disk(err)
	if len(rest) > 0 {
		s.pending.giveBack(rest)
	} else {
		s.safe = taken
		s.step()
	}
	return err
}

// commit writes records in transactions of a bounded size, smaller ones on a disk that is nearly full, and answers what is
// left when one fails.
func (s *Spool) commit(records []aaa.Record) ([]aaa.Record, error) {
	size := group
	for {
		n := min(len(records), size)
		if err := s.store.put(records[:n], time.Now()); err != nil {
			if n <= 1 {
				return records, err
			}
			size = (n + 7) / 8
			continue
		}
		records = records[n:]
		if n > 0 {
			signal(s.ready)
		}
		if len(records) == 0 {
			return nil, nil
		}
	}
}

// disk tells the log when writing begins to fail and when it works again. The lock is held.
func (s *Spool) disk(err error) {
	before := s.stats.DiskFault
	s.stats.DiskFault = err
	switch {
	case err != nil && before == nil:
		s.cfg.Log.Error("accounting records cannot be written to the disk: they wait in memory and are lost if lnsgate stops. Make room, or mend the disk",
			"file", s.cfg.Path, "cause", err)
	case err == nil && before != nil:
		s.fullTold = false
		s.cfg.Log.Info("accounting records are written to the disk again", "file", s.cfg.Path, "lost", s.stats.Lost)
	}
}

// step wakes who waits for progress. The lock is held.
func (s *Spool) step() {
	close(s.progress)
	s.progress = make(chan struct{})
}

// deliver brings what is in the file to the sink.
func (s *Spool) deliver(ctx context.Context) {
	again := backoff{least: s.cfg.RetryMin, most: s.cfg.RetryMax}
	var since time.Time // when the sink began to fail
	left := 0           // of the records handed over last, those that the sink did not take; they stand in front again
	for ctx.Err() == nil {
		items, err := s.store.head(s.cfg.Batch + min(left, mostLeft*s.cfg.Batch))
		if err == nil && len(items) == 0 {
			select {
			case <-ctx.Done():
			case <-s.ready:
			}
			continue
		}
		if err == nil {
			err = s.hand(ctx, items)
		}
		if err != nil && ctx.Err() != nil {
			return // the end is to blame, not the sink
		}
		since = s.sink(err, since)
		if left = remaining(err); left > 0 && left < len(items) {
			again.reset() // it takes others
		}
		switch {
		case err != nil:
			wait(ctx, again.next())
		case len(items) < s.cfg.Batch:
			again.reset()
			wait(ctx, s.cfg.Pace)
		default:
			again.reset()
		}
	}
}

// remaining counts the records that the sink did not take now and may take later, if it says so for each.
func remaining(err error) (n int) {
	partial, _ := errors.AsType[*PartialError](err)
	if partial == nil {
		return 0
	}
	for _, err := range partial.Errors {
		if err != nil && !hopeless(err) {
			n++
		}
	}
	return n
}

// sink tells the log when delivering begins to fail and when it works again.
func (s *Spool) sink(err error, since time.Time) time.Time {
	waiting, _, _ := s.store.figures()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.SinkFault = err
	switch {
	case err != nil && since.IsZero():
		s.cfg.Log.Warn("accounting records cannot be delivered: they wait in the file", "file", s.cfg.Path, "waiting", waiting, "cause", err)
		return time.Now()
	case err == nil && !since.IsZero():
		s.cfg.Log.Info("accounting records are delivered again", "waiting", waiting, "after", time.Since(since).Round(time.Second).String())
		return time.Time{}
	}
	return since
}

// hand gives items to the sink and takes them off the queue. When the sink says that it can never store them, it looks
// for those which are to blame by halving.
func (s *Spool) hand(ctx context.Context, items []item) error {
	records := make([]aaa.Record, len(items))
	for i := range items {
		records[i] = items[i].record
	}
	limited, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	err := s.cfg.Sink.Write(limited, records)
	cancel()
	partial, inPart := errors.AsType[*PartialError](err)
	switch {
	case err == nil:
		return s.stored(items)
	case inPart && len(partial.Errors) == len(items):
		return s.handled(items, partial)
	case !hopeless(err):
		return err
	case len(items) == 1:
		return s.refused(items[0], err)
	}
	half := len(items) / 2
	if err := s.hand(ctx, items[:half]); err != nil {
		return err
	}
	return s.hand(ctx, items[half:])
}

// handled settles each item by what became of it, and answers why the others are to come again.
func (s *Spool) handled(items []item, partial *PartialError) error {
	var done []item
	var faults []error
	for i, err := range partial.Errors {
		switch {
		case err == nil:
			done = append(done, items[i])
		case hopeless(err):
			faults = append(faults, s.refused(items[i], err))
		}
	}
	if len(done) > 0 {
		faults = append(faults, s.stored(done))
	}
	if slices.ContainsFunc(partial.Errors, func(err error) bool { return err != nil && !hopeless(err) }) {
		faults = append(faults, partial)
	}
	return errors.Join(faults...)
}

// stored takes items off the queue.
func (s *Spool) stored(items []item) error {
	s.count(len(items))
	err := s.store.remove(items)
	s.tell()
	return err
}

// refused sets an item aside.
func (s *Spool) refused(i item, cause error) error {
	s.cfg.Log.Error("an accounting record cannot be stored and is set aside; the next start of lnsgate tries it again",
		"file", s.cfg.Path, "session", i.record.Session, "record", i.record.Kind.String(), "cause", cause)
	err := s.store.refuse([]item{i})
	s.tell()
	return err
}

func (s *Spool) count(delivered int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Delivered += uint64(delivered)
}

// tell wakes who waits for progress.
func (s *Spool) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.step()
}

// hopeless reports whether the sink said that trying again is of no use.
func hopeless(err error) bool {
	var r interface{ Retryable() bool }
	return errors.As(err, &r) && !r.Retryable()
}

// wait waits, or until the context ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// backoff is a waiting time that doubles, with a tenth of chance so that nodes do not come all at once.
type backoff struct {
	least, most, now time.Duration
}

func (b *backoff) next() time.Duration {
	b.now = min(max(2*b.now, b.least), b.most)
	return b.now + rand.N(b.now/10+1)
}

func (b *backoff) reset() { b.now = 0 }
