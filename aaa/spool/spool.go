package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/boltfile"
)

// Sink stores records for good. Write answers nil when all of them are stored; a record that it stored before changes
// nothing. The records come in order, and of one session with a rising Sequence; those of sessions on other NASes come as they
// were told. An error with a method Retryable that
// answers false means that these records can never be stored; after any other the same records come again. A *PartialError
// says so for each record by itself.
type Sink interface {
	Write(ctx context.Context, records []aaa.Record) error
}

// PartialError is the answer of a sink that stores records one by one, when some of them are stored and others are not. Those
// that are do not come again; those that are not come with what follows them, so that one record that a server does not
// take holds up nobody but its session.
type PartialError struct {
	Errors []error // one for each record, in their order; nil = stored
}

// Error gives the first error and counts the others.
func (e *PartialError) Error() string {
	failed, first := 0, error(nil)
	for _, err := range e.Errors {
		if err == nil {
			continue
		}
		if failed++; failed == 1 {
			first = err
		}
	}
	return fmt.Sprintf("%d of %d records are not stored: %v", failed, len(e.Errors), first)
}

// Config is what a Spool needs. Zero values mean the defaults.
type Config struct {
	Path string // the file; its folder is made
	Sink Sink
	Log  *slog.Logger

	Memory   int           // records in memory at most; 65536
	Batch    int           // records in one call of Sink.Write at most, besides those that it left before; 1000
	MaxBytes int64         // the file grows no further; 0: no limit
	Gather   time.Duration // from one group on disk to the next, at least; ten times that while very many come; 2 ms
	Pace     time.Duration // from one batch to the next that is not full, at least; 50 ms
	Timeout  time.Duration // of one Sink.Write; 30 s
	RetryMin time.Duration // before the second try; doubles; 100 ms
	RetryMax time.Duration // 5 s
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	for _, n := range []struct {
		value    *int
		standard int
	}{{&c.Memory, 65536}, {&c.Batch, 1000}} {
		if *n.value <= 0 {
			*n.value = n.standard
		}
	}
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{
		{&c.Gather, 2 * time.Millisecond}, {&c.Pace, 50 * time.Millisecond}, {&c.Timeout, 30 * time.Second},
		{&c.RetryMin, 100 * time.Millisecond}, {&c.RetryMax, 5 * time.Second},
	} {
		if *d.value <= 0 {
			*d.value = d.standard
		}
	}
	return c
}

// Stats are figures for metrics. Those without a word on it count from the start of the process.
type Stats struct {
	Accepted  uint64 // records taken by Account
	Lost      uint64 // records refused because the memory was full, or after Close
	Written   uint64 // records that reached the disk
	Delivered uint64 // records that the sink stored
	Orphans   int    // sessions of the predecessor that Open closed
	Memory    int    // records in memory now
	Waiting   int    // records in the file now
	Refused   int    // records in the file now that the sink can never store
	Open      int    // sessions of our own now whose last delivered record is no Stop

	DiskFault error // why writing fails now; nil: it does not
	SinkFault error // why delivering fails now
}

// Spool is a durable queue of accounting records. It is an aaa.Accounter and safe for concurrent use.
type Spool struct {
	cfg   Config
	store *store
	wake  chan struct{} // there is something in memory
	hurry chan struct{} // somebody waits until it is on disk
	ready chan struct{} // there is something in the file

	mu       sync.Mutex
	pending  buffer
	closed   bool
	fullTold bool          // the log knows that memory is full
	safe     uint64        // of stats.Accepted, those that are on disk
	progress chan struct{} // closed, and made anew, when a group reached the disk or a batch the sink
	stats    Stats
}

var _ aaa.Accounter = (*Spool)(nil)

// ErrInUse is the answer of Open when another process has the file.
var ErrInUse = boltfile.ErrInUse

// Open opens the file, or makes it, and queues a Stop for each session of our own that the predecessor left open. It answers
// ErrInUse when another process has the file. A damaged file is renamed and told in the log.
func Open(cfg Config) (*Spool, error) {
	if cfg.Path == "" || cfg.Sink == nil {
		return nil, errors.New("spool: no file or no sink")
	}
	s := &Spool{
		cfg: cfg.withDefaults(), wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1), ready: make(chan struct{}, 1), progress: make(chan struct{}),
	}
	err := s.open()
	if d, damaged := errors.AsType[*boltfile.Damage](err); damaged {
		var aside string
		if aside, err = boltfile.SetAside(cfg.Path, time.Now()); err == nil {
			s.cfg.Log.Error("the accounting records that waited cannot be read: the file is set aside, a new one begins",
				"file", cfg.Path, "aside", aside, "cause", d.Err)
			err = s.open()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("accounting file %s: %w", cfg.Path, err)
	}
	return s, nil
}

func (s *Spool) open() (err error) {
	if s.store, err = openStore(s.cfg.Path, s.cfg.MaxBytes); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.store.close())
		}
	}()
	orphans, alive, err := s.store.resume()
	if err != nil {
		return err
	}
	if len(orphans) > 0 {
		if err := s.store.put(closeOrphans(orphans, alive), time.Now()); err != nil {
			return err
		}
		s.cfg.Log.Warn("the predecessor of this process ended without closing its sessions: their records are closed with the last known counters",
			"sessions", len(orphans), "alive_until", alive)
	}
	s.stats.Orphans = len(orphans)
	return nil
}

// closeOrphans makes a Stop of the last record of each session. The session was alive at least until its last record,
// and the process until it last wrote.
func closeOrphans(records []aaa.Record, alive time.Time) []aaa.Record {
	for i := range records {
		r := &records[i]
		r.Kind, r.Sequence = aaa.RecordStop, r.Sequence+1
		if r.At.Before(alive) {
			r.At = alive
		}
		r.Terminate = aaa.TerminateNASReboot
		r.Reason = "lnsgate ended without closing the session: it was killed, or the machine went down"
	}
	return records
}

// ErrRefused is the answer of Take to a record that is not taken.
var ErrRefused = errors.New("the accounting record is not taken")

// Account takes a record and returns at once. See the package for what happens when the disk is full.
func (s *Spool) Account(r aaa.Record) { _ = s.Take(r) } // told and counted there

// Take is Account for who can bring the record once more: ErrRefused says that it was not taken.
func (s *Spool) Take(r aaa.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cause := s.refusal(&r); cause != "" {
		s.stats.Lost++
		if !s.fullTold {
			s.fullTold = true
			s.cfg.Log.Error("an accounting record is lost, others will be", "cause", cause, "session", r.Session,
				"record", r.Kind.String(), "disk", s.stats.DiskFault)
		}
		return fmt.Errorf("%w: %s", ErrRefused, cause)
	}
	s.stats.Accepted++
	s.pending.add(r)
	signal(s.wake)
	return nil
}

// refusal is why a record cannot be taken. The last quarter of the memory is kept for starts and stops.
func (s *Spool) refusal(r *aaa.Record) string {
	room := s.cfg.Memory
	if r.Kind == aaa.RecordInterim {
		room -= room / 4
	}
	switch {
	case r.Session == "" || len(r.Session) > maxSession:
		return "its session has no name, or a very long one"
	case s.closed:
		return "it came after the end"
	case s.pending.len() >= room && !s.pending.replaces(r):
		return "the memory is full because the disk does not take records"
	}
	return ""
}

// maxSession is the longest name of a session, in octets.
const maxSession = 1024

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Sync waits until every record that was taken before is on disk. Run must be running.
func (s *Spool) Sync(ctx context.Context) error {
	s.mu.Lock()
	until := s.stats.Accepted
	if s.safe < until {
		signal(s.hurry)
	}
	s.mu.Unlock()
	return s.await(ctx, func() bool { return s.safe >= until })
}

// Drain waits until every record that Account took before is stored by the sink. It is for the end of the process, when
// no more records come. Run must be running.
func (s *Spool) Drain(ctx context.Context) error {
	if err := s.Sync(ctx); err != nil {
		return err
	}
	return s.await(ctx, func() bool { waiting, _, _ := s.store.figures(); return waiting == 0 })
}

// await waits until the condition holds, which is asked under the lock.
func (s *Spool) await(ctx context.Context, holds func() bool) error {
	for {
		s.mu.Lock()
		done, progress := holds(), s.progress
		s.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-progress:
		}
	}
}

// Stats answers the figures of this moment.
func (s *Spool) Stats() Stats {
	waiting, open, refused := s.store.figures()
	s.mu.Lock()
	defer s.mu.Unlock()
	figures := s.stats
	figures.Memory, figures.Waiting, figures.Open, figures.Refused = s.pending.len(), waiting, open, refused
	return figures
}

// Close writes what is in memory to the disk and closes the file. Run must have returned. What the sink has not stored
// stays in the file for the next process.
func (s *Spool) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	if again {
		return nil
	}
	err := s.flush()
	if n := s.Stats().Memory; n > 0 {
		err = fmt.Errorf("accounting file %s: %d records are lost: %w", s.cfg.Path, n, err)
	}
	return errors.Join(err, s.store.close())
}
