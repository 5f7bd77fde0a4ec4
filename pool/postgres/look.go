package postgres

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	countNodes = `SELECT count(*) FROM nodes WHERE heartbeat_at > coalesce($1::timestamptz, now()) - $2 * interval '1 microsecond'`

	// Pools whose blocks all have an owner, and which have few addresses that anybody could take.
	selectShort = `
SELECT v.pool FROM unnest($1::text[], $2::integer[]) v(pool, enough)
WHERE NOT EXISTS (SELECT FROM pool_blocks b WHERE b.pool = v.pool AND b.node IS NULL)
    AND (SELECT count(*) FROM (SELECT FROM leases l WHERE l.pool = v.pool AND l.state = 'quarantine'
        AND l.expires_at <= coalesce($3::timestamptz, now()) LIMIT v.enough) few) < v.enough`

	selectAway = `
SELECT v.context, v.address, coalesce(l.account, ''), l.holder IS NULL, l.expires_at
FROM unnest($1::text[], $2::inet[]) v(context, address)
LEFT JOIN leases l ON l.routing_context = v.context AND l.address = v.address
WHERE l.holder IS NULL OR l.state = 'quarantine'`

	forgetLeases = `
DELETE FROM leases l USING unnest($1::text[], $2::inet[]) v(context, address)
WHERE l.routing_context = v.context AND l.address = v.address AND l.state = 'quarantine'
RETURNING l.routing_context, l.address`

	dropBlocks = `
DELETE FROM pool_blocks b WHERE b.node IS NULL AND NOT EXISTS (
    SELECT FROM pool_ranges r WHERE r.kind = 'include' AND r.pool = b.pool AND r.routing_context = b.routing_context
        AND r.first_address <= b.first_address AND b.last_address <= r.last_address)`

	relabelLeases = `
UPDATE leases l SET pool = r.pool FROM pool_ranges r
WHERE r.kind = 'include' AND r.routing_context = l.routing_context AND l.address BETWEEN r.first_address AND r.last_address
    AND l.state = 'quarantine' AND l.pool IS DISTINCT FROM r.pool AND r.pool = ANY ($1::text[])`

	countOffered = `
SELECT count(*) FROM unnest($2::inet[], $3::inet[]) r(first, last)
JOIN leases l ON l.routing_context = $1 AND l.address BETWEEN r.first AND r.last
WHERE l.pool = $4 OR l.state = 'bound'`

	// A row for every address of a small pool, except what is private to some node. Rows of another name are renamed.
	offerAddresses = `
INSERT INTO leases AS l (routing_context, address, pool, holder, node, epoch, state, since, expires_at)
SELECT $1, r.first + g, $4, '', '', 0, 'quarantine', t.now, t.now
FROM unnest($2::inet[], $3::inet[]) r(first, last), generate_series(0, r.last - r.first) g,
    (SELECT coalesce($5::timestamptz, clock_timestamp()) AS now) t
WHERE NOT EXISTS (SELECT FROM pool_blocks b WHERE b.routing_context = $1 AND b.node IS NOT NULL
    AND addr_range(b.first_address, b.last_address, '[]') @> r.first + g)
ON CONFLICT (routing_context, address) DO UPDATE SET pool = EXCLUDED.pool WHERE l.state = 'quarantine' AND l.pool IS DISTINCT FROM EXCLUDED.pool`
)

// look is what is done at every tick.
func (r *runner) look(ctx context.Context) error {
	r.ticks++
	if err := r.beat(ctx); err != nil {
		return err
	}
	if r.ticks%10 == 1 {
		if err := r.reap(ctx); err != nil {
			return err
		}
	}
	if err := r.offer(ctx); err != nil {
		return err
	}
	if err := r.balance(ctx); err != nil {
		return err
	}
	if err := r.fetchBack(ctx); err != nil {
		return err
	}
	// What lies in no pool any more goes when the last session has left it.
	return r.giveBack(ctx, func(b *block) bool { return b.held == 0 && r.homeOf(b) == nil })
}

// beat says that we are alive and counts who else is.
func (r *runner) beat(ctx context.Context) error {
	r.mu.Lock()
	now := r.now()
	r.mu.Unlock()
	nodes := 1
	err := r.bounded(ctx, func(ctx context.Context) error {
		tag, err := r.cfg.Pool.Exec(ctx, beat, r.cfg.Node, r.epoch, r.stamp(now))
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ErrSuperseded
		}
		return r.cfg.Pool.QueryRow(ctx, countNodes, r.stamp(now), max(r.cfg.BlockLife, time.Minute).Microseconds()).Scan(&nodes)
	})
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.nodes != nodes {
		r.nodes = max(nodes, 1)
		for _, s := range r.stocks {
			r.resize(s)
		}
	}
	return nil
}

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
		return r.tidy(ctx, tx, before, defs)
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
func (r *runner) tidy(ctx context.Context, tx pgx.Tx, before, after *definitions) error {
	if reflect.DeepEqual(before.pools, after.pools) {
		return nil
	}
	for _, routing := range slices.Sorted(slices.Values(after.contexts())) {
		if _, err := tx.Exec(ctx, lockExclusive, routing); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, dropBlocks); err != nil || before.named == nil {
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
			_, err = tx.Exec(ctx, offerAddresses, s.def.context, first, last, s.def.name, r.stamp(now))
			return err
		})
		if err != nil {
			return err
		}
		s.offered = true
	}
	return nil
}

// balance lets go of private addresses while a pool is short, and restores the reserve when it is not.
func (r *runner) balance(ctx context.Context) error {
	r.mu.Lock()
	now := r.now()
	var names []string
	var enough []int32
	var looked []*stock
	for _, s := range r.stocks {
		if s.owned > 0 {
			names, enough = append(names, s.def.name), append(enough, int32(max(s.lowest*r.nodes, s.size)))
			looked = append(looked, s)
		}
	}
	r.mu.Unlock()
	if len(looked) == 0 {
		return nil
	}
	short := make(map[string]bool)
	err := r.ask(ctx, selectShort, []any{names, enough, r.stamp(now)}, func(rows pgx.Rows) error {
		var name string
		_, err := pgx.ForEachRow(rows, []any{&name}, func() error {
			short[name] = true
			return nil
		})
		return err
	})
	if err != nil {
		return err
	}
	for _, s := range looked {
		left := false
		if short[s.def.name] {
			err := r.bounded(ctx, func(ctx context.Context) error {
				pieces, err := r.gaps(ctx, r.cfg.Pool, s, 1)
				left = len(pieces) > 0
				return err
			})
			if err != nil {
				return err
			}
		}
		if short[s.def.name] && !left {
			r.publish(s)
		} else if err := r.restore(ctx, s, now); err != nil {
			return err
		}
	}
	return nil
}

// publish makes the fresh addresses of a pool common: the next journal gives them rows.
func (r *runner) publish(s *stock) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		address, b := s.pop()
		if b == nil {
			return
		}
		e := r.enter(key{b.context, address}, b)
		r.shelve(e)
		r.mark(e)
	}
}

// restore makes common addresses that have been free longest private again, until the reserve is full: it is what this
// node lives on when the database goes away. They are forgotten, and with them who had them.
func (r *runner) restore(ctx context.Context, s *stock, now time.Time) error {
	r.mu.Lock()
	var chosen []*entry
	for n := s.lowest - s.fresh - len(s.private); n > 0 && len(s.common) > s.lowest; n-- {
		e := s.common.ripe(now)
		if e == nil {
			break
		}
		r.unshelve(e)
		e.state = claiming
		chosen = append(chosen, e)
	}
	r.mu.Unlock()
	if chosen == nil {
		return nil
	}
	keys := make([]key, len(chosen))
	for i, e := range chosen {
		keys[i] = e.key
	}
	contexts, addresses := turn(keys)
	gone, err := r.collect(ctx, forgetLeases, contexts, addresses)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range chosen {
		b, home := e.block, e.home
		switch {
		case e.state != claiming || b == nil:
		case err == nil && gone[e.key] && home != nil:
			r.forget(e)
			b.set(b.offset(e.address), true)
			if s := r.homeOf(b); s != nil {
				s.fresh++
				if !slices.Contains(s.blocks, b) {
					s.blocks = append(s.blocks, b)
				}
			}
		default:
			r.setAside(e)
		}
	}
	return err
}

// fetchBack looks whether addresses of our blocks that others had are free again.
func (r *runner) fetchBack(ctx context.Context) error {
	r.mu.Lock()
	var keys []key
	for k, e := range r.entries {
		if e.state == away {
			keys = append(keys, k)
		}
	}
	r.mu.Unlock()
	if keys == nil {
		return nil
	}
	slices.SortFunc(keys, func(x, y key) int {
		return cmp.Or(cmp.Compare(x.context, y.context), x.address.Compare(y.address))
	})
	type back struct {
		Context string
		Address netip.Addr
		Account string
		Fresh   bool
		Expires *time.Time
	}
	var found []back
	contexts, addresses := turn(keys)
	err := r.ask(ctx, selectAway, []any{contexts, addresses}, func(rows pgx.Rows) (err error) {
		found, err = pgx.CollectRows(rows, pgx.RowToStructByPos[back])
		return err
	})
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range found {
		e := r.entries[key{f.Context, f.Address}]
		if e == nil || e.state != away {
			continue
		}
		e.state, e.account, e.released = free, f.Account, time.Time{}
		e.common = !f.Fresh
		if f.Expires != nil && e.home != nil {
			e.released = f.Expires.Add(-e.home.def.quarantine)
		}
		r.shelve(e)
	}
	return nil
}

// prefetch takes the next blocks of pools whose reserve is low, before somebody waits for them.
func (r *runner) prefetch(ctx context.Context) error {
	r.mu.Lock()
	var low []*stock
	now := r.now()
	for s := range maps.Values(r.stocks) {
		if s.used && s.size > 0 && !s.dry && s.fresh < s.lowest && s.common.ripe(now) == nil && s.private.ripe(now) == nil {
			low = append(low, s)
		}
	}
	r.mu.Unlock()
	for _, s := range low {
		if err := r.take(ctx, s, 1); err != nil {
			return err
		}
	}
	return nil
}
