package postgres

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Here and where rows are found by their address nothing says state = 'quarantine', or a planner without statistics might
// walk through the index of all free addresses.
const selectRemembered = `
SELECT l.account, l.routing_context, l.address, l.pool, l.expires_at, l.state = 'offered', v.holder, l.mine
FROM unnest($1::text[], $2::text[], $3::boolean[]) v(account, holder, first)
CROSS JOIN (SELECT coalesce($4::timestamptz, clock_timestamp()) AS now) t
CROSS JOIN LATERAL (SELECT l.*, l.holder = v.holder AND (` + live + `) AS mine FROM leases l WHERE l.account = v.account OFFSET 0) l
WHERE l.pool IS NOT NULL
    AND (l.mine OR v.first AND l.state <> 'bound' AND (l.state <> 'offered' OR l.expires_at <= t.now)
        AND NOT EXISTS (SELECT FROM static_addresses s WHERE s.routing_context = l.routing_context AND s.address = l.address OFFSET 0))`

// query is what the database is to be asked about accounts: what each had last, and what some of its sessions were lent.
type query struct {
	accounts, holders []string
	first             []bool // of the account
	now               time.Time
}

func (r *runner) queryOf(asks []*ask) query {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := query{now: r.now()}
	known := make(map[string]bool)
	for _, ask := range asks {
		for _, k := range r.nameless[ask.Holder] {
			home := r.defs.find(k).home
			if home != nil && slices.Contains(ask.Pools, home.name) && ask.Account == "" && ask.Offer > 0 {
				ask.has = &candidate{key: k}
			}
		}
		holder := ""
		if ask.Offer > 0 {
			holder = ask.Holder
		}
		if !ask.barrier && r.needsMemory(ask) && (holder != "" || !known[ask.Account]) {
			q.accounts, q.holders, q.first = append(q.accounts, ask.Account), append(q.holders, holder), append(q.first, !known[ask.Account])
			known[ask.Account] = true
		}
		ask.looked = true
	}
	return q
}

// lookUp asks the database what the accounts had.
func (r *runner) lookUp(ctx context.Context, asks []*ask) error {
	q := r.queryOf(asks)
	if q.accounts == nil {
		return nil
	}
	return r.askOften(ctx, selectRemembered, []any{q.accounts, q.holders, q.first, r.stamp(q.now)},
		func(rows pgx.Rows) error { return r.remember(rows, asks) })
}

// remember notes what the database says the accounts had.
func (r *runner) remember(rows pgx.Rows, asks []*ask) error {
	had, has := make(map[string][]candidate), make(map[string][]candidate)
	var account, holder string
	var mine bool
	var c candidate
	var released *time.Time
	_, err := pgx.ForEachRow(rows, []any{&account, &c.context, &c.address, &c.pool, &released, &c.offer, &holder, &mine}, func() error {
		if mine {
			has[holder+" "+account] = append(has[holder+" "+account], c)
			return nil
		}
		c.released = *released
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
		for _, c := range has[q.Holder+" "+q.Account] {
			if home := r.defs.find(c.key).home; home != nil {
				c.pool = home.name
			}
			if q.Offer > 0 && slices.Contains(q.Pools, c.pool) {
				q.has = &c
			}
		}
		for _, c := range had[q.Account] {
			// The pool is the one that the address lies in now, whatever it was called then.
			home := r.defs.find(c.key).home
			if home == nil || !home.sticky || !slices.Contains(q.Pools, home.name) {
				continue
			}
			if !c.offer {
				c.released = c.released.Add(-home.quarantine)
			}
			q.remembered = append(q.remembered, &candidate{key: c.key, pool: home.name, released: c.released})
		}
		slices.SortStableFunc(q.remembered, func(x, y *candidate) int {
			return cmp.Or(x.released.Compare(y.released), x.address.Compare(y.address))
		})
	}
	return nil
}
