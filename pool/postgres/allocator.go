package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"lnsgate/pool"
)

// Allocator is the shared [pool.Allocator]. It works while [Allocator.Run] runs.
type Allocator struct {
	cfg    Config
	sizing func(pool uint64, nodes, most int) int

	wake  chan struct{} // Run has something to do
	ready chan struct{} // closed at the first contact

	mu       sync.Mutex
	latest   time.Time // the clock's highest answer: time never runs backwards here
	epoch    int64
	nodes    int   // nodes that are alive, this one included
	up       bool  // the database answered last time
	fault    error // what it said last; while not up
	expires  time.Time
	lapsed   bool  // the blocks expired and that was reported
	dead     bool  // so did the leases
	ended    error // why Run is over; nil while it is not
	defs     *definitions
	stocks   map[string]*stock   // by pool
	blocks   map[string][]*block // by routing context, sorted
	entries  map[key]*entry
	memory   map[string][]*entry  // free entries of our blocks by the account that had them last
	lone     map[string]time.Time // when an account last released an address outside of them
	nameless map[string][]key     // by holder, what sessions without an account were lent
	aside    map[*entry]bool      // those that another node has, and some that it has no more
	dirty    []*entry             // whose rows have to be written
	asks     []*ask               // what waits for the database
	patient  []*ask               // what waits for other nodes to let go of addresses
	version  uint64               // counts changes
	stats    Stats
	signed   time.Time // by our clock: when we last said that we are alive
	clock    time.Time // by the database's clock: likewise, or a moment later
	heard    time.Time // by our clock: when we had been told that
}

var _ pool.Allocator = (*Allocator)(nil)

// New checks the configuration. It does not speak to the database.
func New(cfg Config) (*Allocator, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	return &Allocator{
		cfg:      cfg,
		sizing:   sizing,
		wake:     make(chan struct{}, 1),
		ready:    make(chan struct{}),
		epoch:    cfg.Epoch,
		nodes:    1,
		fault:    errNotYet,
		defs:     &definitions{},
		stocks:   make(map[string]*stock),
		blocks:   make(map[string][]*block),
		entries:  make(map[key]*entry),
		memory:   make(map[string][]*entry),
		lone:     make(map[string]time.Time),
		nameless: make(map[string][]key),
		aside:    make(map[*entry]bool),
	}, nil
}

// Ready waits until Run has reached the database once and knows the pools.
func (a *Allocator) Ready(ctx context.Context) error {
	select {
	case <-a.ready:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Epoch is the number of this process in the table nodes; zero while it is unknown.
func (a *Allocator) Epoch() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.epoch
}

// ask is what waits for the database. Run owns it, except for gone.
type ask struct {
	pool.Request
	barrier bool      // no request: answered when all that was to be written is written
	refresh bool      // a barrier that also reads the pools again
	keep    bool      // the address is the holder's, who says so
	kept    time.Time // of that, until when; zero: until it is released
	at      time.Time // of that, when it was asked for, by the allocator's clock
	back    bool      // no request: the holder gives back what it was lent
	answer  chan answer
	gone    bool // nobody waits any more; the allocator's mutex guards it

	looked     bool             // the database has said what the account had
	remembered []*candidate     // that, the best last
	has        *candidate       // what the holder was lent before
	absent     bool             // the exact address has no row where it was looked for
	stage      int              // which pool of the request is being tried
	until      time.Time        // real time: how long to wait for other nodes
	deadline   time.Time        // of the caller; zero: none
	holder     string           // the session of the account that is to give the exact address up
	told       bool             // its node knows
	refused    *pool.InUseError // who turned out to have the exact address
	refusal    error            // what the database says against the exact address
	static     bool             // the exact address is reserved for the account
	waiting    bool             // for other nodes
	done       bool             // it has its answer
}

type answer struct {
	lease pool.Lease
	err   error
}

// Allocate implements [pool.Allocator]. Besides the errors named there it answers *[UnavailableError], which is
// retryable, and [ErrSuperseded]. See the package for when the lease is in the database.
//
// An exact address that a session of the same account holds on another node is waited for, Config.Takeover at most, and
// that node is asked to end the session (see the function end_session in the schema). On this node the caller does so.
//
// An exact address is looked for in the routing context of the account's static address, else in that of the first pool
// named, else in "default". The Holder of a *pool.InUseError may be a session of another node. It is "node x" when the
// address lies in a block of node x, which alone can give it away.
func (a *Allocator) Allocate(ctx context.Context, r pool.Request) (pool.Lease, error) {
	if err := ctx.Err(); err != nil {
		return pool.Lease{}, err
	}
	if r.Holder == "" {
		return pool.Lease{}, pool.ErrNoHolder
	}
	if !r.Address.IsValid() && len(r.Pools) == 0 {
		return pool.Lease{}, pool.ErrNoPool
	}
	if r.Address = r.Address.Unmap(); r.Address.IsValid() {
		r.Address = pool.First(r.Address, r.PrefixLength)
	}
	a.mu.Lock()
	q := &ask{Request: r, answer: make(chan answer, 1)}
	q.deadline, _ = ctx.Deadline()
	lease, err := a.atOnce(q)
	if !errors.Is(err, errAsk) {
		a.mu.Unlock()
		return lease, err
	}
	a.submit(q)
	a.mu.Unlock()
	return a.await(ctx, q)
}

// errAsk says that memory alone cannot decide.
var errAsk = errors.New("the database must be asked")

// atOnce serves a request from what is private to this node.
func (a *Allocator) atOnce(q *ask) (pool.Lease, error) {
	now := a.now()
	switch {
	case a.ended != nil:
		return pool.Lease{}, a.ended
	case a.up && q.lent():
		return pool.Lease{}, errAsk
	case q.lent():
		return pool.Lease{}, a.missing()
	case a.up && !a.usable(now), a.up && a.needsMemory(q):
		return pool.Lease{}, errAsk
	case a.defs.named == nil:
		return pool.Lease{}, a.missing()
	}
	if !a.up {
		q.looked = true
	}
	m := a.choose(q, now)
	switch {
	case m.err != nil:
		return pool.Lease{}, m.err
	case m.lease != nil:
		return *m.lease, nil
	case m.entry != nil:
		lease := a.give(m.entry, q.Request, now, m.why)
		a.mark(m.entry)
		return lease, nil
	case a.up:
		a.undo(m)
		return pool.Lease{}, errAsk
	}
	return pool.Lease{}, a.missing()
}

// await waits for the answer. If the caller gives up first, Run takes back what it may still get.
func (a *Allocator) await(ctx context.Context, q *ask) (pool.Lease, error) {
	select {
	case got := <-q.answer:
		return got.lease, got.err
	case <-ctx.Done():
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case got := <-q.answer: // it came between the two
		return got.lease, got.err
	default:
		q.gone = true
		return pool.Lease{}, context.Cause(ctx)
	}
}

// Release implements [pool.Allocator]. For a lease of this process it looks at no deadline and does not wait for the database:
// a release that is lost in a crash delays the next use of the address, no more. Any other lease is one that was offered,
// which nothing ends but this: it returns after the commit, or with an error if that cannot be had. It is no error for a lease
// that Allocate gave without an offer, and that is over: such a one has a Since and does not expire.
func (a *Allocator) Release(ctx context.Context, l pool.Lease) error {
	if a.releaseHeld(l) || !l.Address.IsValid() || l.Holder == "" {
		return nil
	}
	_, err := a.demand(ctx, &ask{back: true}, l)
	var away *UnavailableError
	if errors.As(err, &away) && !l.Since.IsZero() && l.Expires.IsZero() {
		return nil
	}
	return err
}

// releaseHeld ends a lease of this process.
func (a *Allocator) releaseHeld(l pool.Lease) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	address := pool.First(l.Address.Unmap(), l.PrefixLength)
	for _, routing := range a.contextsOf(l.Pool) {
		e := a.entries[key{routing, address}]
		if e != nil && e.state == held && e.lease.Holder == l.Holder {
			a.takeBack(e, a.now())
			return true
		}
	}
	return false
}

// contextsOf lists where an address of the pool may be, the likeliest first.
func (a *Allocator) contextsOf(name string) []string {
	if d := a.defs.named[name]; d != nil {
		return append([]string{d.context}, a.defs.contexts()...)
	}
	return a.defs.contexts()
}

// Refresh reads the pools, their ranges and the static addresses again. It returns when the new ones are in force.
func (a *Allocator) Refresh(ctx context.Context) error {
	return a.barrier(ctx, &ask{barrier: true, refresh: true, answer: make(chan answer, 1)})
}

// flush returns when everything that has happened so far is in the database.
func (a *Allocator) flush(ctx context.Context) error {
	return a.barrier(ctx, &ask{barrier: true, answer: make(chan answer, 1)})
}

func (a *Allocator) barrier(ctx context.Context, q *ask) error {
	a.mu.Lock()
	if !a.up {
		defer a.mu.Unlock()
		return a.missing()
	}
	a.submit(q)
	a.mu.Unlock()
	_, err := a.await(ctx, q)
	return err
}

func (a *Allocator) submit(q *ask) {
	a.asks = append(a.asks, q)
	if len(a.asks) == 1 {
		a.rouse()
	}
}

// rouse tells Run that there is something to do.
func (a *Allocator) rouse() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// now asks the clock and keeps it from running backwards.
func (a *Allocator) now() time.Time {
	clock := a.cfg.Now
	if clock == nil {
		clock = time.Now
	}
	if now := clock(); now.After(a.latest) {
		a.latest = now
	}
	return a.latest
}

// usable reports whether this node may give addresses away: its blocks last for a while.
func (a *Allocator) usable(now time.Time) bool {
	return now.Before(a.expires.Add(-a.cfg.BlockLife / 6))
}
