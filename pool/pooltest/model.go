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
	length   int    // of a prefix; 0: one address
	lease    *pool.Lease
	last     string // the account that released it last
	released time.Time
	used     bool // it was released at least once
	foreign  bool // another NAS carries the session
	offered  bool // nobody has kept the lease; later: nobody ever did
}

func newModel(pools []pool.Pool, statics []pool.Static) *model {
	m := &model{pools: pools, reserved: make(map[netip.Addr]string), cells: make(map[netip.Addr]*cell)}
	for _, p := range pools {
		for _, span := range p.Spans() {
			for i := range span.Count(p.PrefixLength) {
				m.cells[pool.After(span.First, i, p.PrefixLength)] = &cell{pool: p.Name, length: p.PrefixLength}
			}
		}
	}
	for _, s := range statics {
		m.reserved[s.Address] = s.Account
		if m.cells[s.Address] == nil {
			m.cells[s.Address] = &cell{length: s.PrefixLength}
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
	return c.lease == nil && c.used && !c.offered && now.Before(c.released.Add(m.config(c.pool).Quarantine))
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
	c.offered = false
	m.end(l.Address, now)
}

// end takes the address from its holder.
func (m *model) end(a netip.Addr, at time.Time) {
	c := m.cells[a]
	_, reserved := m.reserved[a]
	c.lease, c.last, c.released, c.foreign = nil, c.lease.Account, at, false
	c.used = c.pool != "" && !reserved
}

// expire ends what has run out.
func (m *model) expire(now time.Time) {
	for a, c := range m.cells {
		if c.lease != nil && !c.lease.Expires.IsZero() && !now.Before(c.lease.Expires) {
			m.end(a, c.lease.Expires)
		}
	}
}

// again returns what the holder has already of what it asks for.
func (m *model) again(r pool.Request) []netip.Addr {
	var has []netip.Addr
	for a, c := range m.cells {
		if l := c.lease; l != nil && c.foreign && l.Holder == r.Holder && l.Account == r.Account && slices.Contains(r.Pools, c.pool) {
			has = append(has, a)
		}
	}
	return has
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
	allocator pool.Keeper
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
	checkModel(t, open, []pool.Pool{a, b, c}, statics)
}

// checkModel runs pools a, b and c and the model side by side.
func checkModel(t *testing.T, open Open, pools []pool.Pool, statics []pool.Static) {
	rapid.Check(t, func(r *rapid.T) {
		m := &machine{model: newModel(pools, statics), now: time.Date(2030, 1, 1, 3, 0, 0, 0, time.UTC)}
		m.allocator = open(t, Setup{Pools: m.pools, Statics: statics, Now: func() time.Time { return m.now }})
		r.Repeat(map[string]func(*rapid.T){
			"allocate": m.allocate,
			"exact":    m.allocateExactly,
			"keep":     m.keep,
			"release":  m.releaseAny,
			"wait": func(r *rapid.T) {
				m.now = m.now.Add(rapid.SampledFrom(waits).Draw(r, "wait"))
				m.expire(m.now)
			},
			"": m.check,
		})
	})
}

var (
	waits    = []time.Duration{1, quarantine / 2, quarantine - 1, quarantine}
	lasting  = []time.Duration{0, 0, quarantine / 4, quarantine}
	accounts = []string{"", "alice", "bob", "carol", "dave"}
)

// request draws who asks. Every request has a holder of its own, except that now and then one asks again.
func (m *machine) request(r *rapid.T) pool.Request {
	q := pool.Request{Account: rapid.SampledFrom(accounts).Draw(r, "account"), Holder: fmt.Sprint("session ", len(m.given))}
	if len(m.given) > 0 && rapid.IntRange(0, 4).Draw(r, "again") == 0 {
		before := rapid.SampledFrom(m.given).Draw(r, "holder")
		q.Holder = before.Holder
		if rapid.Bool().Draw(r, "same account") {
			q.Account = before.Account
		}
	}
	q.Offer = rapid.SampledFrom(lasting).Draw(r, "offer")
	return q
}

func (m *machine) allocate(r *rapid.T) {
	q := m.request(r)
	q.Pools = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 3, rapid.ID[string]).Draw(r, "pools")
	if has := m.again(q); q.Offer > 0 && has != nil {
		l, err := m.allocator.Allocate(r.Context(), q)
		if err != nil || !slices.Contains(has, l.Address) {
			r.Fatalf("%+v: got %+v, %v; it has %v", q, l, err, has)
		}
		m.repeat(r, q, l)
		return
	}
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
	c := m.cells[q.Address]
	q.PrefixLength = c.length
	before := c.lease
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
		if err != nil {
			r.Fatalf("%+v: the holder asks again and gets %v", q, err)
		}
		m.repeat(r, q, l)
	case before != nil && c.offered && q.Account != "" && q.Account == before.Account:
		if err != nil {
			r.Fatalf("%+v: offered to the same account, got %v", q, err)
		}
		c.lease = nil
		m.take(r, q, l)
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
	want := pool.Lease{Address: l.Address, Pool: c.pool, Account: q.Account, Holder: q.Holder, Since: m.now, Why: l.Why, PrefixLength: c.length}
	c.offered = q.Offer > 0
	c.foreign = c.offered
	if c.offered {
		want.Expires = m.now.Add(q.Offer)
	}
	if l != want || l.Why == "" || c.lease != nil {
		r.Fatalf("%+v: the lease is %+v, want %+v; before %+v", q, l, want, c.lease)
	}
	c.lease, c.used = &l, false
	m.given = append(m.given, l)
}

// repeat looks at the answer to a holder that has the address already. Why it has it need not be remembered.
func (m *machine) repeat(r *rapid.T, q pool.Request, l pool.Lease) {
	c := m.cells[l.Address]
	if until := m.now.Add(q.Offer); q.Offer > 0 && c.offered && until.After(c.lease.Expires) {
		c.lease.Expires = until
	}
	want := *c.lease
	if want.Why = l.Why; l != want || l.Why == "" {
		r.Fatalf("%+v: the holder asks again and gets %+v, want %+v", q, l, want)
	}
}

func (m *machine) keep(r *rapid.T) {
	l := pool.Lease{Holder: fmt.Sprint("session ", len(m.given)), Account: rapid.SampledFrom(accounts).Draw(r, "account")}
	if len(m.given) > 0 && rapid.IntRange(0, 9).Draw(r, "unknown") > 0 {
		l = rapid.SampledFrom(m.given).Draw(r, "lease")
	} else {
		l.Address = rapid.SampledFrom(m.addresses()).Draw(r, "address")
		l.Pool, l.PrefixLength = m.cells[l.Address].pool, m.cells[l.Address].length
	}
	var until time.Time
	if lasts := rapid.SampledFrom(lasting).Draw(r, "lasts"); lasts > 0 {
		until = m.now.Add(lasts)
	}
	err := m.allocator.Keep(r.Context(), l, until)
	c := m.cells[l.Address]
	if l.Pool == "" && l.PrefixLength > 0 { // it lies in none
		var no *pool.MismatchError
		if !errors.As(err, &no) || no.Prefix != l.Prefix() {
			r.Fatalf("keep %+v: of no pool, got %v", l, err)
		}
		return
	}
	if c.lease != nil && c.lease.Holder != l.Holder {
		var inUse *pool.InUseError
		if !errors.As(err, &inUse) || inUse.Holder != c.lease.Holder || inUse.Address != l.Address {
			r.Fatalf("keep %+v: held by %s, got %v", l, c.lease.Holder, err)
		}
		return
	}
	switch {
	case err != nil:
		r.Fatalf("keep %+v: %v", l, err)
	case c.lease == nil:
		l.Pool, l.Since, l.Expires = c.pool, m.now, until
		c.lease, c.used, c.foreign, c.offered = &l, false, true, false
		m.given = append(m.given, l)
	case c.foreign:
		c.lease.Expires, c.offered = until, false
	}
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
	for i, l := range leases { // it need not be remembered why sessions of other NASes have theirs
		if c := m.cells[l.Address]; c != nil && c.lease != nil && c.foreign && l.Why != "" && i < len(want) {
			leases[i].Why = want[i].Why
		}
	}
	if err != nil || !slices.Equal(leases, want) {
		r.Fatalf("leases are %+v, %v; want %+v", leases, err, want)
	}
}
