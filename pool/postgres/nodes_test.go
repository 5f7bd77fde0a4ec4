package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/pool"
	"lnsgate/test/pgtest"
)

// twoNodes opens two nodes with blocks of a size on one database.
func twoNodes(t *testing.T, size int, pools ...pool.Pool) (db *pgxpool.Pool, a, b *node) {
	t.Helper()
	db = pgtest.New(t)
	for _, p := range pools {
		define(t, db, p)
	}
	cfg := Config{Pool: db, Tick: 10 * time.Millisecond, JournalEvery: time.Millisecond}
	cfg.Node = "a"
	a = open(t, cfg, sized(size))
	cfg.Node = "b"
	b = open(t, cfg, sized(size))
	return db, a, b
}

func TestStickyAcrossNodes(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 16} {
		t.Run(fmt.Sprint("blocks of ", size), func(t *testing.T) {
			_, a, b := twoNodes(t, size, makePool(t, "p", time.Minute, "10.0.0.0/24"))
			a.get(from("p", "other"))
			first := a.get(from("p", "x"))
			a.drop(first)
			a.written()
			second := b.get(from("p", "x"))
			if second.Address != first.Address {
				t.Errorf("on the other node %v, want %v", second.Address, first.Address)
			}
			// The owner of the block leaves it alone while the other node has it.
			for i := range 60 {
				if l := a.get(from("p", fmt.Sprint(i))); l.Address == first.Address {
					t.Fatalf("%v was given twice", l.Address)
				}
			}
			b.drop(second)
			b.written()
			if l := a.get(from("p", "x")); l.Address != first.Address {
				t.Errorf("back home %v, want %v", l.Address, first.Address)
			}
		})
	}
}

// The last address of an account may lie in a block of the node, which remembers it, or outside, which only the database does.
func TestTheLastAddressCountsWhereverItLies(t *testing.T) {
	t.Parallel()
	_, a, _ := twoNodes(t, 16, makePool(t, "here", time.Minute, "10.1.0.0/24"), makePool(t, "there", time.Minute, "10.2.0.0/24"))
	a.drop(a.get(from("here", "x")))
	exact := from("there", "x")
	exact.Address = netip.MustParseAddr("10.2.0.77") // in no block yet
	a.drop(a.get(exact))
	both := from("here", "x")
	both.Pools = []string{"here", "there"}
	if l := a.get(both); l.Address != exact.Address {
		t.Errorf("%v, want %v", l.Address, exact.Address)
	}
}

func TestNoAddressIsStranded(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 4, 64} {
		t.Run(fmt.Sprint("blocks of ", size), func(t *testing.T) {
			_, a, b := twoNodes(t, size, makePool(t, "p", 0, "10.0.0.1-10.0.0.64"))
			a.get(from("p", "x")) // and with it a whole block, if there are blocks
			seen := make(map[any]bool)
			for i := range 63 {
				l := b.get(pool.Request{Pools: []string{"p"}, Holder: fmt.Sprint(i)})
				if seen[l.Address] {
					t.Fatalf("%v was given twice", l.Address)
				}
				seen[l.Address] = true
			}
			_, err := b.Allocate(t.Context(), from("p", "late"))
			var full *pool.ExhaustedError
			if !errors.As(err, &full) || full.Pools[0] != (pool.Usage{Pool: "p", Size: 64, Leased: 64}) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestStaticAddressHeldOnAnotherNode(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 64} {
		for _, text := range []string{"10.0.0.7", "192.0.2.7"} {
			t.Run(fmt.Sprint("blocks of ", size, " ", text), func(t *testing.T) {
				db, a, b := twoNodes(t, size, makePool(t, "p", time.Minute, "10.0.0.1-10.0.0.64"))
				a.get(from("p", "x")) // the block is a's
				reserve(t, db, pool.Static{Account: "bob", Address: address(text)})
				for _, n := range []*node{a, b} {
					if err := n.Refresh(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				a.written()
				exact := pool.Request{Address: address(text), Account: "bob", Holder: "s1"}
				l := b.get(exact)
				if again := b.get(exact); again != l {
					t.Errorf("asked again: %+v, want %+v", again, l)
				}
				exact.Holder = "s2"
				most := 3 * time.Second // it waits, and says in time what for: a tenth of it is left for that
				if size > 0 {
					most = time.Minute
					a.mu.Lock()
					a.cfg.Takeover = 200 * time.Millisecond
					a.mu.Unlock()
				}
				ctx, cancel := context.WithTimeout(t.Context(), most)
				_, err := a.Allocate(ctx, exact)
				cancel()
				var inUse *pool.InUseError
				if !errors.As(err, &inUse) || inUse.Holder != "s1" {
					t.Errorf("held on the other node: %v", err)
				}
				_, err = a.Allocate(t.Context(), pool.Request{Address: address(text), Account: "eve", Holder: "e"})
				var reserved *pool.ReservedError
				if !errors.As(err, &reserved) || reserved.Account != "bob" {
					t.Errorf("somebody else: %v", err)
				}
				b.drop(l)
				b.written()
				a.get(exact)
			})
		}
	}
}

// An account logs in on another node while its old session, which has its address, is still there.
func TestAnAccountTakesItsAddressOver(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 64} {
		for _, text := range []string{"10.0.0.7", "192.0.2.7"} {
			t.Run(fmt.Sprint("blocks of ", size, " ", text), func(t *testing.T) {
				db, a, b := twoNodes(t, size, makePool(t, "p", time.Minute, "10.0.0.1-10.0.0.64"))
				b.get(from("p", "x")) // the block is b's: there it claims, elsewhere it inserts
				reserve(t, db, pool.Static{Account: "bob", Address: address(text)})
				for _, n := range []*node{a, b} {
					if err := n.Refresh(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				b.written()
				old := a.get(pool.Request{Address: address(text), Account: "bob", Holder: "s1"})
				a.written()
				do(t, db, "INSERT INTO sessions (id, node, epoch, name, account) VALUES ('s1', 'a', 1, 'bob', 'bob')")
				listener, err := db.Acquire(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer listener.Release()
				if _, err := listener.Exec(t.Context(), "LISTEN lnsgate"); err != nil {
					t.Fatal(err)
				}
				var ended sync.WaitGroup
				ended.Go(func() {
					ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
					defer cancel()
					notice, err := listener.Conn().WaitForNotification(ctx)
					if err != nil || !strings.Contains(notice.Payload, `"key" : "s1"`) || !strings.Contains(notice.Payload, "bob logged in again on node b") {
						t.Errorf("%v, %+v", err, notice)
					}
					a.drop(old)
				})
				next := b.get(pool.Request{Address: address(text), Account: "bob", Holder: "s2"})
				ended.Wait()
				if next.Address != old.Address || b.Stats().TakenOver != 1 {
					t.Errorf("%+v, %+v", next, b.Stats())
				}
			})
		}
	}
}

func TestExactAddressInTheBlockOfAnotherNode(t *testing.T) {
	t.Parallel()
	_, a, b := twoNodes(t, 64, makePool(t, "p", time.Minute, "10.0.0.1-10.0.0.64"))
	held := a.get(from("p", "x"))
	a.written()
	_, err := b.Allocate(t.Context(), pool.Request{Address: held.Address, Account: "y", Holder: "y"})
	var inUse *pool.InUseError
	if !errors.As(err, &inUse) || inUse.Holder != held.Holder {
		t.Errorf("held there: %v", err)
	}
	a.drop(held)
	a.written()
	b.get(pool.Request{Address: held.Address, Account: "y", Holder: "y"})
}

func TestPrivateToAnotherNode(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	define(t, db, makePool(t, "p", time.Minute, "10.0.0.1-10.0.15.255"))
	a := open(t, Config{Pool: db, Node: "a"}, sized(64))
	b := open(t, Config{Pool: db, Node: "b"}, sized(64))
	a.get(from("p", "x"))
	_, err := b.Allocate(t.Context(), pool.Request{Address: address("10.0.0.60"), Account: "y", Holder: "y"})
	var inUse *pool.InUseError
	if !errors.As(err, &inUse) || inUse.Holder != "node a" {
		t.Errorf("%v", err)
	}
}

func TestNewRangeIsUsedAtOnceAndADrainedOneNoMore(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 4} {
		t.Run(fmt.Sprint("blocks of ", size), func(t *testing.T) {
			db := pgtest.New(t)
			define(t, db, makePool(t, "p", 0, "10.0.0.1-10.0.0.4"))
			n := open(t, Config{Pool: db}, sized(size))
			refresh := func() {
				t.Helper()
				if err := n.Refresh(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			var old []pool.Lease
			for i := range 4 {
				old = append(old, n.get(from("p", fmt.Sprint(i))))
			}
			if _, err := n.Allocate(t.Context(), from("p", "x")); err == nil {
				t.Fatal("more than there are")
			}
			do(t, db, "INSERT INTO pool_ranges (pool, range) VALUES ('p', '10.0.1.1-10.0.1.2')")
			refresh()
			n.get(from("p", "x"))
			do(t, db, "UPDATE pool_ranges SET draining = true WHERE range LIKE '10.0.0.%'")
			refresh()
			leases, err := n.Leases(t.Context())
			if err != nil || len(leases) != 5 {
				t.Fatalf("a drained range keeps its sessions: %+v, %v", leases, err)
			}
			n.drop(old[0])
			if l := n.get(from("p", "0")); l.Address != address("10.0.1.2") && l.Address != address("10.0.1.1") {
				t.Errorf("out of the drained range: %v", l.Address)
			}
			if _, err := n.Allocate(t.Context(), from("p", "y")); err == nil {
				t.Error("the drained range was given")
			}
			do(t, db, "UPDATE pool_ranges SET draining = false")
			refresh()
			n.get(from("p", "y"))
			do(t, db, "INSERT INTO pool_ranges (pool, range, kind) VALUES ('p', '10.0.1.0/24', 'exclude'); UPDATE pools SET draining = true")
			refresh()
			_, err = n.Allocate(t.Context(), from("p", "z"))
			var full *pool.ExhaustedError
			if !errors.As(err, &full) {
				t.Errorf("a draining pool: %v", err)
			}
			do(t, db, "DELETE FROM pools")
			refresh()
			var unknown *pool.UnknownPoolError
			if _, err = n.Allocate(t.Context(), from("p", "z")); !errors.As(err, &unknown) {
				t.Errorf("a deleted pool: %v", err)
			}
		})
	}
}

func TestARangeMovesToAnotherPool(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 4} {
		t.Run(fmt.Sprint("blocks of ", size), func(t *testing.T) {
			db, a, b := twoNodes(t, size, makePool(t, "p", 0, "10.0.0.1-10.0.0.16"), makePool(t, "q", 0, "10.0.9.1"))
			kept := a.get(from("p", "x"))
			a.written()
			do(t, db, "DELETE FROM pool_ranges WHERE pool = 'p'")
			do(t, db, "INSERT INTO pool_ranges (pool, range) VALUES ('q', '10.0.0.1-10.0.0.16')")
			for _, n := range []*node{a, b} {
				if err := n.Refresh(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 16 { // 15 of the range and the one of q; one is held
				if l := b.get(pool.Request{Pools: []string{"q"}, Holder: fmt.Sprint(i)}); l.Address == kept.Address || l.Pool != "q" {
					t.Fatalf("%+v", l)
				}
			}
		})
	}
}

func TestOutageShorterThanTheLife(t *testing.T) {
	t.Parallel()
	s := pgtest.Cluster(t)
	db := s.New()
	define(t, db, makePool(t, "p", 10*time.Millisecond, "10.0.0.0/20"))
	define(t, db, makePool(t, "small", 10*time.Millisecond, "10.1.0.0/26"))
	cfg := Config{Pool: db, Node: "a", Tick: 20 * time.Millisecond, Timeout: time.Second, Lost: func(l []pool.Lease) { t.Errorf("lost %d leases", len(l)) }}
	a := open(t, cfg)
	cfg.Node = "b"
	b := open(t, cfg)
	h1, h2 := newHistory(), newHistory()
	w := &storm{pools: []string{"small", "p"}, limit: 8_000}
	var all sync.WaitGroup
	w.workers(t, 16, a, h1, &all)
	w.workers(t, 16, b, h2, &all)
	for i, out := range []func(){s.Stop, s.Crash} {
		eventually(t, "some work", func() bool { return w.cycles.Load() > int64(1500*(i+1)) })
		out()
		eventually(t, "both notice", func() bool { return !a.Stats().Attached && !b.Stats().Attached })
		s.Start()
		eventually(t, "both are back", func() bool { return a.Stats().Attached && b.Stats().Attached })
	}
	all.Wait()
	for _, n := range []*node{a, b} {
		n.written()
		if s := n.Stats(); s.Conflicts != 0 || s.Held != 0 {
			t.Errorf("node %s: %+v", n.cfg.Node, s)
		}
	}
	if n := one[int](t, db, "SELECT count(*) FROM leases WHERE state = 'bound'"); n != 0 {
		t.Errorf("%d rows are bound and nobody holds anything", n)
	}
	t.Logf("%d answers: the database is away", w.away.Load())
	judge(t, db, h1, h2)
}

// A statement may be carried out without our hearing of it: what it did is undone.
func TestStrayRowsAndBlocksAreGivenBack(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	db := dial(t, dsn)
	define(t, db, makePool(t, "p", 0, "10.0.0.1-10.0.0.64"))
	link, far := through(t, dsn)
	a := open(t, Config{Pool: far, Node: "a", Tick: 5 * time.Millisecond}, sized(16))
	kept := a.get(from("p", "x"))
	a.written()
	link.sever(true)
	eventually(t, "the node notices", func() bool { return !a.Stats().Attached })
	do(t, db, "INSERT INTO pool_blocks VALUES ('default', '10.0.0.33', '10.0.0.48', 'p', 'a', 1, now() + interval '1 h')")
	do(t, db, "INSERT INTO leases (address, pool, holder, node, epoch) VALUES ('10.0.0.2', 'p', 'stray', 'a', 1), ('10.0.0.40', 'p', 'stray', 'a', 1)")
	link.sever(false)
	eventually(t, "the node is back", func() bool { return a.Stats().Attached })
	a.written()
	if n := one[int](t, db, "SELECT count(*) FROM leases WHERE holder = 'stray' AND state = 'bound'"); n != 0 {
		t.Errorf("%d stray leases", n)
	}
	if n := one[int](t, db, "SELECT count(*) FROM pool_blocks WHERE node = 'a'"); n != 1 {
		t.Errorf("%d blocks, want the one it knows", n)
	}
	if one[string](t, db, "SELECT holder FROM leases WHERE state = 'bound'") != kept.Holder {
		t.Error("the lease of the session is gone")
	}
}

// The last line of defence: somebody wrote a lease into our block.
func TestConflictIsSetAsideAndTold(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	define(t, db, makePool(t, "p", 0, "10.0.0.1-10.0.0.64"))
	lost := make(chan []pool.Lease, 1)
	a := open(t, Config{Pool: db, Lost: func(l []pool.Lease) { lost <- l }}, sized(16))
	first := a.get(from("p", "x"))
	next := first.Address.Next()
	do(t, db, "INSERT INTO leases (address, pool, holder, node, epoch) VALUES ($1, 'p', 'intruder', 'elsewhere', 1)", next)
	l := a.get(pool.Request{Address: next, Account: "y", Holder: "y"})
	if got := <-lost; len(got) != 1 || got[0] != l {
		t.Errorf("lost %+v", got)
	}
	if s := a.Stats(); s.Conflicts != 1 {
		t.Errorf("%+v", s)
	}
	_, err := a.Allocate(t.Context(), pool.Request{Address: next, Account: "y", Holder: "z"})
	var inUse *pool.InUseError
	if !errors.As(err, &inUse) || inUse.Holder != "intruder" {
		t.Error(err)
	}
	if l := a.get(from("p", "z")); l.Address == next {
		t.Error("it was given again")
	}
}

func TestFarewellGivesBlocksBack(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	define(t, db, makePool(t, "p", 0, "10.0.0.1-10.0.0.64"))
	a := open(t, Config{Pool: db}, sized(16))
	a.drop(a.get(from("p", "x")))
	a.close()
	if n := one[int](t, db, "SELECT count(*) FROM pool_blocks WHERE node IS NOT NULL"); n != 0 {
		t.Errorf("%d blocks still have an owner", n)
	}
	if n := one[int](t, db, "SELECT count(*) FROM leases WHERE state = 'bound'"); n != 0 {
		t.Errorf("%d leases", n)
	}
}

func TestCallerWhoGivesUpHoldsNothing(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	define(t, db, makePool(t, "p", 0, "10.0.0.1-10.0.0.2"))
	n := open(t, Config{Pool: db}, sized(0))
	for i := range 200 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*20*time.Microsecond)
		if l, err := n.Allocate(ctx, from("p", "x")); err == nil {
			n.drop(l)
		}
		cancel()
	}
	usage, err := n.Usage(t.Context())
	if err != nil || usage[0].Leased != 0 {
		t.Errorf("%+v, %v", usage, err)
	}
}

func TestMemoryDoesNotGrowWithThePool(t *testing.T) {
	heap := func(ranges string) uint64 {
		db := pgtest.New(t)
		define(t, db, makePool(t, "p", time.Minute, ranges))
		n := open(t, Config{Pool: db})
		for i := range 100 {
			n.get(from("p", fmt.Sprint(i)))
		}
		n.written()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		usage, err := n.Usage(t.Context())
		if err != nil || usage[0].Leased != 100 {
			t.Errorf("%+v, %v", usage, err)
		}
		n.close()
		return m.HeapAlloc
	}
	heap("10.0.0.0/20")
	small := heap("10.0.0.0/20")
	big := heap("10.0.0.0-10.15.66.63") // 1,000,000
	t.Logf("heap with 4,094 addresses %d KiB, with a million %d KiB", small>>10, big>>10)
	if big > small+256<<10 {
		t.Errorf("heap grows from %d to %d", small, big)
	}
}

func TestSizing(t *testing.T) {
	for _, c := range []struct {
		pool        uint64
		nodes, most int
		want        int
	}{
		{254, 1, 256, 16}, {254, 3, 256, 8}, {31, 1, 256, 0}, {32, 1, 256, 4}, {1 << 20, 3, 256, 256},
		{1 << 20, 3, 200, 128}, {math.MaxUint64, 0, 256, 256}, {1, 1, 256, 0}, {0, 1, 256, 0},
	} {
		if got := sizing(c.pool, c.nodes, c.most); got != c.want {
			t.Errorf("sizing(%d, %d, %d) = %d, want %d", c.pool, c.nodes, c.most, got, c.want)
		}
	}
}

// Behind PgBouncer in transaction mode nothing may count on prepared statements or on the session.
func TestEveryWayToSendStatements(t *testing.T) {
	t.Parallel()
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		t.Run(mode.String(), func(t *testing.T) {
			dsn := pgtest.DSN(t)
			cfg, err := pgxpool.ParseConfig(dsn)
			if err != nil {
				t.Fatal(err)
			}
			cfg.ConnConfig.DefaultQueryExecMode = mode
			db, err := pgxpool.NewWithConfig(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(db.Close)
			plain := dial(t, dsn)
			define(t, plain, makePool(t, "p", time.Minute, "10.0.0.1-10.0.0.64"))
			define(t, plain, makePool(t, "small", time.Minute, "10.0.1.1-10.0.1.2"))
			reserve(t, plain, pool.Static{Account: "bob", Address: address("10.0.2.1")})
			n := open(t, Config{Pool: db, Tick: 5 * time.Millisecond})
			for _, name := range []string{"p", "small"} {
				l := n.get(from(name, "x"))
				n.drop(l)
				n.written()
				if again := n.get(from(name, "x")); again.Address != l.Address {
					t.Errorf("%v, want %v", again.Address, l.Address)
				}
			}
			n.get(pool.Request{Address: address("10.0.2.1"), Account: "bob", Holder: "b"})
			if err := n.Refresh(t.Context()); err != nil {
				t.Error(err)
			}
			if u, err := n.Usage(t.Context()); err != nil || len(u) != 2 || u[0].Leased != 1 || u[1].Leased != 1 {
				t.Errorf("%+v, %v", u, err)
			}
			if l, err := n.Leases(t.Context()); err != nil || len(l) != 3 {
				t.Errorf("%+v, %v", l, err)
			}
		})
	}
}
