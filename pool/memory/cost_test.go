package memory

import (
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"lnsgate/pool"
)

func TestFreeAddressesCostNothing(t *testing.T) {
	before := heapSize()
	r := newRig(t, only(makePool(t, "v4", "10.0.0.0/8"), makePool(t, "v6", "2001:db8::/32")))
	r.get("v4", "x")
	r.get("v6", "x")
	if grown := heapSize() - before; grown > 64<<10 {
		t.Errorf("a /8 and a /32 of IPv6 take %d octets", grown)
	}
	runtime.KeepAlive(r)
}

func heapSize() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestReleasedAddressesAreReusedOldestFirst(t *testing.T) {
	r := newRig(t, only(makePool(t, "a", "10.0.0.1-10.0.0.3")))
	leases := []pool.Lease{r.get("a", "x"), r.get("a", "y"), r.get("a", "z")}
	for _, i := range []int{1, 2, 0} {
		r.release(leases[i])
		r.now = r.now.Add(time.Second)
	}
	r.now = r.now.Add(time.Minute)
	for n, i := range []int{1, 2, 0} {
		if l := r.get("a", fmt.Sprint(n)); l.Address != leases[i].Address {
			t.Errorf("%d: got %v, want %v", n, l.Address, leases[i].Address)
		}
	}
}

// Everybody comes once and never again: the pool must not remember them all.
func TestMemoryOfStrangersIsBounded(t *testing.T) {
	r := newRig(t, only(makePool(t, "a", "10.0.0.0/8")))
	for i := range 3 * idleLimit {
		l := r.get("a", strconv.Itoa(i))
		r.release(l)
		r.now = r.now.Add(time.Minute)
	}
	if s := r.named["a"]; len(r.entries) > idleLimit+1 || len(s.last) > idleLimit+1 {
		t.Errorf("%d addresses and %d accounts are remembered, limit %d", len(r.entries), len(s.last), idleLimit)
	}
}

func TestClockThatRunsBackwards(t *testing.T) {
	r := newRig(t, only(makePool(t, "a", "10.0.0.1-10.0.0.2")))
	x, y := r.get("a", "x"), r.get("a", "y")
	r.release(x)
	r.now = r.now.Add(-time.Hour)
	r.release(y)
	r.now = r.now.Add(time.Hour + time.Minute)
	r.get("a", "v")
	r.get("a", "w")
}

func BenchmarkAllocateRelease(b *testing.B) {
	for _, c := range []struct {
		name  string
		users int
	}{{"sticky", 1000}, {"strangers", 1 << 30}} {
		b.Run(c.name, func(b *testing.B) {
			a, names := millionPool(b), accountNames(min(c.users, 1<<17))
			request := pool.Request{Pools: []string{"a"}, Holder: "session"}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				request.Account = names[i%len(names)]
				allocateRelease(b, a, request)
			}
		})
	}
}

func BenchmarkAllocateReleaseParallel(b *testing.B) {
	a, names := millionPool(b), accountNames(1000)
	var workers atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		request := pool.Request{Pools: []string{"a"}, Holder: fmt.Sprint(workers.Add(1))}
		for i := 0; pb.Next(); i++ {
			request.Account = names[i%len(names)]
			allocateRelease(b, a, request)
		}
	})
}

func allocateRelease(b *testing.B, a *Allocator, r pool.Request) {
	l, err := a.Allocate(b.Context(), r)
	if err != nil {
		b.Fatal(err)
	}
	if err := a.Release(b.Context(), l); err != nil {
		b.Fatal(err)
	}
}

func millionPool(b *testing.B) *Allocator {
	p := makePool(b, "a", "10.0.0.0-10.15.66.63")
	if p.Ranges[0].Size() != 1_000_000 {
		b.Fatal("not a million")
	}
	p.Quarantine = 0
	a, err := New(only(p))
	if err != nil {
		b.Fatal(err)
	}
	return a
}

func accountNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = "user" + strconv.Itoa(i)
	}
	return names
}
