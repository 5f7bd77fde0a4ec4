package memory

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lnsgate/pool"
)

// rig is an allocator with a clock that the test moves.
type rig struct {
	*Allocator
	t   testing.TB
	now time.Time
}

func newRig(t testing.TB, cfg Config) *rig {
	t.Helper()
	r := &rig{t: t, now: time.Date(2030, 1, 1, 3, 0, 0, 0, time.UTC)}
	cfg.Now = func() time.Time { return r.now }
	var err error
	if r.Allocator, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) get(poolName, account string) pool.Lease {
	r.t.Helper()
	l, err := r.Allocate(r.t.Context(), pool.Request{Pools: []string{poolName}, Account: account, Holder: account})
	if err != nil {
		r.t.Fatal(err)
	}
	return l
}

func (r *rig) none(poolName, account string) {
	r.t.Helper()
	l, err := r.Allocate(r.t.Context(), pool.Request{Pools: []string{poolName}, Account: account, Holder: account})
	var exhausted *pool.ExhaustedError
	if !errors.As(err, &exhausted) {
		r.t.Fatalf("pool %s should be exhausted, got %+v, %v", poolName, l, err)
	}
}

func (r *rig) release(l pool.Lease) {
	r.t.Helper()
	if err := r.Release(r.t.Context(), l); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) reconfigure(cfg Config) {
	r.t.Helper()
	if err := r.Reconfigure(cfg); err != nil {
		r.t.Fatal(err)
	}
}

func makePool(t testing.TB, name, ranges string) pool.Pool {
	t.Helper()
	p := pool.Pool{Name: name, Quarantine: time.Minute, Sticky: true}
	for _, text := range strings.Fields(ranges) {
		r, err := pool.ParseRange(text)
		if err != nil {
			t.Fatal(err)
		}
		p.Ranges = append(p.Ranges, r)
	}
	return p
}

func only(p ...pool.Pool) Config { return Config{Pools: p} }

func TestReconfigureKeepsLeasesAndDrainsWhatIsOutside(t *testing.T) {
	r := newRig(t, only(makePool(t, "a", "10.0.0.1-10.0.0.2")))
	first, second := r.get("a", "x"), r.get("a", "y")
	r.reconfigure(only(makePool(t, "a", "10.0.0.2-10.0.0.3")))
	if leases, _ := r.Leases(t.Context()); len(leases) != 2 || leases[0] != first || leases[1] != second {
		t.Fatalf("leases are %+v", leases)
	}
	if usage, _ := r.Usage(t.Context()); usage[0] != (pool.Usage{Pool: "a", Size: 2, Leased: 1}) {
		t.Fatalf("usage is %+v", usage)
	}
	third := r.get("a", "z")
	if third.Address != netip.MustParseAddr("10.0.0.3") {
		t.Fatalf("10.0.0.2 is still held, got %v", third.Address)
	}
	r.release(first)
	r.now = r.now.Add(time.Hour)
	r.none("a", "x")
	r.release(second)
	r.now = r.now.Add(time.Minute)
	if l := r.get("a", "w"); l.Address != second.Address {
		t.Fatalf("got %v, want %v", l.Address, second.Address)
	}
}

func TestReconfigureKeepsLeasesOfAPoolThatIsGone(t *testing.T) {
	r := newRig(t, only(makePool(t, "a", "10.0.0.1"), makePool(t, "b", "10.0.1.1")))
	l := r.get("a", "x")
	r.reconfigure(only(makePool(t, "b", "10.0.1.1")))
	var unknown *pool.UnknownPoolError
	if _, err := r.Allocate(t.Context(), pool.Request{Pools: []string{"a"}, Holder: "h"}); !errors.As(err, &unknown) {
		t.Fatalf("the pool is gone: %v", err)
	}
	// It comes back under another name while the session lives: the address is still held.
	r.reconfigure(only(makePool(t, "c", "10.0.0.1")))
	r.none("c", "y")
	r.release(l)
	r.none("c", "y")
	r.now = r.now.Add(time.Minute)
	if l := r.get("c", "y"); l.Pool != "c" {
		t.Fatalf("the lease is %+v", l)
	}
}

func TestReconfigureKeepsMemoryOfReleasedAddresses(t *testing.T) {
	cfg := only(makePool(t, "a", "10.0.0.1-10.0.0.4"))
	r := newRig(t, cfg)
	old, recent := r.get("a", "old"), r.get("a", "recent")
	r.release(old)
	r.now = r.now.Add(time.Minute)
	r.release(recent)
	r.reconfigure(cfg)
	if usage, _ := r.Usage(t.Context()); usage[0] != (pool.Usage{Pool: "a", Size: 4, Quarantined: 1}) {
		t.Fatalf("usage is %+v", usage)
	}
	if l := r.get("a", "recent"); l.Address != recent.Address {
		t.Errorf("sticky was lost: %v, want %v", l.Address, recent.Address)
	}
	for i := range 3 {
		r.get("a", fmt.Sprint(i))
	}
	r.none("a", "late")
}

func TestReconfigureChangesStatics(t *testing.T) {
	cfg := only(makePool(t, "a", "10.0.0.1-10.0.0.2"))
	r := newRig(t, cfg)
	held, released := r.get("a", "x"), r.get("a", "y")
	r.release(released)
	cfg.Statics = []Static{{Account: "bob", Address: held.Address}, {Account: "bob", Address: released.Address}}
	r.reconfigure(cfg)
	exact := pool.Request{Account: "bob", Holder: "bob", Address: held.Address}
	var inUse *pool.InUseError
	if _, err := r.Allocate(t.Context(), exact); !errors.As(err, &inUse) || inUse.Holder != "x" {
		t.Fatalf("still held by x: %v", err)
	}
	if usage, _ := r.Usage(t.Context()); usage[0] != (pool.Usage{Pool: "a", Size: 2, Static: 2}) {
		t.Fatalf("usage is %+v", usage)
	}
	r.release(held)
	r.now = r.now.Add(time.Hour)
	r.none("a", "y")
	if _, err := r.Allocate(t.Context(), exact); err != nil {
		t.Fatal(err)
	}
	// No longer reserved: the one that is free is anybody's, also when it lies before the high-water mark.
	cfg.Statics = nil
	r.reconfigure(cfg)
	if l := r.get("a", "z"); l.Address != released.Address {
		t.Fatalf("got %v, want %v", l.Address, released.Address)
	}
	r.none("a", "w")
}

func TestReconfigureRefusesEveryFaultAndKeepsTheOld(t *testing.T) {
	r := newRig(t, only(makePool(t, "a", "10.0.0.1")))
	a := netip.MustParseAddr("10.0.0.1")
	for _, c := range []struct {
		cfg  Config
		want []string
	}{
		{only(makePool(t, "", "10.0.0.1"), makePool(t, "b", "10.0.0.2"), makePool(t, "b", "10.0.0.3")),
			[]string{"no name", `two pools named "b"`}},
		{only(makePool(t, "b", "10.0.0.0/8"), makePool(t, "c", "10.0.0.1"), makePool(t, "d", "10.0.0.5")),
			[]string{`pools "b" and "c" overlap: 10.0.0.1-10.255.255.254 and 10.0.0.1`}},
		{Config{Statics: []Static{{Account: "x", Address: a}, {Account: "y", Address: a}, {Account: "x", Address: a}, {Account: "", Address: a}, {Account: "z", Address: netip.Addr{}}}},
			[]string{`10.0.0.1 is reserved for account "x" and for account "y"`, "10.0.0.1 has no account", `account "z" is not an address`}},
	} {
		err := r.Reconfigure(c.cfg)
		if err == nil {
			t.Fatalf("%+v was taken", c.cfg)
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("got %v; want %q in it", err, want)
			}
		}
		if _, err := New(c.cfg); err == nil {
			t.Error("New took what Reconfigure refuses")
		}
	}
	r.get("a", "x")
}

// Whatever the configurations that follow each other, no address is ever in two hands, and what is free can be had.
func TestReconfigureProperty(t *testing.T) {
	ranges := []string{"10.0.0.1-10.0.0.4", "10.0.0.3-10.0.0.6", "10.0.0.2", "10.0.0.5-10.0.0.9"}
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t, only(makePool(t, "a", ranges[0])))
		var live []pool.Lease
		current := makePool(t, "a", ranges[0])
		rt.Repeat(map[string]func(*rapid.T){
			"reconfigure": func(rt *rapid.T) {
				current = makePool(t, "a", rapid.SampledFrom(ranges).Draw(rt, "ranges"))
				r.reconfigure(only(current))
			},
			"release": func(rt *rapid.T) {
				if len(live) == 0 {
					rt.Skip("nothing is held")
				}
				i := rapid.IntRange(0, len(live)-1).Draw(rt, "lease")
				r.release(live[i])
				live = append(live[:i], live[i+1:]...)
				r.now = r.now.Add(time.Minute)
			},
			"fill": func(rt *rapid.T) {
				inside := 0
				for _, l := range live {
					if current.Ranges[0].Contains(l.Address) {
						inside++
					}
				}
				for i := range int(current.Ranges[0].Size()) - inside {
					l := r.get("a", fmt.Sprint("user ", len(live), " ", i))
					for _, other := range live {
						if other.Address == l.Address {
							rt.Fatalf("%v is in two hands", l.Address)
						}
					}
					live = append(live, l)
				}
				r.none("a", "one more")
			},
		})
	})
}
