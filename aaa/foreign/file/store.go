package file

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"lnsgate/aaa"
	"lnsgate/aaa/boltfile"
	"lnsgate/aaa/foreign"
)

// Config is what a Store needs.
type Config struct {
	Path string // the file; its folder is made
	Log  *slog.Logger
	Now  func() time.Time // nil = time.Now
}

// Store is a foreign.Store in a file. It is safe for concurrent use.
type Store struct {
	config Config
	db     *bolt.DB
	offers *journal
	turn   chan struct{} // holds a token while nobody writes

	mu        sync.Mutex // guards what follows
	ledger    *foreign.Ledger
	group     *group          // those who wait for the next write; nil: nobody
	unwritten foreign.Changed // what could not be written
	buried    uint64          // sessions that have ended, so far
}

// group are those who wait for one write.
type group struct {
	done chan struct{}
	err  error
}

var (
	_ foreign.Store  = (*Store)(nil)
	_ foreign.Offers = (*Store)(nil)
)

// Open opens the file, or makes it. A damaged file is renamed and told in the log, and a new one begun: what is known of the
// sessions is lost then, and their NASes tell it again with their next records. It answers boltfile.ErrInUse when
// another process has the file.
func Open(c Config) (*Store, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Store{config: c, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	err := s.open()
	if d, damaged := errors.AsType[*boltfile.Damage](err); damaged {
		var aside string
		if aside, err = boltfile.SetAside(c.Path, c.Now()); err == nil {
			c.Log.Error("the sessions of other NASes cannot be read: the file is set aside, a new one begins; addresses and limits of sessions "+
				"that live are known again with their next records", "file", c.Path, "aside", aside, "cause", d.Err)
			err = s.open()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("sessions of other NASes, file %s: %w", c.Path, err)
	}
	return s, nil
}

func (s *Store) open() (err error) {
	if s.db, err = boltfile.Open(s.config.Path); err != nil {
		return err
	}
	s.ledger = foreign.NewLedger()
	if err = s.load(); err == nil {
		s.offers, err = openJournal(s.config.Path+".offers", s.config.Now())
	}
	if err != nil {
		err = errors.Join(err, s.db.Close())
	}
	return err
}

// Close writes what is not written yet and closes the file.
func (s *Store) Close() error {
	return errors.Join(s.do(context.Background(), func(*foreign.Ledger) error { return nil }), s.offers.close(), s.db.Close())
}

// do changes the ledger and waits until that is on disk. Those who come while one write lasts share the next.
func (s *Store) do(ctx context.Context, act func(*foreign.Ledger) error) error {
	s.mu.Lock()
	if err := act(s.ledger); err != nil {
		s.mu.Unlock()
		return err
	}
	s.note(s.ledger.Changed())
	if len(s.unwritten.Sessions)+len(s.unwritten.Orders) == 0 {
		s.mu.Unlock()
		return nil
	}
	if s.group == nil {
		s.group = &group{done: make(chan struct{})}
	}
	g := s.group
	s.mu.Unlock()
	select {
	case <-g.done:
		return g.err
	case <-ctx.Done():
		return ctx.Err()
	case <-s.turn:
	}
	defer func() { s.turn <- struct{}{} }()
	select {
	case <-g.done:
	default:
		s.write(g)
	}
	return g.err
}

// note adds to what is to be written.
func (s *Store) note(c foreign.Changed) {
	if s.unwritten.Sessions == nil {
		s.unwritten = c
		return
	}
	for name := range c.Sessions {
		s.unwritten.Sessions[name] = true
	}
	for id := range c.Orders {
		s.unwritten.Orders[id] = true
	}
}

// write writes all that has changed, for a group.
func (s *Store) write(g *group) {
	s.mu.Lock()
	s.group = nil
	changes := s.unwritten
	s.unwritten = foreign.Changed{}
	pages := s.encode(changes)
	s.mu.Unlock()
	err := s.db.Update(func(tx *bolt.Tx) error { return apply(tx, pages) })
	if err != nil {
		err = fmt.Errorf("sessions of other NASes, file %s: %w", s.config.Path, err)
		s.mu.Lock()
		s.note(changes)
		s.mu.Unlock()
	}
	g.err = err
	close(g.done)
}

// Find implements foreign.Store.
func (s *Store) Find(ctx context.Context, q foreign.Query) ([]aaa.Record, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.Find(&q), nil
}

// Live implements foreign.Store.
func (s *Store) Live(ctx context.Context) (map[string]int, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.Live(), nil
}

// Put implements foreign.Store. The record is on disk when it returns.
func (s *Store) Put(ctx context.Context, r aaa.Record) error {
	return s.do(ctx, func(l *foreign.Ledger) error { return l.Put(r, s.config.Now()) })
}

// Order implements foreign.Store.
func (s *Store) Order(ctx context.Context, o foreign.Order) (written bool, err error) {
	err = s.do(ctx, func(l *foreign.Ledger) error { written = l.Order(o); return nil })
	return written && err == nil, err
}

// Claim implements foreign.Store. Claims end with the process.
func (s *Store) Claim(ctx context.Context, until time.Time, limit int, not []string) ([]foreign.Order, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.Claim(s.config.Now(), until, limit, not), nil
}

// Answer implements foreign.Store.
func (s *Store) Answer(ctx context.Context, o foreign.Order, a foreign.Answer) error {
	return s.do(ctx, func(l *foreign.Ledger) error { l.Answer(&o, a); return nil })
}

// History returns the last orders and what came of them, the newest first.
func (s *Store) History(limit int) []foreign.Told {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.History(limit)
}
