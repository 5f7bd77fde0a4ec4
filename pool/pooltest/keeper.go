package pooltest

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"lnsgate/pool"
)

const offer = 2 * time.Minute

// offered asks the pool for an offer for an account.
func offered(poolName, account string) pool.Request {
	r := from(poolName, account)
	r.Offer = offer
	return r
}

// borrow gets an offer and fails the test if it does not say when it ends.
func (b *bench) borrow(r pool.Request) pool.Lease {
	b.Helper()
	l := b.get(r)
	if !l.Expires.Equal(b.now.Add(r.Offer)) {
		b.Fatalf("%+v: the offer ends %v", r, l.Expires)
	}
	return l
}

func (b *bench) keep(l pool.Lease, until time.Time) {
	b.Helper()
	if err := b.Keep(b.Context(), l, until); err != nil {
		b.Fatalf("keep %+v: %v", l, err)
	}
}

// full fails the test unless the pool has nothing left, in just this way.
func (b *bench) full(r pool.Request, want pool.Usage) {
	b.Helper()
	l, err := b.Allocate(b.Context(), r)
	var exhausted *pool.ExhaustedError
	if !errors.As(err, &exhausted) || exhausted.Pools[0] != want {
		b.Fatalf("%+v: %+v, %v", r, l, err)
	}
}

// usage asks how full the only pool is, which also ends what has run out.
func (b *bench) usage() pool.Usage {
	b.Helper()
	u, err := b.Usage(b.Context())
	if err != nil || len(u) != 1 {
		b.Fatalf("usage: %+v, %v", u, err)
	}
	return u[0]
}

// inUse fails the test unless the error says that the holder has the address.
func (b *bench) inUse(err error, a netip.Addr, holder string) {
	b.Helper()
	var held *pool.InUseError
	if !errors.As(err, &held) || held.Holder != holder || held.Address != a {
		b.Fatalf("%v is held by %s: %v", a, holder, err)
	}
}

func testOfferEnds(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePool(t, "a", "10.0.0.1")}})
	l := b.borrow(offered("a", "x"))
	if u := b.usage(); u != (pool.Usage{Pool: "a", Size: 1, Leased: 1}) {
		t.Errorf("%+v", u)
	}
	leases, err := b.Leases(t.Context())
	if err != nil || len(leases) != 1 || !leases[0].Expires.Equal(l.Expires) || leases[0].Holder != l.Holder {
		t.Errorf("%+v, %v", leases, err)
	}
	b.pass(offer - 1)
	b.full(from("a", "y"), pool.Usage{Pool: "a", Size: 1, Leased: 1})
	b.pass(1)
	if u := b.usage(); u != (pool.Usage{Pool: "a", Size: 1}) {
		t.Errorf("after the offer: %+v", u)
	}
	b.get(from("a", "y")) // without quarantine: nobody was heard to use it
	b.release(l)          // late
	if leases, err = b.Leases(t.Context()); err != nil || len(leases) != 1 || leases[0].Account != "y" {
		t.Errorf("%+v, %v", leases, err)
	}
}

func testKeep(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePool(t, "a", "10.0.0.1")}})
	l := b.borrow(offered("a", "x"))
	b.keep(l, b.now.Add(10*offer))
	b.pass(9 * offer)
	b.full(offered("a", "y"), pool.Usage{Pool: "a", Size: 1, Leased: 1})
	b.keep(l, b.now.Add(2*offer))
	b.keep(l, b.now.Add(2*offer)) // a repeated word changes nothing
	b.pass(2*offer - 1)
	leases, err := b.Leases(t.Context())
	if err != nil || len(leases) != 1 || !leases[0].Expires.Equal(b.now.Add(1)) || !leases[0].Since.Equal(l.Since) {
		t.Fatalf("%+v, %v", leases, err)
	}
	b.pass(1)
	if u := b.usage(); u != (pool.Usage{Pool: "a", Size: 1, Quarantined: 1}) {
		t.Fatalf("it has run out: %+v", u)
	}
	b.full(offered("a", "y"), pool.Usage{Pool: "a", Size: 1, Quarantined: 1})
	b.pass(quarantine)
	l = b.borrow(offered("a", "y"))
	b.keep(l, time.Time{})
	b.pass(1000 * offer)
	b.full(offered("a", "x"), pool.Usage{Pool: "a", Size: 1, Leased: 1})
	b.release(l)
	b.release(l)
	b.full(offered("a", "x"), pool.Usage{Pool: "a", Size: 1, Quarantined: 1})
	b.pass(quarantine)
	b.borrow(offered("a", "x"))
}

func testKeepLate(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePool(t, "a", "10.0.0.1")}})
	l := b.borrow(offered("a", "x"))
	b.pass(offer + 1)
	b.usage()
	b.keep(l, b.now.Add(offer))
	b.full(offered("a", "y"), pool.Usage{Pool: "a", Size: 1, Leased: 1})
	b.pass(offer + 1)
	b.usage()
	b.keep(l, b.now.Add(offer)) // out of quarantine
	b.release(l)
	b.keep(l, b.now.Add(offer)) // that, too
	b.pass(offer + quarantine)
	b.usage()
	other := b.borrow(offered("a", "y"))
	b.inUse(b.Keep(t.Context(), l, b.now.Add(offer)), l.Address, other.Holder)
	b.pass(offer)
	b.usage()
	b.keep(l, b.now.Add(offer)) // nobody has it
	b.inUse(b.Keep(t.Context(), other, time.Time{}), l.Address, l.Holder)
}

func testKeepUnknown(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePool(t, "a", "10.0.0.1-10.0.0.9")}})
	l := pool.Lease{Address: address("10.0.0.7"), Pool: "a", Account: "x", Holder: "s"}
	outside := pool.Lease{Address: address("192.0.2.9"), Account: "x", Holder: "s"}
	b.keep(l, time.Time{})
	b.keep(outside, time.Time{})
	seen := map[netip.Addr]bool{l.Address: true}
	for i := range 8 {
		if l := b.get(from("a", fmt.Sprint(i))); seen[l.Address] {
			t.Fatalf("%v was given twice", l.Address)
		} else {
			seen[l.Address] = true
		}
	}
	b.full(from("a", "y"), pool.Usage{Pool: "a", Size: 9, Leased: 9})
	b.release(outside)
	b.release(l)
	b.full(from("a", "y"), pool.Usage{Pool: "a", Size: 9, Leased: 8, Quarantined: 1})
	if again := b.borrow(offered("a", "x")); again.Address != l.Address {
		t.Errorf("%v, want %v", again.Address, l.Address)
	}
}

func testKeepRefused(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePool(t, "a", "10.0.0.1-10.0.0.2")}})
	bound, lent := b.get(from("a", "x")), b.borrow(offered("a", "y"))
	for _, l := range []pool.Lease{bound, lent} {
		b.inUse(b.Keep(t.Context(), pool.Lease{Address: l.Address, Pool: "a", Account: l.Account, Holder: "z"}, time.Time{}), l.Address, l.Holder)
	}
	if err := b.Keep(t.Context(), pool.Lease{Address: lent.Address}, time.Time{}); !errors.Is(err, pool.ErrNoHolder) {
		t.Errorf("without a holder: %v", err)
	}
	b.pass(offer)
	b.usage()
	b.get(from("a", "z")) // the refusals kept nothing
}

func testKeepBound(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePool(t, "a", "10.0.0.1")}})
	l := b.get(from("a", "x"))
	b.keep(l, b.now.Add(1))
	b.pass(2)
	b.full(from("a", "y"), pool.Usage{Pool: "a", Size: 1, Leased: 1})
	b.release(l)
}

func testOfferAgain(t *testing.T, open Open) {
	for _, account := range []string{"x", ""} {
		p, other := makePool(t, "a", "10.0.0.1-10.0.0.9"), makePool(t, "b", "10.0.1.1-10.0.1.9")
		p.Sticky = false
		b := start(t, open, Setup{Pools: []pool.Pool{p, other}})
		r := offered("a", account)
		r.Holder = "s"
		first := b.borrow(r)
		b.pass(offer / 2)
		again, err := b.Allocate(t.Context(), r)
		if err != nil || again.Address != first.Address || !again.Expires.Equal(b.now.Add(offer)) || !again.Since.Equal(first.Since) {
			t.Fatalf("asked again: %+v, %v", again, err)
		}
		b.keep(again, b.now.Add(10*offer))
		r.Pools = []string{"b", "a"}
		kept, err := b.Allocate(t.Context(), r)
		if err != nil || kept.Address != first.Address || !kept.Expires.Equal(b.now.Add(10*offer)) {
			t.Fatalf("asked again when kept: %+v, %v", kept, err)
		}
		r.Pools = []string{"b"}
		if l := b.borrow(r); l.Pool != "b" {
			t.Errorf("of another pool: %+v", l)
		}
		b.release(kept)
		r.Pools, r.Holder = []string{"a"}, "t"
		if l := b.borrow(r); l.Address == first.Address {
			t.Errorf("out of quarantine: %+v", l)
		}
	}
}

func testOfferExactly(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePool(t, "a", "10.0.0.1-10.0.0.2")}})
	exact := pool.Request{Address: address("10.0.0.2"), Account: "x", Holder: "s1", Offer: offer}
	l := b.borrow(exact)
	b.pass(1)
	again, err := b.Allocate(t.Context(), exact)
	if err != nil || again.Address != l.Address || !again.Expires.Equal(b.now.Add(offer)) {
		t.Fatalf("asked again: %+v, %v", again, err)
	}
	b.borrow(offered("a", "y"))
	b.full(offered("a", "z"), pool.Usage{Pool: "a", Size: 2, Leased: 2})
	stranger := exact
	stranger.Account, stranger.Holder = "z", "s2"
	_, err = b.Allocate(t.Context(), stranger)
	b.inUse(err, l.Address, "s1")
	b.pass(offer)
	b.borrow(stranger)
	b.release(l)
	_, err = b.Allocate(t.Context(), exact)
	b.inUse(err, l.Address, "s2")
}

func testOfferSticky(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePool(t, "a", "10.0.0.1-10.0.0.9")}})
	b.get(from("a", "other"))
	lent := b.borrow(offered("a", "x"))
	second := offered("a", "x")
	second.Holder = "another session"
	if l := b.borrow(second); l.Address == lent.Address {
		t.Fatalf("%v is offered to two", l.Address)
	}
	b.pass(offer)
	b.usage()
	back := b.borrow(offered("a", "x"))
	b.keep(back, time.Time{})
	b.pass(1)
	b.release(back)
	if l := b.borrow(offered("a", "x")); l.Address != back.Address {
		t.Errorf("after a session: %v, want %v", l.Address, back.Address)
	} else {
		b.keep(l, b.now.Add(offer))
	}
	b.pass(offer)
	b.usage()
	if l := b.get(from("a", "x")); l.Address != back.Address {
		t.Errorf("after one that ran out: %v, want %v", l.Address, back.Address)
	}
}

func testOfferStatic(t *testing.T, open Open) {
	for _, text := range []string{"10.0.0.2", "192.0.2.7"} {
		b := start(t, open, Setup{
			Pools:   []pool.Pool{makePool(t, "a", "10.0.0.1-10.0.0.9")},
			Statics: []pool.Static{{Account: "bob", Address: address(text)}},
		})
		r := pool.Request{Pools: []string{"a"}, Address: address(text), Account: "bob", Holder: "s1", Offer: offer}
		first := b.borrow(r)
		r.Holder = "s2"
		second := b.borrow(r) // he tries again
		b.inUse(b.Keep(t.Context(), first, time.Time{}), first.Address, "s2")
		b.keep(second, b.now.Add(3*offer))
		b.pass(2 * offer)
		r.Account, r.Holder = "eve", "s3"
		_, err := b.Allocate(t.Context(), r)
		var reserved *pool.ReservedError
		if !errors.As(err, &reserved) {
			t.Errorf("%s: %v", text, err)
		}
		b.release(second)
		r.Account = "bob"
		b.keep(b.borrow(r), b.now.Add(offer))
		b.pass(offer)
		b.usage()
		b.borrow(r)
	}
}

// testOfferMoves: a session may have another name than the login that it began with.
func testOfferMoves(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePool(t, "a", "10.0.0.1-10.0.0.9")}})
	lent := b.borrow(offered("a", "x"))
	moved := b.borrow(pool.Request{Address: lent.Address, Account: "x", Holder: "session", Offer: offer})
	if moved.Address != lent.Address || moved.Pool != "a" {
		t.Fatalf("%+v became %+v", lent, moved)
	}
	b.release(lent) // it has nothing any more
	b.keep(moved, b.now.Add(2*offer))
	b.pass(offer)
	b.inUse(b.Keep(t.Context(), lent, time.Time{}), lent.Address, "session")
	second := b.borrow(offered("a", "x"))
	if second.Address == lent.Address {
		t.Errorf("%v is offered to two", lent.Address)
	}
	b.release(moved)
	b.release(second)
}

func testOfferConcurrent(t *testing.T, open Open) {
	p := makePool(t, "a", "10.0.0.1-10.0.0.20")
	p.Quarantine = 0
	b := start(t, open, Setup{Pools: []pool.Pool{p}})
	var mu sync.Mutex
	holders := make(map[netip.Addr]string)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 50 {
				r := pool.Request{Pools: []string{"a"}, Account: fmt.Sprint(i % 5), Holder: fmt.Sprint(worker, "/", i)}
				if worker%2 == 0 {
					r.Offer = offer
				}
				l, err := b.Allocate(t.Context(), r)
				if err != nil {
					t.Errorf("20 addresses are enough for 8 workers: %v", err)
					return
				}
				mu.Lock()
				if other, taken := holders[l.Address]; taken {
					t.Errorf("%v is held by %s and %s", l.Address, other, r.Holder)
				}
				holders[l.Address] = r.Holder
				mu.Unlock()
				if err := b.Keep(t.Context(), l, time.Time{}); err != nil {
					t.Error(err)
				}
				mu.Lock()
				delete(holders, l.Address)
				mu.Unlock()
				if err := b.Release(t.Context(), l); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	leases, err := b.Leases(t.Context())
	if err != nil || !slices.Equal(leases, []pool.Lease{}) && len(leases) > 0 {
		t.Errorf("%+v, %v", leases, err)
	}
}
