package pooltest

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lnsgate/pool"
)

// model is the contract in its simplest form: a table of all addresses, searched from end to end.
type model struct {
	pools    []pool.Pool
	reserved map[netip.Addr]string
	cells    map[netip.Addr]*cell
}

// cell is one address of the model.
type cell struct {
	pool     string // empty: outside all pools
	lease    *pool.Lease
	last     string // the account that released it last
	released time.Time
	used     bool // it was released at least once
}

func newModel(pools []pool.Pool, statics []pool.Static) *model {
	m := &model{pools: pools, reserved: make(map[netip.Addr]string), cells: make(map[netip.Addr]*cell)}
	for _, p := range pools {
		for _, span := range p.Spans() {
			for a := span.First; span.Contains(a); a = a.Next() {
				m.cells[a] = &cell{pool: p.Name}
			}
		}
	}
	for _, s := range statics {
		m.reserved[s.Address] = s.Account
		if m.cells[s.Address] == nil {
			m.cells[s.Address] = &cell{}
		}
	}
	return m
}

func (m *model) config(name string) pool.Pool {
	return m.pools[slices.IndexFunc(m.pools, func(p pool.Pool) bool { return p.Name == name })]
}

// free reports whether the address may be given to an account that never had it.
func (m *model) free(a netip.Addr, now time.Time) bool {
	c := m.cells[a]
	_, reserved := m.reserved[a]
	return !reserved && c.lease == nil && !m.quarantined(a, now)
}

func (m *model) quarantined(a netip.Addr, now time.Time) bool {
	c := m.cells[a]
	return c.lease == nil && c.used && now.Before(c.released.Add(m.config(c.pool).Quarantine))
}

// remembered returns what the account may have back from the pools: the addresses it released last, all of one moment.
func (m *model) remembered(r pool.Request) []netip.Addr {
	var last []netip.Addr
	for a, c := range m.cells {
		if c.lease != nil || !c.used || c.last == "" || c.last != r.Account || !slices.Contains(r.Pools, c.pool) || !m.config(c.pool).Sticky {
			continue
		}
		switch {
		case len(last) > 0 && c.released.Before(m.cells[last[0]].released):
			continue
		case len(last) > 0 && c.released.After(m.cells[last[0]].released):
			last = last[:0]
		}
		last = append(last, a)
	}
	return last
}

// firstFree returns the free addresses of the first pool that has any.
func (m *model) firstFree(pools []string, now time.Time) []netip.Addr {
	for _, name := range pools {
		var free []netip.Addr
		for a, c := range m.cells {
			if c.pool == name && m.free(a, now) {
				free = append(free, a)
			}
		}
		if free != nil {
			return free
		}
	}
	return nil
}

func (m *model) release(l pool.Lease, now time.Time) {
	c := m.cells[l.Address]
	if c.lease == nil || c.lease.Holder != l.Holder {
		return
	}
	_, reserved := m.reserved[l.Address]
	c.lease, c.last, c.released = nil, c.lease.Account, now
	c.used = c.pool != "" && !reserved
}

func (m *model) usage(p pool.Pool, now time.Time) pool.Usage {
	u := pool.Usage{Pool: p.Name}
	for a, c := range m.cells {
		_, reserved := m.reserved[a]
		switch {
		case c.pool != p.Name:
			continue
		case reserved:
			u.Static++
		case c.lease != nil:
			u.Leased++
		case m.quarantined(a, now):
			u.Quarantined++
		}
		u.Size++
	}
	return u
}

// machine drives an allocator and the model with the same random calls.
type machine struct {
	*model
	allocator pool.Allocator
	now       time.Time
	given     []pool.Lease // every lease ever given, to release it once or again
}

func testModel(t *testing.T, open Open) {
	a, b, c := makePool(t, "a", "10.0.0.0/29"), makePool(t, "b", "10.0.1.1-10.0.1.3"), makePool(t, "c", "10.0.2.1-10.0.2.4")
	a.Exclude = []pool.Range{{First: address("10.0.0.3"), Last: address("10.0.0.3")}}
	b.Quarantine = 0
	c.Sticky = false
	statics := []pool.Static{
		{Account: "bob", Address: address("10.0.0.2")},
		{Account: "carol", Address: address("10.0.1.2")},
		{Account: "carol", Address: address("192.0.2.1")},
	}
	rapid.Check(t, func(r *rapid.T) {
		m := &machine{model: newModel([]pool.Pool{a, b, c}, statics), now: time.Date(2030, 1, 1, 3, 0, 0, 0, time.UTC)}
		m.allocator = open(t, Setup{Pools: m.pools, Statics: statics, Now: func() time.Time { return m.now }})
		r.Repeat(map[string]func(*rapid.T){
			"allocate": m.allocate,
			"exact":    m.allocateExactly,
			"release":  m.releaseAny,
			"wait":     func(r *rapid.T) { m.now = m.now.Add(rapid.SampledFrom(waits).Draw(r, "wait")) },
			"":         m.check,
		})
	})
}

var (
	waits    = []time.Duration{1, quarantine / 2, quarantine - 1, quarantine}
	accounts = []string{"", "alice", "bob", "carol", "dave"}
)

// request draws who asks. Every request has a holder of its own, except that now and then one asks again.
func (m *machine) request(r *rapid.T) pool.Request {
	q := pool.Request{Account: rapid.SampledFrom(accounts).Draw(r, "account"), Holder: fmt.Sprint("session ", len(m.given))}
	if len(m.given) > 0 && rapid.IntRange(0, 4).Draw(r, "again") == 0 {
		q.Holder = rapid.SampledFrom(m.given).Draw(r, "holder").Holder
	}
	return q
}

func (m *machine) allocate(r *rapid.T) {
	q := m.request(r)
	q.Pools = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 3, rapid.ID[string]).Draw(r, "pools")
	want := m.remembered(q)
	if want == nil {
		want = m.firstFree(q.Pools, m.now)
	}
	l, err := m.allocator.Allocate(r.Context(), q)
	if want == nil {
		var exhausted *pool.ExhaustedError
		if !errors.As(err, &exhausted) || len(exhausted.Pools) != len(q.Pools) {
			r.Fatalf("%+v: nothing is left, got %+v, %v", q, l, err)
		}
		for i, u := range exhausted.Pools {
			if u != m.usage(m.config(q.Pools[i]), m.now) {
				r.Fatalf("%+v: the error reports %+v", q, u)
			}
		}
		return
	}
	if err != nil || !slices.Contains(want, l.Address) {
		r.Fatalf("%+v: got %v, %v; want one of %v", q, l.Address, err, want)
	}
	m.take(r, q, l)
}

func (m *machine) allocateExactly(r *rapid.T) {
	q := m.request(r)
	q.Address = rapid.SampledFrom(m.addresses()).Draw(r, "address")
	before := m.cells[q.Address].lease
	l, err := m.allocator.Allocate(r.Context(), q)
	account, reserved := m.reserved[q.Address]
	var isReserved *pool.ReservedError
	var inUse *pool.InUseError
	switch {
	case reserved && account != q.Account:
		if !errors.As(err, &isReserved) || isReserved.Account != account {
			r.Fatalf("%+v: reserved for %s, got %+v, %v", q, account, l, err)
		}
	case before != nil && before.Holder == q.Holder && before.Account == q.Account:
		if err != nil || l != *before {
			r.Fatalf("%+v: the holder asks again and gets %+v, %v", q, l, err)
		}
	case before != nil:
		if !errors.As(err, &inUse) || inUse.Holder != before.Holder {
			r.Fatalf("%+v: held by %s, got %+v, %v", q, before.Holder, l, err)
		}
	case err != nil || l.Address != q.Address:
		r.Fatalf("%+v: got %+v, %v", q, l, err)
	default:
		m.take(r, q, l)
	}
}

// take enters a lease into the model after a look at what it says.
func (m *machine) take(r *rapid.T, q pool.Request, l pool.Lease) {
	c := m.cells[l.Address]
	want := pool.Lease{Address: l.Address, Pool: c.pool, Account: q.Account, Holder: q.Holder, Since: m.now, Why: l.Why}
	if l != want || l.Why == "" || c.lease != nil {
		r.Fatalf("%+v: the lease is %+v", q, l)
	}
	c.lease, c.used = &l, false
	m.given = append(m.given, l)
}

func (m *machine) releaseAny(r *rapid.T) {
	if len(m.given) == 0 {
		r.Skip("nothing was given yet")
	}
	l := rapid.SampledFrom(m.given).Draw(r, "lease")
	if err := m.allocator.Release(r.Context(), l); err != nil {
		r.Fatalf("release of %+v: %v", l, err)
	}
	m.release(l, m.now)
}

func (m *machine) addresses() []netip.Addr {
	var all []netip.Addr
	for a := range m.cells {
		all = append(all, a)
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return all
}

// check compares everything that can be seen from outside.
func (m *machine) check(r *rapid.T) {
	usage, err := m.allocator.Usage(r.Context())
	if err != nil || len(usage) != len(m.pools) {
		r.Fatalf("usage: %+v, %v", usage, err)
	}
	for i, p := range m.pools {
		if want := m.usage(p, m.now); usage[i] != want {
			r.Fatalf("usage is %+v, want %+v", usage[i], want)
		}
	}
	var want []pool.Lease
	for _, c := range m.cells {
		if c.lease != nil {
			want = append(want, *c.lease)
		}
	}
	slices.SortFunc(want, func(x, y pool.Lease) int { return x.Address.Compare(y.Address) })
	leases, err := m.allocator.Leases(r.Context())
	if err != nil || !slices.Equal(leases, want) {
		r.Fatalf("leases are %+v, %v; want %+v", leases, err, want)
	}
}
