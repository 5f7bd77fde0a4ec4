package foreigntest

import (
	"context"
	"slices"
	"sync"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
	"lnsgate/pool"
)

// Memory is a foreign.Store that keeps everything in memory, for tests. It is safe for concurrent use.
type Memory struct {
	now func() time.Time

	mu     sync.Mutex
	ledger *foreign.Ledger
	offers []pool.Lease
	fault  error
}

var (
	_ foreign.Store  = (*Memory)(nil)
	_ foreign.Offers = (*Memory)(nil)
)

// NewMemory makes an empty one. The clock may be nil.
func NewMemory(now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{now: now, ledger: foreign.NewLedger()}
}

// Fail has every call end with the error from now on; nil: no more.
func (m *Memory) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = err
}

// History returns the last orders, the newest first.
func (m *Memory) History() []foreign.Told {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ledger.History(1000)
}

func (m *Memory) do(ctx context.Context, act func(*foreign.Ledger) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fault != nil {
		return m.fault
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return act(m.ledger)
}

// Find implements foreign.Store.
func (m *Memory) Find(ctx context.Context, q foreign.Query) (found []aaa.Record, err error) {
	err = m.do(ctx, func(l *foreign.Ledger) error { found = l.Find(&q); return nil })
	return found, err
}

// Live implements foreign.Store.
func (m *Memory) Live(ctx context.Context) (live map[string]int, err error) {
	err = m.do(ctx, func(l *foreign.Ledger) error { live = l.Live(); return nil })
	return live, err
}

// Put implements foreign.Store.
func (m *Memory) Put(ctx context.Context, r aaa.Record) error {
	return m.do(ctx, func(l *foreign.Ledger) error { return l.Put(r, m.now()) })
}

// Order implements foreign.Store.
func (m *Memory) Order(ctx context.Context, o foreign.Order) (written bool, err error) {
	err = m.do(ctx, func(l *foreign.Ledger) error { written = l.Order(o); return nil })
	return written, err
}

// Claim implements foreign.Store.
func (m *Memory) Claim(ctx context.Context, until time.Time, limit int, not []string) (orders []foreign.Order, err error) {
	err = m.do(ctx, func(l *foreign.Ledger) error { orders = l.Claim(m.now(), until, limit, not); return nil })
	return orders, err
}

// Answer implements foreign.Store.
func (m *Memory) Answer(ctx context.Context, o foreign.Order, a foreign.Answer) error {
	return m.do(ctx, func(l *foreign.Ledger) error { l.Answer(&o, a); return nil })
}

// Offered implements foreign.Offers. It does not fail.
func (m *Memory) Offered(_ context.Context, l pool.Lease) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.offers = append(m.offers, l)
	return nil
}

// Offers implements foreign.Offers.
func (m *Memory) Offers(ctx context.Context) (open []pool.Lease, err error) {
	err = m.do(ctx, func(*foreign.Ledger) error {
		m.offers = slices.DeleteFunc(m.offers, func(l pool.Lease) bool { return !l.Expires.After(m.now()) })
		open = slices.Clone(m.offers)
		return nil
	})
	return open, err
}
