package postgres

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// A row that is free now becomes the holder's. Its quarantine holds back everybody but the account that had it.
const claimLeases = `
UPDATE leases l SET account = nullif(v.account, ''), holder = v.holder, node = $1, epoch = $2, state = 'bound',
    pool = nullif(v.pool, ''), since = t.now,
    expires_at = CASE WHEN v.lone THEN t.now + $4 * interval '1 microsecond' END
FROM (SELECT coalesce($3::timestamptz, clock_timestamp()) AS now) t
CROSS JOIN (SELECT unnest($5::text[]) AS context, unnest($6::inet[]) AS address, unnest($7::text[]) AS pool,
    unnest($8::text[]) AS account, unnest($9::text[]) AS holder, unnest($10::boolean[]) AS lone,
    unnest($11::boolean[]) AS forced, unnest($12::boolean[]) AS sticky, unnest($13::boolean[]) AS exact) v
CROSS JOIN LATERAL (SELECT f.ctid FROM leases f WHERE f.routing_context = v.context AND f.address = v.address OFFSET 0) f
WHERE l.ctid = f.ctid AND ` + vacant + ` AND (NOT v.sticky OR l.account = v.account)
RETURNING l.routing_context, l.address`

// claim asks the database for common addresses. Many are asked for in two statements at a time: while one is being carried
// out, the leases of the other are handed out.
func (r *runner) claim(ctx context.Context, claims []*claim) error {
	slices.SortFunc(claims, func(x, y *claim) int {
		return cmp.Or(x.key.address.Compare(y.key.address), cmp.Compare(x.key.context, y.key.context))
	})
	// Of two who want the same address outside our blocks, the second tries again in the next round.
	claims = slices.CompactFunc(claims, func(x, y *claim) bool { return x.key == y.key })
	var own, lent, fresh []*claim
	for _, m := range claims {
		switch {
		case m.fresh:
			fresh = append(fresh, m)
		case m.ask.lent():
			lent = append(lent, m)
		default:
			own = append(own, m)
		}
	}
	return together(slices.Concat(
		parts(own, groupLeast, func(part []*claim) error { return r.claimGroup(ctx, part) }),
		parts(lent, lendLeast, func(part []*claim) error { return r.lendGroup(ctx, part, false) }),
		parts(fresh, lendLeast, func(part []*claim) error { return r.lendGroup(ctx, part, true) })))
}

// lendLeast is groupLeast for loans. They are more work on both sides, which is done at the same time then.
const lendLeast = 64

// parts is what to do with the claims, in two if each is of at least that many.
func parts(claims []*claim, least int, do func([]*claim) error) (tasks []func() error) {
	most := max(len(claims), 1)
	if most >= 2*least {
		most = (most + 1) / 2
	}
	for part := range slices.Chunk(claims, most) {
		tasks = append(tasks, func() error { return do(part) })
	}
	return tasks
}

// claimGroup makes claims in one statement.
func (r *runner) claimGroup(ctx context.Context, claims []*claim) error {
	r.mu.Lock()
	now := r.now()
	var c columns
	var lone, forced, sticky, exact []bool
	for _, m := range claims {
		home := ""
		if d := r.defs.find(m.key).home; d != nil {
			home = d.name
		}
		c.add(row{entry: &entry{key: m.key, length: r.lengthOf(m)}, pool: home, account: m.ask.Account, holder: m.ask.Holder, since: now}, now, len(claims))
		lone, forced, sticky = append(lone, r.blockOf(m.key) == nil), append(forced, m.forced), append(sticky, m.sticky)
		exact = append(exact, m.ask.Address.IsValid())
	}
	r.mu.Unlock()
	won, err := r.collect(ctx, claimLeases, r.cfg.Node, r.epoch, r.stamp(now), r.cfg.LeaseLife.Microseconds(),
		c.contexts, c.addresses, c.pools, c.accounts, c.holder, lone, forced, sticky, exact)
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
			r.deliver(m.ask, r.entryOf(m.key, r.lengthOf(m)), m.why)
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
SELECT l.routing_context, l.address, coalesce(l.prefix_length, 0), coalesce(l.pool, ''), coalesce(l.account, ''), l.state = 'offered', l.since,
    coalesce(l.kept_until, l.expires_at), t.now, l.holder, l.node, n.heartbeat_at,
    l.state = 'bound' AND coalesce(l.kept_until > t.now, true) OR l.state = 'offered' AND l.expires_at > t.now, ` + moved + `
FROM unnest($1::text[], $2::inet[]) v(context, address)
CROSS JOIN (SELECT coalesce($3::timestamptz, clock_timestamp()) AS now) t
CROSS JOIN LATERAL (SELECT * FROM leases l WHERE l.routing_context = v.context AND l.address = v.address OFFSET 0) l
LEFT JOIN nodes n ON n.name = l.node AND n.heartbeat_at < t.now - $4 * interval '1 microsecond'`

// occupant is who has an address.
type occupant struct {
	loan                    // the times are meaningful only where it is one
	Holder, Node string     // no node: it is a loan
	Silent       *time.Time // the node was last heard of then, and that is long ago
	Taken        bool       // it has it now
	Moved        int64      // when the address last changed hands, in microseconds of Unix time
}

// silence is for how long a node has to be silent before that is worth a word, in microseconds.
func (c Config) silence() int64 { return (10*c.Tick + c.Timeout).Microseconds() }

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
	r.mu.Lock()
	now := r.stamp(r.now())
	r.mu.Unlock()
	err := r.askOften(ctx, selectHolders, []any{contexts, addresses, now, r.cfg.silence()}, func(rows pgx.Rows) error {
		found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[occupant])
		for _, o := range found {
			holders[key{o.Context, o.Address}] = o
		}
		return err
	})
	return holders, err
}

// entryOf finds or makes the entry of an address that the database has just given us. The mutex is held.
func (r *runner) entryOf(k key, length int) *entry {
	if e := r.entries[k]; e != nil {
		e.common, e.row = false, true
		return e
	}
	b := r.blockOf(k)
	if b != nil {
		r.wear(b, k)
	}
	e := r.enterPrefix(k, b, length)
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

// overtaken reports whether the address has changed hands since the ask was made to keep it.
func (a *Allocator) overtaken(q *ask, by occupant) bool {
	asked := a.askedAt(q)
	return asked != nil && *asked < by.Moved
}

// refuse notes that a claim was not granted. The mutex is held.
func (r *runner) refuse(m *claim, by occupant) {
	if m.entry != nil && m.entry.state == claiming {
		r.stats.Refused++
		r.setAside(m.entry) // look finds out when it is back
	}
	switch q := m.ask; {
	case m.mine:
		r.dropHolder(q.Holder, m.key)
	case !q.Address.IsValid():
	case r.overtaken(q, by):
		q.refused = inUse(m.key, by)
	case !by.Taken: // it has no row, or nobody any more
		q.absent = true
	case by.settles(q):
		q.reply(by.lease(q.Holder, r.now(), "the session has this address already"), nil)
	case q.keep || !r.yields(q, by.Holder, by.Account):
		q.refused = inUse(m.key, by)
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
	if m.ask.lent() {
		r.setAside(m.entry) // look finds out
		return
	}
	m.entry.state = free
	m.entry.common, m.entry.bound = true, false
	r.shelve(m.entry)
	r.mark(m.entry)
}
