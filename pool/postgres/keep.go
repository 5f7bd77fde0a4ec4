package postgres

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"lnsgate/pool"
)

var _ pool.Keeper = (*Allocator)(nil)

// Keep implements [pool.Keeper]. It returns after the commit. When it answers *[UnavailableError] the lease may be kept or not,
// and the same call may succeed later: a NAS that gets no answer repeats its accounting record.
//
// *[pool.InUseError] may also name a node: the address has no row and lies in a block of that node, which alone can give it away.
func (a *Allocator) Keep(ctx context.Context, l pool.Lease, until time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.Holder == "" {
		return pool.ErrNoHolder
	}
	if err := a.isOurs(l); err != nil {
		return err
	}
	q := &ask{keep: true, kept: until}
	_, err := a.demand(ctx, q, l)
	return err
}

// isOurs says why a prefix is none that a session can have of a pool. Who names the pool knows.
func (a *Allocator) isOurs(l pool.Lease) error {
	if l.Pool != "" || l.PrefixLength == 0 {
		return nil
	}
	k := key{address: pool.First(l.Address.Unmap(), l.PrefixLength)}
	no := &pool.MismatchError{Prefix: pool.PrefixOf(k.address, l.PrefixLength)}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended != nil || !a.up {
		return a.missing()
	}
	for _, k.context = range a.defs.contexts() {
		switch home := a.defs.find(k).home; {
		case home == nil:
		case home.length == l.PrefixLength:
			return nil
		default:
			no.Pool, no.Length = home.name, home.length
		}
	}
	return no
}

// demand asks the database to change a lease that belongs to no process.
func (a *Allocator) demand(ctx context.Context, q *ask, l pool.Lease) (pool.Lease, error) {
	q.Request = pool.Request{Account: l.Account, Address: pool.First(l.Address.Unmap(), l.PrefixLength), Holder: l.Holder, PrefixLength: l.PrefixLength}
	if l.Pool != "" {
		q.Pools = []string{l.Pool}
	}
	q.answer = make(chan answer, 1)
	q.deadline, _ = ctx.Deadline()
	a.mu.Lock()
	if a.ended != nil || !a.up {
		defer a.mu.Unlock()
		return pool.Lease{}, a.missing()
	}
	if q.at.IsZero() {
		q.at = a.now()
	}
	a.submit(q)
	a.mu.Unlock()
	return a.await(ctx, q)
}

// lent reports whether an ask is about a lease of a session that another NAS carries.
func (q *ask) lent() bool { return q.Offer > 0 || q.keep || q.back }

// loan is the row of a lease that belongs to no process, as it now is.
type loan struct {
	Context string
	Address netip.Addr
	Length  int // of the prefix; 0: it is an address
	Pool    string
	Account string
	Offered bool
	Since   time.Time
	Expires *time.Time
	At      time.Time // the database's clock
}

// lease puts the loan into words and the times into those of our clock.
func (l loan) lease(holder string, now time.Time, why string) pool.Lease {
	lease := pool.Lease{Address: l.Address, PrefixLength: l.Length, Pool: l.Pool, Account: l.Account, Holder: holder, Since: now.Add(l.Since.Sub(l.At)), Why: why}
	if l.Expires != nil {
		lease.Expires = now.Add(l.Expires.Sub(l.At))
	}
	return lease
}

// lend notes a loan that the database has just confirmed and answers its ask. If nobody waits any more an offer runs out by
// itself. The mutex is held.
func (r *runner) lend(q *ask, l loan, now time.Time, why string) {
	k := key{l.Context, l.Address}
	lease := l.lease(q.Holder, now, why)
	if b := r.blockOf(k); b != nil {
		r.lendOurs(k, b, lease, l.Offered)
	} else {
		if e := r.entries[k]; e != nil && e.state != held {
			r.forget(e)
		}
		r.noteLone(l.Account, lease.Expires)
	}
	if l.Account == "" {
		r.noteHolder(q.Holder, k)
	}
	r.version++
	if !q.gone {
		q.reply(lease, nil)
	}
}

// lendOurs notes a loan of an address of our blocks. What is offered is on the shelf, to be had when the offer has run out: if it
// was kept until then, by whichever node, the database says so to whoever claims it.
func (a *Allocator) lendOurs(k key, b *block, l pool.Lease, offered bool) {
	e := a.entries[k]
	if e == nil {
		a.wear(b, k)
		e = a.enter(k, b)
	}
	a.unshelve(e)
	e.account, e.lease = l.Account, pool.Lease{}
	if !offered {
		a.setAside(e)
		a.noteLone(l.Account, l.Expires)
		return
	}
	e.state, e.common, e.row, e.bound = free, true, true, false
	e.offer, e.released = true, l.Expires
	a.shelve(e)
}

// returned notes that the database has an address back that was lent. The mutex is held.
func (a *Allocator) returned(k key, account string, at time.Time) {
	a.version++
	e := a.entries[k]
	if e == nil || e.block == nil {
		a.noteLone(account, at)
		return
	}
	if e.state == held || e.state == claiming {
		return
	}
	a.unshelve(e)
	e.state, e.common, e.row, e.bound, e.offer = free, true, true, false, false
	e.account, e.released = account, at
	if e.static != "" {
		e.account, e.released = "", time.Time{}
	}
	a.shelve(e)
}

// noteHolder remembers what a session without an account was lent: the database finds leases by their account.
func (a *Allocator) noteHolder(holder string, k key) {
	if len(a.nameless) >= maxLone {
		for other := range a.nameless {
			delete(a.nameless, other)
			break
		}
	}
	if !slices.Contains(a.nameless[holder], k) {
		a.nameless[holder] = append(a.nameless[holder], k)
	}
}

// dropHolder forgets that.
func (a *Allocator) dropHolder(holder string, k key) {
	had := a.nameless[holder]
	if had = slices.DeleteFunc(had, func(other key) bool { return other == k }); len(had) == 0 {
		delete(a.nameless, holder)
	} else {
		a.nameless[holder] = had
	}
}

const (
	// The epoch tells when, see over.
	returnLeases = `
UPDATE leases l SET state = 'quarantine', epoch = -(extract(epoch FROM t.now) * 1000000)::bigint, expires_at = t.now + v.rest * interval '1 microsecond', kept_until = NULL` + returning + `
    AND l.pool IS NOT NULL
RETURNING l.routing_context, l.address, coalesce(l.account, '')`

	returning = `
FROM (SELECT coalesce($1::timestamptz, clock_timestamp()) AS now) t
CROSS JOIN (SELECT unnest($2::text[]) AS context, unnest($3::inet[]) AS address, unnest($4::text[]) AS holder,
    unnest($5::bigint[]) AS rest) v
CROSS JOIN LATERAL (SELECT f.ctid FROM leases f WHERE f.routing_context = v.context AND f.address = v.address OFFSET 0) f
WHERE l.ctid = f.ctid AND l.node = '' AND l.holder = v.holder AND (l.state = 'bound' OR (l.state <> 'quarantine' AND l.expires_at > t.now))`

	// Nobody will look for an address that lies in no pool.
	dropReturned = `
DELETE FROM leases l USING (SELECT coalesce($1::timestamptz, clock_timestamp()) AS now) t
CROSS JOIN (SELECT unnest($2::text[]) AS context, unnest($3::inet[]) AS address, unnest($4::text[]) AS holder) v
CROSS JOIN LATERAL (SELECT f.ctid FROM leases f WHERE f.routing_context = v.context AND f.address = v.address OFFSET 0) f
WHERE l.ctid = f.ctid AND l.node = '' AND l.holder = v.holder AND (l.state = 'bound' OR (l.state <> 'quarantine' AND l.expires_at > t.now))
    AND l.pool IS NULL`
)

// giving is a group of leases that are given back.
type giving struct {
	contexts  []string
	addresses []netip.Addr
	holders   []string
	rests     []int64
	nowhere   bool // some may lie in no pool
}

// takeReturns writes what the asks give back, wherever it was lent.
func (r *runner) takeReturns(ctx context.Context, asks []*ask) error {
	asks = slices.Clone(asks)
	asks = slices.DeleteFunc(asks, func(q *ask) bool { return !q.back })
	slices.SortFunc(asks, func(x, y *ask) int { return cmp.Or(x.Address.Compare(y.Address), cmp.Compare(x.Holder, y.Holder)) })
	for group := range slices.Chunk(asks, groupMost) {
		if err := r.takeReturned(ctx, group); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) takeReturned(ctx context.Context, asks []*ask) error {
	r.mu.Lock()
	now := r.now()
	var g giving
	for _, q := range asks {
		r.giving(&g, q)
	}
	r.mu.Unlock()
	type line struct {
		Context string
		Address netip.Addr
		Account string
	}
	var found []line
	read := func(rows pgx.Rows) (err error) {
		found, err = pgx.CollectRows(rows, pgx.RowToStructByPos[line])
		return err
	}
	if err := r.askOften(ctx, returnLeases, []any{r.stamp(now), g.contexts, g.addresses, g.holders, g.rests}, read); err != nil {
		return err
	}
	if g.nowhere {
		if err := r.change(ctx, dropReturned, r.stamp(now), g.contexts, g.addresses, g.holders); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range found {
		r.returned(key{l.Context, l.Address}, l.Account, now)
	}
	for i, routing := range g.contexts {
		r.dropHolder(g.holders[i], key{routing, g.addresses[i]})
	}
	for _, q := range asks {
		q.reply(pool.Lease{}, nil)
	}
	return nil
}

// giving adds what an ask gives back, in each context where it may be. The mutex is held.
func (r *runner) giving(g *giving, q *ask) {
	contexts := r.defs.contexts()
	if len(q.Pools) > 0 {
		if d := r.defs.named[q.Pools[0]]; d != nil {
			contexts = []string{d.context}
		}
	}
	for _, routing := range contexts {
		rest := time.Duration(0)
		if home := r.defs.find(key{routing, q.Address}).home; home != nil {
			rest = home.quarantine
		} else {
			g.nowhere = true
		}
		g.contexts, g.addresses = append(g.contexts, routing), append(g.addresses, q.Address)
		g.holders, g.rests = append(g.holders, q.Holder), append(g.rests, rest.Microseconds())
	}
}
