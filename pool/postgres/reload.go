package postgres

import (
	"context"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"lnsgate/pool"
)

const (
	dropBlocks = `
DELETE FROM pool_blocks b WHERE b.node IS NULL AND NOT EXISTS (
    SELECT FROM pool_ranges r WHERE r.kind = 'include' AND r.pool = b.pool AND r.routing_context = b.routing_context
        AND r.first_address <= b.first_address AND b.last_address <= r.last_address AND r.prefix_length IS NOT DISTINCT FROM b.prefix_length)`

	relabelLeases = `
UPDATE leases l SET pool = r.pool FROM pool_ranges r
WHERE r.kind = 'include' AND r.routing_context = l.routing_context AND l.address BETWEEN r.first_address AND r.last_address
    AND l.state IN ('quarantine', 'offered') AND l.pool IS DISTINCT FROM r.pool AND r.pool = ANY ($1::text[])`

	// What is free in the ranges and has another length than is given there now was given by pools that are no more.
	forgetOtherLengths = `
DELETE FROM leases l USING pool_ranges r
WHERE r.kind = 'include' AND r.family = 6 AND r.routing_context = l.routing_context AND family(l.address) = 6
    AND addr_range(l.address, last_of(l.address, l.prefix_length), '[]') && addr_range(r.first_address, r.last_address, '[]')
    AND l.prefix_length IS DISTINCT FROM r.prefix_length
    AND (l.state = 'quarantine' OR l.state = 'offered' AND l.expires_at <= coalesce($1::timestamptz, clock_timestamp()))`

	countOffered = `
SELECT count(*) FROM unnest($2::inet[], $3::inet[]) r(first, last)
JOIN leases l ON l.routing_context = $1 AND l.address BETWEEN r.first AND r.last
WHERE l.pool = $4 OR l.state <> 'quarantine'`

	// A row for every address of a small pool, except what is private to some node. Rows of another name are renamed.
	offerAddresses = `
INSERT INTO leases AS l (routing_context, address, pool, holder, node, epoch, state, since, expires_at)
SELECT $1, r.first + g, $4, '', '', 0, 'quarantine', t.now, t.now
FROM unnest($2::inet[], $3::inet[]) r(first, last), generate_series(0, r.last - r.first) g,
    (SELECT coalesce($5::timestamptz, clock_timestamp()) AS now) t
WHERE NOT EXISTS (SELECT FROM pool_blocks b WHERE b.routing_context = $1 AND b.node IS NOT NULL
    AND addr_range(b.first_address, b.last_address, '[]') @> r.first + g)
ON CONFLICT (routing_context, address) DO UPDATE SET pool = EXCLUDED.pool WHERE l.state = 'quarantine' AND l.pool IS DISTINCT FROM EXCLUDED.pool`

	// The same for prefixes, which are listed. What shares addresses with one of another length in use is left out.
	offerPrefixes = `
INSERT INTO leases AS l (routing_context, address, pool, holder, node, epoch, state, since, expires_at, prefix_length)
SELECT $1, v.address, $3, '', '', 0, 'quarantine', t.now, t.now, $4
FROM unnest($2::inet[]) v(address), (SELECT coalesce($5::timestamptz, clock_timestamp()) AS now) t
WHERE NOT EXISTS (SELECT FROM pool_blocks b WHERE b.routing_context = $1 AND b.node IS NOT NULL
    AND addr_range(b.first_address, b.last_address, '[]') @> v.address)
    AND NOT EXISTS (SELECT FROM leases o WHERE o.routing_context = $1 AND family(o.address) = 6 AND o.prefix_length IS DISTINCT FROM $4
        AND addr_range(o.address, last_of(o.address, o.prefix_length), '[]') && addr_range(v.address, last_of(v.address, $4), '[]'))
ON CONFLICT (routing_context, address) DO UPDATE SET pool = EXCLUDED.pool WHERE l.state = 'quarantine' AND l.pool IS DISTINCT FROM EXCLUDED.pool`
)

// reload reads the pools again and puts them into force.
func (r *runner) reload(ctx context.Context) error {
	r.mu.Lock()
	now := r.now()
	before := r.defs
	contexts, first, last := r.ourSpans()
	r.mu.Unlock()
	var defs *definitions
	var statics map[key]string
	nodes := 1
	err := r.within(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var err error
		if defs, err = readDefinitions(ctx, tx); err != nil {
			return err
		}
		if statics, err = readStatics(ctx, tx, contexts, first, last); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, countNodes, r.stamp(now), max(r.cfg.BlockLife, time.Minute).Microseconds()).Scan(&nodes); err != nil {
			return err
		}
		return r.tidy(ctx, tx, before, defs, now)
	})
	if err != nil {
		return err
	}
	r.mu.Lock()
	if !reflect.DeepEqual(before.pools, defs.pools) || len(r.stocks) == 0 {
		r.defs, r.nodes = defs, max(nodes, 1)
		r.rehome()
	}
	for k, e := range r.entries {
		if e.static != "" && e.block != nil && statics[k] == "" {
			e.static = ""
			if e.state == free {
				r.shelve(e)
			}
		}
	}
	r.reserve(statics)
	r.version++
	r.mu.Unlock()
	return r.offer(ctx)
}

// tidy removes blocks that no longer fit the ranges, so that others can be cut there, and gives the free addresses of a
// range that has moved to its new pool.
func (r *runner) tidy(ctx context.Context, tx pgx.Tx, before, after *definitions, now time.Time) error {
	if reflect.DeepEqual(before.pools, after.pools) {
		return nil
	}
	for _, routing := range slices.Sorted(slices.Values(after.contexts())) {
		if _, err := tx.Exec(ctx, lockExclusive, routing); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, dropBlocks); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, forgetOtherLengths, r.stamp(now)); err != nil || before.named == nil {
		return err
	}
	var changed []string
	for name, d := range after.named {
		if old := before.named[name]; old == nil || !reflect.DeepEqual(old.spans, d.spans) {
			changed = append(changed, name)
		}
	}
	_, err := tx.Exec(ctx, relabelLeases, changed)
	return err
}

// ourSpans lists our blocks. The mutex is held.
func (r *runner) ourSpans() (contexts []string, first, last []netip.Addr) {
	for routing, blocks := range r.blocks {
		for _, b := range blocks {
			contexts, first, last = append(contexts, routing), append(first, b.span.First), append(last, b.span.Last)
		}
	}
	return contexts, first, last
}

// offer gives every address of the small pools a row.
func (r *runner) offer(ctx context.Context) error {
	r.mu.Lock()
	var small []*stock
	for _, s := range r.stocks {
		if s.size == 0 && !s.offered && s.def.size > 0 {
			small = append(small, s)
		}
	}
	now := r.now()
	r.mu.Unlock()
	for _, s := range small {
		first, last := ends(s.def.spans)
		err := r.within(ctx, func(ctx context.Context, tx pgx.Tx) error {
			var there uint64
			err := tx.QueryRow(ctx, countOffered, s.def.context, first, last, s.def.name).Scan(&there)
			if err != nil || there == s.def.size {
				return err
			}
			if _, err := tx.Exec(ctx, lockExclusive, s.def.context); err != nil {
				return err
			}
			if s.def.length > 0 {
				all := pool.Walk(s.def.spans, s.def.length, netip.Addr{}, int(s.def.size))
				_, err = tx.Exec(ctx, offerPrefixes, s.def.context, all, s.def.name, s.def.length, r.stamp(now))
			} else {
				_, err = tx.Exec(ctx, offerAddresses, s.def.context, first, last, s.def.name, r.stamp(now))
			}
			return err
		})
		if overlap(err) {
			continue // somebody was quicker; the next tick tries again
		} else if err != nil {
			return err
		}
		s.offered = true
	}
	return nil
}
