package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/pool"
	"lnsgate/test/pgtest"
)

// history is who had which address from when to when. A holding begins after Allocate has returned and ends before
// Release is called, so two that overlap are two hands.
type history struct {
	mu      sync.Mutex
	holding map[netip.Addr]*holding // of one node
	done    []holding
	until   time.Time // when the node has died: nobody may have its addresses before this
}

type holding struct {
	address  netip.Addr
	holder   string
	from, to time.Time
}

func newHistory() *history { return &history{holding: make(map[netip.Addr]*holding)} }

func (h *history) got(l pool.Lease) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := &holding{address: l.Address, holder: l.Holder, from: time.Now(), to: h.until}
	if h.until.IsZero() {
		h.holding[l.Address] = now
	} else if now.to.After(now.from) {
		h.done = append(h.done, *now)
	}
}

// gone ends a holding. It says false if it had ended before.
func (h *history) gone(l pool.Lease) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	open := h.holding[l.Address]
	if open == nil || open.holder != l.Holder {
		return false
	}
	open.to = time.Now()
	h.done = append(h.done, *open)
	delete(h.holding, l.Address)
	return true
}

// died ends what a dead node held: nobody may have it before until.
func (h *history) died(until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.until = until
	for _, open := range h.holding {
		open.to = until
		h.done = append(h.done, *open)
	}
	clear(h.holding)
}

// judge puts all histories into a table and asks the database for addresses in two hands.
func judge(t testing.TB, db *pgxpool.Pool, all ...*history) {
	t.Helper()
	do(t, db, "CREATE TABLE history (address inet, holder text, held_from bigint, held_to bigint)")
	n := 0
	for _, h := range all {
		h.died(time.Now())
		_, err := db.CopyFrom(context.Background(), pgx.Identifier{"history"}, []string{"address", "holder", "held_from", "held_to"},
			pgx.CopyFromSlice(len(h.done), func(i int) ([]any, error) {
				d := h.done[i]
				return []any{d.address, d.holder, d.from.UnixNano(), d.to.UnixNano()}, nil
			}))
		if err != nil {
			t.Fatal(err)
		}
		n += len(h.done)
	}
	rows, err := db.Query(context.Background(), `SELECT address, holder, before, (overlap / 1000)::bigint FROM (
		SELECT address, holder, lag(holder) OVER w AS before, lag(held_to) OVER w - held_from AS overlap FROM history
		WINDOW w AS (PARTITION BY address ORDER BY held_from)) x WHERE overlap > 0 LIMIT 10`)
	if err != nil {
		t.Fatal(err)
	}
	var a netip.Addr
	var holder, before string
	var overlap int64
	if _, err := pgx.ForEachRow(rows, []any{&a, &holder, &before, &overlap}, func() error {
		t.Errorf("%v: %s had it while %s had it still, for %d us", a, holder, before, overlap)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d holdings checked", n)
}

// storm is the work of all nodes together.
type storm struct {
	pools  []string
	limit  int64
	cycles atomic.Int64
	away   atomic.Int64 // answers that the database is away
	full   atomic.Int64
}

// workers lets n workers allocate and release on a node until the storm is over or the node is.
func (s *storm) workers(t testing.TB, n int, on *node, h *history, all *sync.WaitGroup) {
	for w := range n {
		all.Go(func() {
			var mine []pool.Lease
			for s.cycles.Load() < s.limit {
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				account := "" // half of them are nobody's, and get whatever is free
				if rand.IntN(2) == 0 {
					account = "a" + strconv.Itoa(rand.IntN(3000))
				}
				l, err := on.Allocate(ctx, pool.Request{Pools: s.pools, Account: account, Holder: fmt.Sprint(on.cfg.Node, "/", w, "/", rand.Uint64())})
				cancel()
				if err == nil {
					h.got(l)
					s.cycles.Add(1)
					mine = append(mine, l)
				} else if s.excuse(t, on, err) {
					return
				}
				for len(mine) > rand.IntN(4) || err != nil && len(mine) > 0 {
					if h.gone(mine[0]) {
						on.drop(mine[0])
					}
					mine = mine[1:]
				}
			}
			for _, l := range mine {
				if h.gone(l) {
					on.drop(l)
				}
			}
		})
	}
}

// excuse judges an error of Allocate and says whether the worker must stop.
func (s *storm) excuse(t testing.TB, on *node, err error) bool {
	var away *UnavailableError
	var full *pool.ExhaustedError
	switch {
	case errors.Is(err, errStopped):
		return true
	case errors.As(err, &away):
		s.away.Add(1)
		<-time.After(100 * time.Millisecond) // more often would only take the others' time
	case errors.As(err, &full):
		s.full.Add(1)
	default:
		t.Errorf("node %s: %v", on.cfg.Node, err)
		return true
	}
	return false
}

// proxy stands between a node and the database until it is cut.
type proxy struct {
	net.Listener
	to    *pgx.ConnConfig
	mu    sync.Mutex
	conns []net.Conn
	cut   bool
	all   sync.WaitGroup
}

// through connects to the database by way of a proxy.
func through(t testing.TB, dsn string) (*proxy, *pgxpool.Pool) {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{to: cfg.ConnConfig.Copy()}
	if p.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	p.all.Go(p.serve)
	at := p.Addr().(*net.TCPAddr)
	cfg.ConnConfig.Host, cfg.ConnConfig.Port, cfg.ConnConfig.Fallbacks = "127.0.0.1", uint16(at.Port), nil
	cfg.ConnConfig.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }
	db, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.close()
		db.Close()
	})
	return p, db
}

func (p *proxy) serve() {
	for {
		c, err := p.Accept()
		if err != nil {
			return
		}
		network, address := pgconn.NetworkAddress(p.to.Host, p.to.Port)
		up, err := net.Dial(network, address)
		p.mu.Lock()
		if err != nil || p.cut {
			c.Close()
			if up != nil {
				up.Close()
			}
			p.mu.Unlock()
			continue
		}
		p.conns = append(p.conns, c, up)
		p.mu.Unlock()
		p.all.Go(func() { io.Copy(up, c); up.Close() })
		p.all.Go(func() { io.Copy(c, up); c.Close() })
	}
}

// sever closes all connections. While it lasts new ones are closed at once.
func (p *proxy) sever(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

func (p *proxy) close() {
	p.Close()
	p.sever(true)
	p.all.Wait()
}

// Three nodes share a pool. In the middle one dies without a word and one is cut off from the database.
func TestThreeNodesOneDiesOneIsCutOff(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	db := dial(t, dsn)
	define(t, db, makePool(t, "p", 20*time.Millisecond, "10.64.0.0/19"))
	link, cutOff := through(t, dsn)
	const life, leaseLife, grace = 3 * time.Second, 4 * time.Second, 2 * time.Second
	cfg := Config{Pool: db, BlockLife: life, LeaseLife: leaseLife, Grace: grace, Tick: 50 * time.Millisecond, JournalEvery: 5 * time.Millisecond}
	at := func(name string, db *pgxpool.Pool, h *history) Config {
		c := cfg
		c.Node, c.Pool = name, db
		c.Lost = func(lost []pool.Lease) {
			for _, l := range lost {
				h.gone(l)
			}
		}
		return c
	}
	h1, h2, h3 := newHistory(), newHistory(), newHistory()
	n1, n2, n3 := open(t, at("n1", db, h1)), open(t, at("n2", cutOff, h2)), open(t, at("n3", db, h3))
	s := &storm{pools: []string{"p"}, limit: 200_000}
	var all sync.WaitGroup
	began := time.Now()
	for i, n := range []*node{n1, n2, n3} {
		s.workers(t, 64, n, []*history{h1, h2, h3}[i], &all)
	}
	eventually(t, "a third of the work", func() bool { return s.cycles.Load() > s.limit/3 })
	n1.die()
	died := time.Now()
	h1.died(died.Add(life/2 + grace))
	eventually(t, "half of the work", func() bool { return s.cycles.Load() > s.limit/2 })
	link.sever(true)
	all.Wait()
	t.Logf("%d cycles in %v; %d answers: database away, %d: pool full; n3: %+v", s.cycles.Load(), time.Since(began), s.away.Load(), s.full.Load(), n3.Stats())
	if n := n2.Stats().Conflicts + n3.Stats().Conflicts + n1.Stats().Conflicts; n != 0 {
		t.Errorf("the primary key had to save us %d times", n)
	}
	n2.die()
	h2.died(time.Now())

	// After the grace time every address can be had on the node that is left.
	size := int(total(makePool(t, "p", 0, "10.64.0.0/19").Ranges, 0))
	have := make(map[netip.Addr]bool)
	eventually(t, "all addresses are back", func() bool {
		for {
			l, err := n3.Allocate(context.Background(), pool.Request{Pools: []string{"p"}, Holder: fmt.Sprint("last ", len(have))})
			if err != nil {
				return len(have) == size
			}
			if have[l.Address] {
				t.Fatalf("%v was given twice", l.Address)
			}
			have[l.Address] = true
			h3.got(l)
		}
	})
	n3.written()
	if n := one[int](t, db, "SELECT count(*) FROM leases WHERE state = 'bound' AND node = 'n3'"); n != size {
		t.Errorf("%d rows are bound to the last node, want %d", n, size)
	}
	judge(t, db, h1, h2, h3)
}

func dial(t testing.TB, dsn string) *pgxpool.Pool {
	t.Helper()
	db, err := pgxpool.New(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

// eventually waits until it is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-deadline:
			t.Fatalf("still not: %s", what)
		case <-tick.C:
		}
	}
}
