package pooltest

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"lnsgate/pool"
)

// testPrefixLent: one session is offered a prefix out of each of two pools, and both live like an address.
func testPrefixLent(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{
		makePrefixes(t, "links", 64, "2001:db8:0:1::/64"), makePrefixes(t, "sites", 56, "2001:db8:1:100::/56"),
	}})
	wants := map[string]netip.Prefix{"links": prefix("2001:db8:0:1::/64"), "sites": prefix("2001:db8:1:100::/56")}
	for name, want := range wants {
		l := b.borrow(offered(name, "x"))
		again := b.borrow(offered(name, "x"))
		if l.Prefix() != want || again.Prefix() != want {
			t.Fatalf("%v, and again %v; want %v", l.Prefix(), again.Prefix(), want)
		}
		b.none(offered(name, "y"))
	}
	b.pass(offer)
	for name, want := range wants {
		l := b.borrow(offered(name, "x")) // an offer that nobody took is free at once
		b.keep(l, b.now.Add(2*offer))
		b.pass(offer)
		moved := l
		moved.Pool = "" // a node that was not there knows only what the session has
		b.keep(moved, b.now.Add(2*offer))
		b.pass(offer)
		b.none(offered(name, "y"))
		b.release(l)
		b.none(offered(name, "y"))
		b.pass(quarantine)
		b.usages()
		if other := b.borrow(offered(name, "y")); other.Prefix() != want {
			t.Errorf("%v after %v", other.Prefix(), want)
		}
		b.inUse(b.Keep(t.Context(), l, time.Time{}), l.Address, "session of y")
	}
}

// testPrefixKept: what a session says it has is taken out of a pool only where the pool gives just that.
func testPrefixKept(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePrefixes(t, "sites", 56, "2001:db8:1::/54")}})
	for _, text := range []string{"2001:db8:9::/56", "2001:db8:1:1::/64", "2001:db8:1:100::/60", "2001:db8:1::/55"} {
		p := prefix(text)
		err := b.Keep(t.Context(), pool.Lease{Address: p.Addr(), PrefixLength: p.Bits(), Account: "x", Holder: "s"}, time.Time{})
		var no *pool.MismatchError
		if !errors.As(err, &no) || no.Prefix != p || (no.Pool == "") != (text == "2001:db8:9::/56") {
			t.Errorf("%v is kept: %v", p, err)
		}
	}
	b.keep(pool.Lease{Address: address("2001:db8:1:200::"), PrefixLength: 56, Account: "x", Holder: "s"}, time.Time{})
	for range 3 {
		if l := b.get(pool.Request{Pools: []string{"sites"}, Account: "y", Holder: "session of y"}); l.Address == address("2001:db8:1:200::") {
			t.Error("it is given twice")
		}
	}
	b.none(offered("sites", "z"))
}

// none fails the test unless the pool has nothing left.
func (b *bench) none(r pool.Request) {
	b.Helper()
	var exhausted *pool.ExhaustedError
	if l, err := b.Allocate(b.Context(), r); !errors.As(err, &exhausted) {
		b.Fatalf("%+v: %+v, %v", r, l, err)
	}
}

// usages has what has run out end.
func (b *bench) usages() {
	b.Helper()
	if _, err := b.Usage(b.Context()); err != nil {
		b.Fatal(err)
	}
}
