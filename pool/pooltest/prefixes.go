package pooltest

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"lnsgate/pool"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func testEveryPrefixOnce(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePrefixes(t, "a", 56, "2001:db8:1::/54", "2001:db8:2:100::-2001:db8:2:200::")}})
	var got []string
	for i := range 6 {
		l := b.get(from("a", fmt.Sprint(i)))
		got = append(got, l.Prefix().String())
	}
	slices.Sort(got)
	want := []string{"2001:db8:1:100::/56", "2001:db8:1:200::/56", "2001:db8:1:300::/56", "2001:db8:1::/56", "2001:db8:2:100::/56", "2001:db8:2:200::/56"}
	if !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	_, err := b.Allocate(t.Context(), from("a", "late"))
	var exhausted *pool.ExhaustedError
	if !errors.As(err, &exhausted) || exhausted.Pools[0] != (pool.Usage{Pool: "a", Size: 6, Leased: 6}) {
		t.Fatalf("a full pool answers %v", err)
	}
}

func testPrefixExclusion(t *testing.T, open Open) {
	p := makePrefixes(t, "a", 64, "2001:db8::/62")
	p.Exclude = []pool.Range{{First: address("2001:db8:0:1::1"), Last: address("2001:db8:0:1::1")}} // one address takes its prefix away
	b := start(t, open, Setup{Pools: []pool.Pool{p}})
	var got []string
	for i := range 3 {
		got = append(got, b.get(from("a", fmt.Sprint(i))).Prefix().String())
	}
	slices.Sort(got)
	if want := []string{"2001:db8:0:2::/64", "2001:db8:0:3::/64", "2001:db8::/64"}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func testPrefixQuarantine(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePrefixes(t, "a", 64, "2001:db8::/64")}})
	b.release(b.get(from("a", "x")))
	b.pass(quarantine - 1)
	_, err := b.Allocate(t.Context(), from("a", "y"))
	var exhausted *pool.ExhaustedError
	if !errors.As(err, &exhausted) || exhausted.Pools[0] != (pool.Usage{Pool: "a", Size: 1, Quarantined: 1}) {
		t.Fatalf("in quarantine: %v", err)
	}
	b.pass(1)
	b.get(from("a", "y"))
}

func testPrefixSticky(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePrefixes(t, "a", 56, "2001:db8::/52")}})
	b.get(from("a", "other"))
	first := b.get(from("a", "x"))
	b.release(first)
	b.pass(100 * quarantine)
	if again := b.get(from("a", "x")); again.Prefix() != first.Prefix() {
		t.Errorf("after quarantine: %v, want %v", again.Prefix(), first.Prefix())
	}
}

func testPrefixStatic(t *testing.T, open Open) {
	b := start(t, open, Setup{
		Pools: []pool.Pool{makePrefixes(t, "a", 64, "2001:db8::/63")},
		Statics: []pool.Static{
			{Account: "bob", Address: address("2001:db8:0:1::"), PrefixLength: 64},
			{Account: "bob", Address: address("2001:db8:f00::"), PrefixLength: 48},
		},
	})
	if l := b.get(from("a", "alice")); l.Prefix() != prefix("2001:db8::/64") {
		t.Errorf("alice got %v", l.Prefix())
	}
	if _, err := b.Allocate(t.Context(), from("a", "carol")); err == nil {
		t.Error("a reserved prefix was given away")
	}
	for want, inPool := range map[string]string{"2001:db8:0:1::/64": "a", "2001:db8:f00::/48": ""} {
		p := prefix(want)
		_, err := b.Allocate(t.Context(), pool.Request{Account: "eve", Holder: "eve", Address: p.Addr(), PrefixLength: p.Bits()})
		var reserved *pool.ReservedError
		if !errors.As(err, &reserved) || reserved.Account != "bob" {
			t.Errorf("eve asks for %v: %v", want, err)
		}
		l := b.get(pool.Request{Account: "bob", Holder: "bob " + want, Address: p.Addr(), PrefixLength: p.Bits()})
		if l.Prefix() != p || l.Pool != inPool {
			t.Errorf("bob got %+v, want %v", l, want)
		}
	}
	usage, err := b.Usage(t.Context())
	if want := []pool.Usage{{Pool: "a", Size: 2, Leased: 1, Static: 1}}; err != nil || !slices.Equal(usage, want) {
		t.Errorf("usage %+v, %v; want %+v", usage, err, want)
	}
}

func testPrefixExact(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePrefixes(t, "a", 56, "2001:db8::/48")}})
	// An address inside stands for its prefix.
	l := b.get(pool.Request{Account: "x", Holder: "x", Address: address("2001:db8:0:307::1"), PrefixLength: 56})
	if l.Prefix() != prefix("2001:db8:0:300::/56") || l.Pool != "a" {
		t.Fatalf("got %+v", l)
	}
	_, err := b.Allocate(t.Context(), pool.Request{Account: "y", Holder: "y", Address: address("2001:db8:0:300::"), PrefixLength: 56})
	var inUse *pool.InUseError
	if !errors.As(err, &inUse) || inUse.Holder != "x" {
		t.Errorf("the prefix of another: %v", err)
	}
	leases, err := b.Leases(t.Context())
	if err != nil || !slices.Equal(leases, []pool.Lease{l}) {
		t.Errorf("leases are %+v, %v; want %+v", leases, err, l)
	}
	b.release(l)
	b.get(pool.Request{Account: "y", Holder: "y", Address: address("2001:db8:0:300::"), PrefixLength: 56})
}

func testPrefixMismatch(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePrefixes(t, "a", 56, "2001:db8::/48")}})
	for _, length := range []int{0, 48, 57, 64} {
		_, err := b.Allocate(t.Context(), pool.Request{Account: "x", Holder: "x", Address: address("2001:db8::"), PrefixLength: length})
		var mismatch *pool.MismatchError
		if !errors.As(err, &mismatch) || mismatch.Pool != "a" || mismatch.Length != 56 {
			t.Errorf("/%d out of a pool of /56: %v", length, err)
		}
	}
	b.get(from("a", "x"))
}

// Prefixes of no pool that share addresses are not held at the same time, whichever is the wider one, and even by one session.
func testPrefixOverlap(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePrefixes(t, "a", 64, "2001:db8::/61")}})
	exactly := func(account, want string) pool.Request {
		p := prefix(want)
		return pool.Request{Account: account, Holder: "session of " + account, Address: p.Addr(), PrefixLength: p.Bits()}
	}
	refused := func(account, want, holder string) {
		t.Helper()
		_, err := b.Allocate(t.Context(), exactly(account, want))
		var inUse *pool.InUseError
		if !errors.As(err, &inUse) || inUse.Holder != holder {
			t.Errorf("%s asks for %s, and %s has some of it: %v", account, want, holder, err)
		}
	}
	wide := b.get(exactly("x", "2001:db8:f000::/48"))
	beside := b.get(exactly("z", "2001:db8:f001::/48"))
	for _, overlapping := range []string{"2001:db8:f000:5::/64", "2001:db8:f000::/64", "2001:db8:f000:100::/56"} {
		refused("y", overlapping, "session of x")
	}
	refused("x", "2001:db8:f000:5::/64", "session of x")
	if again := b.get(exactly("x", "2001:db8:f000::/48")); again.Prefix() != wide.Prefix() {
		t.Errorf("asked again: %+v", again)
	}
	_, err := b.Allocate(t.Context(), exactly("y", "2001:db8::/48"))
	var mismatch *pool.MismatchError
	if !errors.As(err, &mismatch) || mismatch.Pool != "a" {
		t.Errorf("a prefix that takes in a pool: %v", err)
	}
	b.release(wide)
	b.release(beside)
	inner := b.get(exactly("y", "2001:db8:f000:5::/64"))
	refused("x", "2001:db8:f000::/48", inner.Holder)
	refused("x", "2001:db8:f000::/47", inner.Holder)
	b.release(inner)
	b.get(exactly("x", "2001:db8:f000::/47"))
}

func testPrefixLarge(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePrefixes(t, "a", 128-8, "2001:db8::/32"), makePrefixes(t, "b", 64, "2001:db9::/40")}})
	b.get(from("a", "x"))
	l := b.get(from("b", "x"))
	if !prefix("2001:db9::/40").Contains(l.Address) || l.PrefixLength != 64 || l.Prefix() != l.Prefix().Masked() {
		t.Errorf("got %+v", l)
	}
	usage, err := b.Usage(t.Context())
	want := []pool.Usage{{Pool: "a", Size: math.MaxUint64, Leased: 1}, {Pool: "b", Size: 1 << 24, Leased: 1}}
	if err != nil || !slices.Equal(usage, want) {
		t.Errorf("usage %+v, %v; want %+v", usage, err, want)
	}
}

func testPrefixConcurrent(t *testing.T, open Open) {
	const people = 32
	b := start(t, open, Setup{Pools: []pool.Pool{makePrefixes(t, "a", 60, "2001:db8::/56")}})
	var mu sync.Mutex
	got := make(map[netip.Prefix]string)
	var all sync.WaitGroup
	for i := range people {
		all.Go(func() {
			name := fmt.Sprint(i)
			l, err := b.Allocate(t.Context(), from("a", name))
			if err != nil {
				return // 16 prefixes for 32
			}
			mu.Lock()
			defer mu.Unlock()
			if other := got[l.Prefix()]; other != "" {
				t.Errorf("%v is with %s and %s", l.Prefix(), other, name)
			}
			got[l.Prefix()] = name
		})
	}
	all.Wait()
	if len(got) != 16 {
		t.Errorf("%d prefixes were given", len(got))
	}
}

func testPrefixModel(t *testing.T, open Open) {
	a, b, c := makePrefixes(t, "a", 64, "2001:db8::/61"), makePrefixes(t, "b", 56, "2001:db8:100::-2001:db8:100:200::"), makePrefixes(t, "c", 48, "2001:db8:1000::/46")
	a.Exclude = []pool.Range{{First: address("2001:db8:0:3::"), Last: address("2001:db8:0:3::ff")}}
	b.Quarantine = 0
	c.Sticky = false
	checkModel(t, open, []pool.Pool{a, b, c}, []pool.Static{
		{Account: "bob", Address: address("2001:db8:0:2::"), PrefixLength: 64},
		{Account: "carol", Address: address("2001:db8:100:100::"), PrefixLength: 56},
		{Account: "carol", Address: address("2001:db8:f000::"), PrefixLength: 44},
	})
}
