package pooltest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"lnsgate/pool"
)

func testEveryAddressOnce(t *testing.T, open Open) {
	p := makePool(t, "a", "10.0.0.0/29", "10.0.1.1-10.0.1.3")
	p.Exclude = []pool.Range{{First: address("10.0.0.2"), Last: address("10.0.0.3")}}
	b := start(t, open, Setup{Pools: []pool.Pool{p}})
	var got []string
	for i := range 7 {
		got = append(got, b.get(from("a", fmt.Sprint(i))).Address.String())
	}
	slices.Sort(got)
	want := []string{"10.0.0.1", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.1.1", "10.0.1.2", "10.0.1.3"}
	if !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	_, err := b.Allocate(t.Context(), from("a", "late"))
	var exhausted *pool.ExhaustedError
	if !errors.As(err, &exhausted) || len(exhausted.Pools) != 1 {
		t.Fatalf("a full pool answers %v", err)
	}
	if want := (pool.Usage{Pool: "a", Size: 7, Leased: 7}); exhausted.Pools[0] != want {
		t.Fatalf("the error reports %+v, want %+v", exhausted.Pools[0], want)
	}
}

func testRefusals(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePool(t, "a", "10.0.0.1")}})
	_, err := b.Allocate(t.Context(), pool.Request{Holder: "h"})
	if !errors.Is(err, pool.ErrNoPool) {
		t.Errorf("no pool and no address: %v", err)
	}
	_, err = b.Allocate(t.Context(), pool.Request{Pools: []string{"a"}})
	if !errors.Is(err, pool.ErrNoHolder) {
		t.Errorf("no holder: %v", err)
	}
	_, err = b.Allocate(t.Context(), pool.Request{Pools: []string{"a", "b"}, Holder: "h"})
	var unknown *pool.UnknownPoolError
	if !errors.As(err, &unknown) || unknown.Name != "b" {
		t.Errorf("unknown pool: %v", err)
	}
	b.get(from("a", "someone")) // nothing was taken by the requests above
}

func testContext(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePool(t, "a", "10.0.0.1")}})
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Allocate(over, from("a", "x")); !errors.Is(err, context.Canceled) {
		t.Fatalf("a request that nobody waits for: %v", err)
	}
	b.get(from("a", "y"))
}

func testRelease(t *testing.T, open Open) {
	p := makePool(t, "a", "10.0.0.1")
	p.Quarantine = 0
	b := start(t, open, Setup{Pools: []pool.Pool{p}})
	old := b.get(from("a", "x"))
	b.release(old)
	b.release(old)
	current := b.get(from("a", "y"))
	b.release(old) // late: somebody else has the address
	b.release(pool.Lease{})
	b.release(pool.Lease{Address: address("192.0.2.1"), Holder: "nobody"})
	leases, err := b.Leases(t.Context())
	if err != nil || !slices.Equal(leases, []pool.Lease{current}) {
		t.Fatalf("leases are %+v, %v; want %+v", leases, err, current)
	}
}

func testQuarantine(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePool(t, "a", "10.0.0.1")}})
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

func testSticky(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePool(t, "a", "10.0.0.1-10.0.0.9")}})
	b.get(from("a", "other"))
	first := b.get(from("a", "x"))
	b.release(first)
	b.pass(quarantine / 2)
	again := b.get(from("a", "x"))
	if again.Address != first.Address {
		t.Errorf("out of its own quarantine: %v, want %v", again.Address, first.Address)
	}
	b.release(again)
	b.pass(100 * quarantine)
	third := b.get(from("a", "x"))
	if third.Address != first.Address {
		t.Errorf("after quarantine: %v, want %v", third.Address, first.Address)
	}
	b.release(third)
	for i := range 8 {
		b.pass(quarantine)
		b.get(from("a", fmt.Sprint(i))) // until somebody has it
	}
	if _, err := b.Allocate(t.Context(), from("a", "x")); err == nil {
		t.Error("the last address was given to two")
	}
}

func testStickySeveral(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePool(t, "a", "10.0.0.1-10.0.0.2")}})
	request := func(holder string) pool.Request {
		return pool.Request{Pools: []string{"a"}, Account: "x", Holder: holder}
	}
	phone, laptop := b.get(request("phone")), b.get(request("laptop"))
	b.release(phone)
	b.pass(1)
	b.release(laptop)
	if l := b.get(request("one")); l.Address != laptop.Address {
		t.Errorf("the address released last is %v, got %v", laptop.Address, l.Address)
	}
	if l := b.get(request("two")); l.Address != phone.Address {
		t.Errorf("the one before is %v, got %v", phone.Address, l.Address)
	}
}

func testStickyTwoPools(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePool(t, "a", "10.0.0.1"), makePool(t, "b", "10.0.1.1")}})
	early, late := b.get(from("a", "x")), b.get(from("b", "x"))
	b.release(early)
	b.pass(1)
	b.release(late)
	r := pool.Request{Pools: []string{"a", "b"}, Account: "x", Holder: "h"}
	if l := b.get(r); l.Address != late.Address {
		t.Errorf("got %v, want the one released last, %v", l.Address, late.Address)
	}
}

// An account has three addresses to come back to; somebody takes the middle one.
func testStickyTaken(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePool(t, "a", "10.0.0.1-10.0.0.3")}})
	request := func(account string, holder int) pool.Request {
		return pool.Request{Pools: []string{"a"}, Account: account, Holder: fmt.Sprint(account, holder)}
	}
	var leases []pool.Lease
	for i := range 3 {
		leases = append(leases, b.get(request("x", i)))
	}
	for _, l := range leases {
		b.release(l)
		b.pass(1)
	}
	b.get(pool.Request{Address: leases[1].Address, Account: "y", Holder: "y"})
	for i, want := range []pool.Lease{leases[2], leases[0]} {
		if l := b.get(request("x", 10+i)); l.Address != want.Address {
			t.Errorf("got %v, want %v", l.Address, want.Address)
		}
	}
	if l, err := b.Allocate(t.Context(), request("x", 20)); err == nil {
		t.Errorf("nothing is left, got %v", l.Address)
	}
}

func testNotSticky(t *testing.T, open Open) {
	p := makePool(t, "a", "10.0.0.1")
	p.Sticky = false
	b := start(t, open, Setup{Pools: []pool.Pool{p}})
	b.release(b.get(from("a", "x")))
	if l, err := b.Allocate(t.Context(), from("a", "x")); err == nil {
		t.Fatalf("quarantine was not kept: %+v", l)
	}
	b.pass(quarantine)
	b.get(from("a", "x"))
}

func testOverflow(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePool(t, "a", "10.0.0.1"), makePool(t, "b", "10.0.1.1")}})
	both := func(account string) pool.Request {
		return pool.Request{Pools: []string{"b", "a"}, Account: account, Holder: account}
	}
	if l := b.get(both("x")); l.Pool != "b" {
		t.Errorf("the first of the list should serve first: %+v", l)
	}
	l := b.get(both("y"))
	if l.Pool != "a" {
		t.Errorf("the second should serve when the first is full: %+v", l)
	}
	_, err := b.Allocate(t.Context(), both("z"))
	var exhausted *pool.ExhaustedError
	if !errors.As(err, &exhausted) || len(exhausted.Pools) != 2 || exhausted.Pools[0].Pool != "b" || exhausted.Pools[1].Pool != "a" {
		t.Errorf("both full: %v", err)
	}
	b.release(l)
	if again := b.get(both("y")); again.Address != l.Address {
		t.Errorf("sticky in the second pool: %v, want %v", again.Address, l.Address)
	}
}

func testStatic(t *testing.T, open Open) {
	b := start(t, open, Setup{
		Pools:   []pool.Pool{makePool(t, "a", "10.0.0.1-10.0.0.3")},
		Statics: []pool.Static{{Account: "bob", Address: address("10.0.0.2")}},
	})
	exact := pool.Request{Address: address("10.0.0.2"), Account: "bob", Holder: "s1"}
	for i := range 2 {
		if l := b.get(from("a", fmt.Sprint(i))); l.Address == exact.Address {
			t.Fatalf("the static address was given to %+v", l)
		}
	}
	if l, err := b.Allocate(t.Context(), from("a", "third")); err == nil {
		t.Fatalf("only the static address is left, and it was given: %+v", l)
	}
	_, err := b.Allocate(t.Context(), pool.Request{Address: exact.Address, Account: "mallory", Holder: "s2"})
	var reserved *pool.ReservedError
	if !errors.As(err, &reserved) || reserved.Account != "bob" || reserved.Address != exact.Address {
		t.Errorf("somebody else asks for the static address: %v", err)
	}
	l := b.get(exact)
	if l.Address != exact.Address || l.Pool != "a" {
		t.Errorf("the static lease is %+v", l)
	}
	if again, err := b.Allocate(t.Context(), exact); err != nil || again != l {
		t.Errorf("the same holder asks again: %+v, %v", again, err)
	}
	_, err = b.Allocate(t.Context(), pool.Request{Address: exact.Address, Account: "bob", Holder: "s2"})
	var inUse *pool.InUseError
	if !errors.As(err, &inUse) || inUse.Holder != "s1" || inUse.Address != exact.Address {
		t.Errorf("a second session of the account: %v", err)
	}
	b.release(l)
	exact.Holder = "s3"
	b.get(exact) // at once: quarantine is no matter between an account and itself
}

func testStaticOutside(t *testing.T, open Open) {
	b := start(t, open, Setup{
		Pools:   []pool.Pool{makePool(t, "a", "10.0.0.1")},
		Statics: []pool.Static{{Account: "bob", Address: address("192.0.2.7")}},
	})
	r := pool.Request{Pools: []string{"a"}, Address: address("192.0.2.7"), Account: "bob", Holder: "s1"}
	l := b.get(r)
	if l.Address != r.Address || l.Pool != "" {
		t.Errorf("the lease is %+v", l)
	}
	_, err := b.Allocate(t.Context(), pool.Request{Address: r.Address, Account: "mallory", Holder: "s2"})
	var reserved *pool.ReservedError
	if !errors.As(err, &reserved) {
		t.Errorf("somebody else asks for it: %v", err)
	}
	b.release(l)
	b.get(r)
}

func testExact(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{makePool(t, "a", "10.0.0.1-10.0.0.2")}})
	exact := pool.Request{Address: address("10.0.0.1"), Account: "x", Holder: "s1"}
	l := b.get(exact)
	if other := b.get(from("a", "y")); other.Address != address("10.0.0.2") {
		t.Fatalf("got %v, which is in use or outside", other.Address)
	}
	b.release(l)
	exact.Account, exact.Holder = "z", "s2"
	b.get(exact) // an address named by the administrator does not wait for quarantine
	outside := b.get(pool.Request{Address: address("203.0.113.9"), Account: "x", Holder: "s3"})
	if outside.Address != address("203.0.113.9") || outside.Pool != "" {
		t.Errorf("outside all pools: %+v", outside)
	}
}

func testReports(t *testing.T, open Open) {
	b := start(t, open, Setup{
		Pools:   []pool.Pool{makePool(t, "b", "10.0.1.0/24"), makePool(t, "a", "10.0.0.1-10.0.0.9")},
		Statics: []pool.Static{{Account: "bob", Address: address("10.0.0.2")}},
	})
	one, two := b.get(from("b", "x")), b.get(from("b", "y"))
	b.release(two)
	static := b.get(pool.Request{Address: address("10.0.0.2"), Account: "bob", Holder: "s"})
	usage, err := b.Usage(t.Context())
	want := []pool.Usage{{Pool: "b", Size: 254, Leased: 1, Quarantined: 1}, {Pool: "a", Size: 9, Static: 1}}
	if err != nil || !slices.Equal(usage, want) {
		t.Errorf("usage is %+v, %v; want %+v", usage, err, want)
	}
	leases, err := b.Leases(t.Context())
	if err != nil || !slices.Equal(leases, []pool.Lease{static, one}) {
		t.Errorf("leases are %+v, %v", leases, err)
	}
	b.pass(quarantine)
	if usage, err = b.Usage(t.Context()); err != nil || usage[0].Quarantined != 0 {
		t.Errorf("after quarantine: %+v, %v", usage, err)
	}
}

func testIPv6(t *testing.T, open Open) {
	b := start(t, open, Setup{Pools: []pool.Pool{
		makePool(t, "big", "2001:db8::/64"),
		makePool(t, "end", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
	}})
	if l := b.get(from("big", "x")); l.Address != address("2001:db8::1") {
		t.Errorf("the first of a /64: %v", l.Address)
	}
	b.get(from("end", "x"))
	b.get(from("end", "y"))
	if l, err := b.Allocate(t.Context(), from("end", "z")); err == nil {
		t.Errorf("beyond the last address there is %v", l.Address)
	}
}

func testConcurrent(t *testing.T, open Open) {
	p := makePool(t, "a", "10.0.0.1-10.0.0.20")
	p.Quarantine = 0
	b := start(t, open, Setup{Pools: []pool.Pool{p}})
	var mu sync.Mutex
	holders := make(map[netip.Addr]string)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 200 {
				holder := fmt.Sprint(worker, "/", i)
				l, err := b.Allocate(t.Context(), pool.Request{Pools: []string{"a"}, Account: fmt.Sprint(i % 5), Holder: holder})
				if err != nil {
					t.Errorf("20 addresses are enough for 8 workers: %v", err)
					return
				}
				mu.Lock()
				if other, taken := holders[l.Address]; taken {
					t.Errorf("%v is held by %s and %s", l.Address, other, holder)
				}
				holders[l.Address] = holder
				mu.Unlock()
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
}
