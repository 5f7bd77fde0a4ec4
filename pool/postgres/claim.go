package postgres

import (
	"cmp"
	"context"
	"net/netip"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Here and where rows are found by their address nothing says state = 'quarantine', or a planner without statistics might
// walk through the index of all free addresses.
const selectRemembered = `
SELECT l.account, l.routing_context, l.address, l.pool, l.expires_at
FROM unnest($1::text[]) v(account) CROSS JOIN LATERAL (SELECT * FROM leases l WHERE l.account = v.account OFFSET 0) l
WHERE l.state <> 'bound' AND l.pool IS NOT NULL
    AND NOT EXISTS (SELECT FROM static_addresses s WHERE s.routing_context = l.routing_context AND s.address = l.address OFFSET 0)`

// accountsOf lists the accounts whose last addresses the database is to be asked for.
func (r *runner) accountsOf(asks []*ask) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var accounts []string
	for _, q := range asks {
		if !q.barrier && r.needsMemory(q) {
			accounts = append(accounts, q.Account)
		}
		q.looked = true
	}
	return accounts
}

// lookUp asks the database what the accounts had.
func (r *runner) lookUp(ctx context.Context, asks []*ask) error {
	accounts := r.accountsOf(asks)
	if accounts == nil {
		return nil
	}
	return r.askOften(ctx, selectRemembered, []any{accounts}, func(rows pgx.Rows) error { return r.remember(rows, asks) })
}

// remember notes what the database says the accounts had.
func (r *runner) remember(rows pgx.Rows, asks []*ask) error {
	had := make(map[string][]candidate)
	var account string
	var c candidate
	_, err := pgx.ForEachRow(rows, []any{&account, &c.context, &c.address, &c.pool, &c.released}, func() error {
		had[account] = append(had[account], c)
		return nil
	})
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range asks {
		q.remembered = nil
		for _, c := range had[q.Account] {
			// The pool is the one that the address lies in now, whatever it was called then.
			home := r.defs.find(c.key).home
			if home == nil || !home.sticky || !slices.Contains(q.Pools, home.name) {
				continue
			}
			q.remembered = append(q.remembered, &candidate{c.key, home.name, c.released.Add(-home.quarantine)})
		}
		slices.SortStableFunc(q.remembered, func(x, y *candidate) int {
			return cmp.Or(x.released.Compare(y.released), x.address.Compare(y.address))
		})
	}
	return nil
}

// A row that is free now becomes the holder's. Its quarantine holds back everybody but the account that had it.
const claimLeases = `
UPDATE leases l SET account = nullif(v.account, ''), holder = v.holder, node = $1, epoch = $2, state = 'bound',
    pool = nullif(v.pool, ''), since = t.now,
    expires_at = CASE WHEN v.lone THEN t.now + $4 * interval '1 microsecond' END
FROM (SELECT coalesce($3::timestamptz, clock_timestamp()) AS now) t
CROSS JOIN (SELECT unnest($5::text[]) AS context, unnest($6::inet[]) AS address, unnest($7::text[]) AS pool,
    unnest($8::text[]) AS account, unnest($9::text[]) AS holder, unnest($10::boolean[]) AS lone,
    unnest($11::boolean[]) AS forced, unnest($12::boolean[]) AS sticky) v
CROSS JOIN LATERAL (SELECT f.ctid FROM leases f WHERE f.routing_context = v.context AND f.address = v.address OFFSET 0) f
WHERE l.ctid = f.ctid AND l.state <> 'bound'
    AND (v.forced OR l.expires_at <= t.now) AND (NOT v.sticky OR l.account = v.account)
RETURNING l.routing_context, l.address`

// claim asks the database for common addresses. Many are asked for in two statements at a time: while one is being carried
// out, the leases of the other are handed out.
func (r *runner) claim(ctx context.Context, claims []*claim) error {
	slices.SortFunc(claims, func(x, y *claim) int {
		return cmp.Or(x.key.address.Compare(y.key.address), cmp.Compare(x.key.context, y.key.context))
	})
	// Of two who want the same address outside our blocks, the second tries again in the next round.
	claims = slices.CompactFunc(claims, func(x, y *claim) bool { return x.key == y.key })
	most := len(claims)
	if most >= 2*groupLeast {
		most = (most + 1) / 2
	}
	var tasks []func() error
	for part := range slices.Chunk(claims, most) {
		tasks = append(tasks, func() error { return r.claimGroup(ctx, part) })
	}
	return together(tasks)
}

// claimGroup makes claims in one statement.
func (r *runner) claimGroup(ctx context.Context, claims []*claim) error {
	r.mu.Lock()
	now := r.now()
	var c columns
	var lone, forced, sticky []bool
	for _, m := range claims {
		home := ""
		if d := r.defs.find(m.key).home; d != nil {
			home = d.name
		}
		c.add(row{entry: &entry{key: m.key}, pool: home, account: m.ask.Account, holder: m.ask.Holder, since: now}, now, len(claims))
		lone, forced, sticky = append(lone, r.blockOf(m.key) == nil), append(forced, m.forced), append(sticky, m.sticky)
	}
	r.mu.Unlock()
	won, err := r.collect(ctx, claimLeases, r.cfg.Node, r.epoch, r.stamp(now), r.cfg.LeaseLife.Microseconds(),
		c.contexts, c.addresses, c.pools, c.accounts, c.holder, lone, forced, sticky)
	if transient(err) {
		err, won = nil, nil
	}
	var holders map[key]occupant
	if err == nil {
		holders, err = r.holders(ctx, claims, won)
	}
	waiting := r.settleClaims(claims, won, holders, err)
	if err != nil || waiting == nil {
		return err
	}
	return r.takeOver(ctx, waiting)
}

// settleClaims hands out what was won. It returns the asks that wait for another session of their account.
func (r *runner) settleClaims(claims []*claim, won map[key]bool, holders map[key]occupant, err error) (waiting []*ask) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range claims {
		switch {
		case err != nil:
			r.doubt(m)
		case won[m.key]:
			r.deliver(m.ask, r.entryOf(m.key), m.why)
		default:
			r.refuse(m, holders[m.key])
			if m.ask.waiting {
				waiting = append(waiting, m.ask)
			}
		}
	}
	return waiting
}

// collect runs a statement that answers with addresses.
func (r *runner) collect(ctx context.Context, statement string, args ...any) (map[key]bool, error) {
	won := make(map[key]bool)
	err := r.askOften(ctx, statement, args, func(rows pgx.Rows) error {
		var k key
		_, err := pgx.ForEachRow(rows, []any{&k.context, &k.address}, func() error {
			won[k] = true
			return nil
		})
		return err
	})
	return won, err
}

const selectHolders = `
SELECT l.routing_context, l.address, l.holder, coalesce(l.account, '')
FROM unnest($1::text[], $2::inet[]) v(context, address)
CROSS JOIN LATERAL (SELECT * FROM leases l WHERE l.routing_context = v.context AND l.address = v.address OFFSET 0) l
WHERE l.state = 'bound'`

// occupant is who has an address.
type occupant struct{ holder, account string }

// holders tells who has the exact addresses that could not be had.
func (r *runner) holders(ctx context.Context, claims []*claim, won map[key]bool) (map[key]occupant, error) {
	var contexts []string
	var addresses []netip.Addr
	for _, m := range claims {
		if m.ask.Address.IsValid() && !won[m.key] {
			contexts, addresses = append(contexts, m.key.context), append(addresses, m.key.address)
		}
	}
	holders := make(map[key]occupant)
	if addresses == nil {
		return holders, nil
	}
	err := r.askOften(ctx, selectHolders, []any{contexts, addresses}, func(rows pgx.Rows) error {
		var k key
		var o occupant
		_, err := pgx.ForEachRow(rows, []any{&k.context, &k.address, &o.holder, &o.account}, func() error {
			holders[k] = o
			return nil
		})
		return err
	})
	return holders, err
}

// entryOf finds or makes the entry of an address that the database has just given us. The mutex is held.
func (r *runner) entryOf(k key) *entry {
	if e := r.entries[k]; e != nil {
		e.common, e.row = false, true
		return e
	}
	b := r.blockOf(k)
	if b != nil {
		r.wear(b, k)
	}
	e := r.enter(k, b)
	e.row = true
	return e
}

// wear takes an address of a block out of the fresh ones.
func (a *Allocator) wear(b *block, k key) {
	if i := b.offset(k.address); b.isFresh(i) {
		b.set(i, false)
		a.homeOf(b).fresh--
	}
}

// refuse notes that a claim was not granted. The mutex is held.
func (r *runner) refuse(m *claim, by occupant) {
	if m.entry != nil && m.entry.state == claiming {
		r.stats.Refused++
		r.setAside(m.entry) // look finds out when it is back
	}
	if m.ask.Address.IsValid() && by.holder != "" && !r.yields(m.ask, by.holder, by.account) {
		m.ask.refused = inUse(m.key, by.holder)
	}
}

// unclaim takes back claims that were not made.
func (r *runner) unclaim(claims []*claim) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range claims {
		r.doubt(m)
	}
}

// doubt leaves an address that we may have got or not: what the row says will be set right. The mutex is held.
func (r *runner) doubt(m *claim) {
	if m.entry == nil || m.entry.state != claiming {
		return // audit finds the row
	}
	m.entry.state = free
	m.entry.common, m.entry.bound = true, false
	r.shelve(m.entry)
	r.mark(m.entry)
}

// Rows are locked in the order they became free, and rows that another node is taking are passed over. Only if that
// leaves too few it is waited for them: they may not all be taken.
const stealLeases = `
WITH free AS (
    SELECT f.routing_context, f.address, row_number() OVER () AS n
    FROM (SELECT l.routing_context, l.address FROM leases l
        WHERE l.pool = $5 AND l.state = 'quarantine' AND l.expires_at <= coalesce($3::timestamptz, clock_timestamp()) AND l.routing_context = $6
            AND EXISTS (SELECT FROM unnest($7::inet[], $8::inet[]) r(first, last) WHERE l.address BETWEEN r.first AND r.last)
            AND NOT EXISTS (SELECT FROM static_addresses s WHERE s.routing_context = l.routing_context AND s.address = l.address)
        ORDER BY l.expires_at LIMIT $9 FOR UPDATE OF l `

const stealRest = `) f),
want AS (SELECT v.account, v.holder, row_number() OVER () AS n FROM unnest($10::text[], $11::text[]) v(account, holder))
UPDATE leases l SET account = nullif(w.account, ''), holder = w.holder, node = $1, epoch = $2, state = 'bound',
    since = coalesce($3::timestamptz, clock_timestamp()),
    expires_at = coalesce($3::timestamptz, clock_timestamp()) + $4 * interval '1 microsecond'
FROM free JOIN want w USING (n) WHERE l.routing_context = free.routing_context AND l.address = free.address
RETURNING l.address, w.n`

// steal takes any common address of a pool for each ask, the one that is free longest first. Asks that get none go on to
// their next pool.
func (r *runner) steal(ctx context.Context, s *stock, asks []*ask) error {
	for _, wait := range []string{"SKIP LOCKED", ""} {
		var accounts, holders []string
		for _, q := range asks {
			accounts, holders = append(accounts, q.Account), append(holders, q.Holder)
		}
		r.mu.Lock()
		now := r.now()
		r.mu.Unlock()
		first, last := ends(s.def.spans)
		var got []theft
		args := []any{r.cfg.Node, r.epoch, r.stamp(now), r.cfg.LeaseLife.Microseconds(),
			s.def.name, s.def.context, first, last, len(asks), accounts, holders}
		err := r.ask(ctx, stealLeases+wait+stealRest, args, func(rows pgx.Rows) (err error) {
			got, err = pgx.CollectRows(rows, pgx.RowToStructByPos[theft])
			return err
		})
		if transient(err) {
			continue
		} else if err != nil {
			return err
		}
		asks = r.share(s, asks, got)
		if len(asks) == 0 {
			return nil
		}
	}
	for _, q := range asks {
		q.stage++
	}
	return nil
}

type theft struct {
	Address netip.Addr
	N       int
}

// share hands out what was stolen and returns the asks that got nothing.
func (r *runner) share(s *stock, asks []*ask, got []theft) []*ask {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range got {
		e := r.entryOf(key{s.def.context, t.Address})
		r.deliver(asks[t.N-1], e, s.why(asks[t.N-1].stage))
		if e.block != nil {
			r.mark(e) // in our own block it does not expire by itself
		}
	}
	return slices.DeleteFunc(slices.Clone(asks), func(q *ask) bool { return q.done || q.gone })
}
