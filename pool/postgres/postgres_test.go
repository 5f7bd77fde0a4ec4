package postgres

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"lnsgate/pool"
	"lnsgate/pool/pooltest"
	"lnsgate/test/pgtest"
)

func TestMain(m *testing.M) {
	if os.Getenv(victim) != "" {
		beVictim()
	}
	code := pgtest.Run(m)
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// node is an allocator at work.
type node struct {
	*Allocator
	t      testing.TB
	runner *runner
	cancel context.CancelFunc
	ended  chan error
}

// open starts a node and waits until it works.
func open(t testing.TB, cfg Config, options ...func(*node)) *node {
	t.Helper()
	n := begin(t, cfg, options...)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := n.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return n
}

// begin starts a node.
func begin(t testing.TB, cfg Config, options ...func(*node)) *node {
	t.Helper()
	if cfg.Node == "" {
		cfg.Node = "n1"
	}
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{Allocator: a, t: t, runner: newRunner(a), ended: make(chan error, 1)}
	for _, option := range options {
		option(n)
	}
	var ctx context.Context
	ctx, n.cancel = context.WithCancel(context.Background())
	go func() {
		n.ended <- n.runner.run(ctx)
		close(n.ended)
	}()
	t.Cleanup(n.close)
	return n
}

func (n *node) close() {
	n.cancel()
	for range n.ended {
	}
}

// die ends the node like a process that is killed.
func (n *node) die() {
	n.runner.abandon = true
	n.close()
}

// blocks of this size whatever the size of the pool; zero: none.
func sized(size int) func(*node) {
	return func(n *node) { n.sizing = func(uint64, int, int) int { return size } }
}

func (n *node) get(r pool.Request) pool.Lease {
	n.t.Helper()
	l, err := n.Allocate(context.Background(), r)
	if err != nil {
		n.t.Fatalf("%+v: %v", r, err)
	}
	return l
}

func (n *node) drop(l pool.Lease) {
	n.t.Helper()
	if err := n.Release(context.Background(), l); err != nil {
		n.t.Fatal(err)
	}
}

// written waits until the node has written everything. On a busy machine it may lose the database for a moment, and find it again.
func (n *node) written() {
	n.t.Helper()
	eventually(n.t, "everything is written", func() bool { return n.flush(context.Background()) == nil })
}

func from(name, account string) pool.Request {
	return pool.Request{Pools: []string{name}, Account: account, Holder: "session of " + account}
}

func address(s string) netip.Addr { return netip.MustParseAddr(s) }

func do(t testing.TB, db *pgxpool.Pool, statement string, args ...any) {
	t.Helper()
	if _, err := db.Exec(context.Background(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func one[T any](t testing.TB, db *pgxpool.Pool, query string, args ...any) T {
	t.Helper()
	var v T
	if err := db.QueryRow(context.Background(), query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

// define writes a pool into the database.
func define(t testing.TB, db *pgxpool.Pool, p pool.Pool) {
	t.Helper()
	family := 4
	if p.Ranges[0].First.Is6() {
		family = 6
	}
	do(t, db, "INSERT INTO pools (name, family, prefix_length, quarantine, sticky, created_at) VALUES ($1, $2, nullif($3, 0), $4, $5, clock_timestamp())",
		p.Name, family, p.PrefixLength, p.Quarantine, p.Sticky)
	for _, r := range p.Ranges {
		do(t, db, "INSERT INTO pool_ranges (pool, range) VALUES ($1, $2)", p.Name, r.String())
	}
	for _, r := range p.Exclude {
		do(t, db, "INSERT INTO pool_ranges (pool, range, kind) VALUES ($1, $2, 'exclude')", p.Name, r.String())
	}
}

func makePool(t testing.TB, name string, quarantine time.Duration, ranges ...string) pool.Pool {
	t.Helper()
	p := pool.Pool{Name: name, Quarantine: quarantine, Sticky: true}
	for _, text := range ranges {
		r, err := pool.ParseRange(text)
		if err != nil {
			t.Fatal(err)
		}
		p.Ranges = append(p.Ranges, r)
	}
	return p
}

func reserve(t testing.TB, db *pgxpool.Pool, s pool.Static) {
	t.Helper()
	do(t, db, "INSERT INTO accounts (name) VALUES ($1) ON CONFLICT DO NOTHING", s.Account)
	do(t, db, "INSERT INTO static_addresses (account, address, delegated) VALUES ($1, $2, $3)",
		s.Account, pool.PrefixOf(s.Address, s.PrefixLength), s.PrefixLength != 0 && s.PrefixLength != 64)
}

// wipe empties the database for the next allocator.
func wipe(t testing.TB, db *pgxpool.Pool) {
	t.Helper()
	do(t, db, "DELETE FROM static_addresses; DELETE FROM pools; DELETE FROM accounts; DELETE FROM leases; DELETE FROM pool_blocks; DELETE FROM nodes; DELETE FROM audit")
}

// stretched fits the suite's clock to an allocator that works in the background. The database keeps microseconds and the
// suite counts nanoseconds, so each of the suite's is a microsecond here. The clock is looked at only when the suite
// calls, for it changes its clock without a lock.
type stretched struct {
	pool.Keeper
	begin time.Time
	clock func() time.Time
	now   *atomic.Pointer[time.Time]
}

func (s stretched) look() {
	now := s.begin.Add(s.clock().Sub(s.begin) * 1000)
	s.now.Store(&now)
}

func (s stretched) shrink(l pool.Lease) pool.Lease {
	if !l.Since.IsZero() {
		l.Since = s.begin.Add(l.Since.Sub(s.begin) / 1000)
	}
	if !l.Expires.IsZero() {
		l.Expires = s.begin.Add(l.Expires.Sub(s.begin) / 1000)
	}
	return l
}

func (s stretched) Keep(ctx context.Context, l pool.Lease, until time.Time) error {
	s.look()
	if !until.IsZero() {
		until = s.begin.Add(until.Sub(s.begin) * 1000)
	}
	return s.Keeper.Keep(ctx, l, until)
}

func (s stretched) Allocate(ctx context.Context, r pool.Request) (pool.Lease, error) {
	s.look()
	r.Offer *= 1000
	l, err := s.Keeper.Allocate(ctx, r)
	return s.shrink(l), err
}

func (s stretched) Release(ctx context.Context, l pool.Lease) error {
	s.look()
	return s.Keeper.Release(ctx, l)
}

func (s stretched) Usage(ctx context.Context) ([]pool.Usage, error) {
	s.look()
	return s.Keeper.Usage(ctx)
}

func (s stretched) Leases(ctx context.Context) ([]pool.Lease, error) {
	s.look()
	leases, err := s.Keeper.Leases(ctx)
	for i, l := range leases {
		leases[i] = s.shrink(l)
	}
	return leases, err
}

// TestConformance runs the suite with all addresses common, and with small and big blocks.
func TestConformance(t *testing.T) { conform(t, pooltest.Run) }

// TestConformanceOfPrefixes does so for pools of IPv6 prefixes.
func TestConformanceOfPrefixes(t *testing.T) { conform(t, pooltest.RunPrefixes) }

func conform(t *testing.T, suite func(*testing.T, pooltest.Open)) {
	checks := flag.Lookup("rapid.checks")
	if checks.Value.String() == checks.DefValue { // every step of the model costs several exchanges with the database
		if err := flag.Set("rapid.checks", "15"); err != nil {
			t.Fatal(err)
		}
	}
	for _, size := range []int{0, 2, 16} {
		t.Run(fmt.Sprint("blocks of ", size), func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			do(t, db, "DROP INDEX static_addresses_account") // the suite gives one account two of them
			var last *node
			suite(t, func(tb testing.TB, s pooltest.Setup) pool.Keeper {
				if last != nil {
					last.close()
				}
				wipe(tb, db)
				large := false
				for _, p := range s.Pools {
					p.Quarantine *= 1000
					define(tb, db, p)
					large = large || p.Ranges[0].Count(p.PrefixLength) > 1<<20
				}
				for _, st := range s.Statics {
					reserve(tb, db, st)
				}
				view := stretched{begin: s.Now().UTC(), clock: s.Now, now: new(atomic.Pointer[time.Time])}
				view.look()
				cfg := Config{Pool: db, JournalEvery: time.Millisecond, Takeover: time.Millisecond, Now: func() time.Time { return *view.now.Load() }}
				block := sized(size)
				if large && size == 0 {
					block = sized(4) // it is not small
				}
				last = open(tb, cfg, block)
				view.Keeper = last
				return view
			})
		})
	}
}

func TestRefusesIncompleteConfiguration(t *testing.T) {
	for _, cfg := range []Config{{}, {Pool: new(pgxpool.Pool)}, {Pool: new(pgxpool.Pool), Node: "n", Tick: -1}} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v", cfg)
		}
	}
}

func TestUnavailableBeforeTheFirstContact(t *testing.T) {
	a, err := New(Config{Pool: new(pgxpool.Pool), Node: "n"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Allocate(t.Context(), from("a", "x"))
	var away *UnavailableError
	if !errors.As(err, &away) || !away.Retryable() {
		t.Error(err)
	}
}
