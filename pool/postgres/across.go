package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"lnsgate/pool"
)

// The primary key keeps two sessions from one address, and from one prefix. Prefixes of different lengths can share addresses
// without having the first one in common: those the constraint leases_overlap keeps apart. Within a pool all have one length, so
// it is met only by prefixes outside of all pools, and by what is left of a pool that gave prefixes of another length.

const (
	// across finds the rows of IPv6 that share addresses with what is asked for and are not the same.
	across = `l.routing_context = v.context AND family(l.address) = 6 AND family(v.address) = 6
    AND addr_range(l.address, last_of(l.address, l.prefix_length), '[]') && addr_range(v.address, last_of(v.address, nullif(v.length, 0)), '[]')
    AND (l.address <> v.address OR coalesce(l.prefix_length, 0) <> v.length)`

	// Nobody has these, whatever their quarantine says: they are not given again as they were.
	dropAcross = `
DELETE FROM leases l USING unnest($1::text[], $2::inet[], $3::smallint[]) v(context, address, length)
WHERE ` + across + ` AND (l.state = 'quarantine' OR l.state = 'offered' AND l.expires_at <= coalesce($4::timestamptz, clock_timestamp()))
RETURNING l.routing_context, l.address`

	selectAcross = `
SELECT v.context, v.address, l.holder, l.node, n.heartbeat_at
FROM unnest($1::text[], $2::inet[], $3::smallint[]) v(context, address, length) JOIN leases l ON ` + across + `
LEFT JOIN nodes n ON n.name = l.node AND n.heartbeat_at < coalesce($4::timestamptz, clock_timestamp()) - $5 * interval '1 microsecond'`
)

// inspectPrefixes looks at what shares addresses with exact prefixes.
func (r *runner) inspectPrefixes(ctx context.Context, tx pgx.Tx, asks []*ask, keys []key, sites map[key]site) error {
	var six []key
	var lengths []int16
	for i, k := range keys {
		if k.address.Is6() {
			six, lengths = append(six, k), append(lengths, int16(asks[i].PrefixLength))
		}
	}
	if six == nil {
		return nil
	}
	r.mu.Lock()
	now := r.stamp(r.now())
	r.mu.Unlock()
	gone, by, err := r.clearAcross(ctx, tx, six, lengths, now)
	if err != nil {
		return err
	}
	for _, k := range six {
		s := sites[k]
		if gone[k] { // it had another length
			s = site{owner: s.owner, silent: s.silent}
		}
		if o, there := by[k]; there {
			s.across = &o
		}
		sites[k] = s
	}
	return nil
}

// clearAcross removes what nobody has, and tells which rows those were, and who has the rest.
func (r *runner) clearAcross(ctx context.Context, db querier, keys []key, lengths []int16, now *time.Time) (gone map[key]bool, by map[key]occupant, err error) {
	contexts, addresses := turn(keys)
	rows, err := db.Query(ctx, dropAcross, contexts, addresses, lengths, now)
	if err != nil {
		return nil, nil, err
	}
	gone, by = make(map[key]bool), make(map[key]occupant)
	var k key
	if _, err = pgx.ForEachRow(rows, []any{&k.context, &k.address}, func() error {
		gone[k] = true
		return nil
	}); err != nil {
		return nil, nil, err
	}
	if rows, err = db.Query(ctx, selectAcross, contexts, addresses, lengths, now, r.cfg.silence()); err != nil {
		return nil, nil, err
	}
	var o occupant
	_, err = pgx.ForEachRow(rows, []any{&k.context, &k.address, &o.Holder, &o.Node, &o.Silent}, func() error {
		by[k] = o
		return nil
	})
	return gone, by, err
}

// resolve ends the leases of a group that the constraint refuses, so that the rest can be written.
func (r *runner) resolve(ctx context.Context, g group) error {
	var keys []key
	var lengths []int16
	entries := make(map[key]*entry)
	for _, line := range g.rows {
		if line.address.Is6() {
			keys, lengths = append(keys, line.key), append(lengths, int16(line.length))
			entries[line.key] = line.entry
		}
	}
	r.mu.Lock()
	now := r.stamp(r.now())
	r.mu.Unlock()
	var by map[key]occupant
	err := r.within(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		_, by, err = r.clearAcross(ctx, tx, keys, lengths, now)
		return err
	})
	if err != nil {
		return err
	}
	var lost []pool.Lease
	r.mu.Lock()
	for k, o := range by {
		e := entries[k]
		switch {
		case r.entries[k] != e:
		case e.state == held:
			lost = append(lost, e.lease)
			r.conflict(e, o.Holder)
		case e.state == leaving:
			r.forget(e)
		default:
			r.setAside(e)
		}
	}
	r.mu.Unlock()
	r.report(lost)
	return nil
}
