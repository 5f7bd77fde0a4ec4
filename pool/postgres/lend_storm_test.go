package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lnsgate/pool"
	"lnsgate/test/pgtest"
)

// had notes a holding that is over, or whose end is known.
func (h *history) had(l pool.Lease, from, to time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if to.After(from) {
		h.done = append(h.done, holding{address: l.Address, holder: l.Holder, from: from, to: to})
	}
}

// nas is what asks three nodes for the leases of its sessions, each time whichever it comes across.
type nas struct {
	*storm
	t     testing.TB
	nodes [3]atomic.Pointer[node]
	h     *history
	kept  atomic.Int64
	taken atomic.Int64 // offers that were kept too late, when somebody else had the address
}

const shortOffer = 60 * time.Millisecond

func (s *nas) any() *node { return s.nodes[rand.IntN(len(s.nodes))].Load() }

// try repeats what needs the database until some node can do it, as a NAS does.
func (s *nas) try(do func(context.Context, *node) error) error {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		err := do(ctx, s.any())
		cancel()
		var away *UnavailableError
		if !errors.As(err, &away) {
			return err
		}
		s.away.Add(1)
		<-time.After(5 * time.Millisecond)
	}
}

// session is one from the Access-Request to the Stop, with all that NASes do wrong.
func (s *nas) session(holder string) {
	r := pool.Request{Pools: s.pools, Holder: holder, Offer: shortOffer}
	if rand.IntN(2) == 0 {
		r.Account = "a" + strconv.Itoa(rand.IntN(300))
	}
	var l pool.Lease
	var asked time.Time
	err := s.try(func(ctx context.Context, n *node) (err error) {
		asked = time.Now()
		l, err = n.Allocate(ctx, r)
		return err
	})
	var full *pool.ExhaustedError
	if errors.As(err, &full) {
		s.full.Add(1)
		return
	} else if err != nil {
		s.t.Errorf("offer: %v", err)
		return
	}
	got, ends := time.Now(), asked.Add(shortOffer)
	fate := rand.IntN(8)
	if fate == 0 { // it never comes
		s.h.had(l, got, ends)
		return
	}
	if fate == 1 { // it comes when the offer is over
		<-time.After(shortOffer)
	}
	if err := s.try(func(ctx context.Context, n *node) error { return n.Keep(ctx, l, time.Time{}) }); err != nil {
		var held *pool.InUseError
		if !errors.As(err, &held) || time.Now().Before(ends) {
			s.t.Errorf("keep %+v: %v", l, err)
		}
		s.taken.Add(1)
		s.h.had(l, got, ends)
		return
	}
	s.kept.Add(1)
	kept := time.Now()
	if kept.Before(ends) {
		ends = kept
	}
	s.h.had(l, got, ends)
	if fate == 2 { // it lives on for a while
		if err := s.try(func(ctx context.Context, n *node) error { return n.Keep(ctx, l, time.Now().Add(time.Minute)) }); err != nil {
			s.t.Errorf("keep again %+v: %v", l, err)
		}
		<-time.After(5 * time.Millisecond)
	}
	if fate == 3 { // its Stop is lost, and its time runs out
		var asked time.Time
		if err := s.try(func(ctx context.Context, n *node) error {
			asked = time.Now()
			return n.Keep(ctx, l, asked.Add(shortOffer))
		}); err != nil {
			s.t.Errorf("keep for a while %+v: %v", l, err)
		}
		s.h.had(l, kept, asked.Add(shortOffer))
		return
	}
	s.h.had(l, kept, time.Now())
	if err := s.try(func(ctx context.Context, n *node) error { return n.Release(ctx, l) }); err != nil {
		s.t.Errorf("release %+v: %v", l, err)
	}
}

// Three nodes lend addresses to a NAS that asks whichever, while sessions of their own come and go. One is killed and starts
// again, one is cut off from the database for a while.
func TestLentLeasesInAStorm(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	db := dial(t, dsn)
	define(t, db, makePool(t, "p", 5*time.Millisecond, "10.65.0.0/22"))
	link, far := through(t, dsn)
	cfg := Config{Pool: db, Tick: 20 * time.Millisecond, JournalEvery: 5 * time.Millisecond, Timeout: 10 * time.Second, Grace: 100 * time.Millisecond}
	s := &nas{storm: &storm{pools: []string{"p"}, limit: 6000}, t: t, h: newHistory()}
	histories := []*history{s.h}
	var all sync.WaitGroup
	for i, name := range []string{"a", "b", "c"} {
		cfg.Node, cfg.Pool = name, db
		if name == "b" {
			cfg.Pool = far
		}
		n := open(t, cfg, sized(16))
		s.nodes[i].Store(n)
		if name != "a" {
			h := newHistory()
			histories = append(histories, h)
			s.workers(t, 4, n, h, &all)
		}
	}
	for w := range 96 {
		all.Go(func() {
			for i := 0; s.cycles.Add(1) < s.limit; i++ {
				s.session(fmt.Sprint("nas/", w, "/", i))
			}
		})
	}
	eventually(t, "a third of the work", func() bool { return s.cycles.Load() > s.limit/3 })
	s.nodes[0].Load().die()
	cfg.Node, cfg.Pool = "a", db
	s.nodes[0].Store(open(t, cfg, sized(16)))
	eventually(t, "two thirds of the work", func() bool { return s.cycles.Load() > 2*s.limit/3 })
	link.sever(true)
	eventually(t, "b notices", func() bool { return !s.nodes[1].Load().Stats().Attached })
	link.sever(false)
	all.Wait()
	t.Logf("%d kept, %d kept too late, %d times the database was away, %d times the pool was full", s.kept.Load(), s.taken.Load(), s.away.Load(), s.full.Load())
	for i := range s.nodes {
		n := s.nodes[i].Load()
		if n.Stats().Conflicts != 0 {
			t.Errorf("the primary key had to save us: %+v", n.Stats())
		}
		if i < 2 {
			eventually(t, "it has the database, to give its blocks back", func() bool { return n.Stats().Attached })
			n.close()
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(one[string](t, db, `SELECT coalesce(string_agg(line, E'\n'), '') FROM (
				SELECT concat_ws(' ', 'block', node, epoch, count(*)) AS line FROM pool_blocks GROUP BY node, epoch
				UNION ALL SELECT concat_ws(' ', 'lease', node, epoch < 0, state, kept_until, expires_at, count(*), now()) FROM leases
				WHERE node <> 'c' GROUP BY node, epoch < 0, state, kept_until, expires_at) l`))
		}
	})
	have := make(map[netip.Addr]bool)
	eventually(t, "all addresses are back", func() bool {
		for {
			l, err := s.nodes[2].Load().Allocate(context.Background(), pool.Request{Pools: s.pools, Holder: fmt.Sprint("last ", len(have))})
			if err != nil {
				return len(have) == 1022
			}
			if have[l.Address] {
				t.Fatalf("%v was given twice", l.Address)
			}
			have[l.Address] = true
			histories[2].got(l)
		}
	})
	judge(t, db, histories...)
}
