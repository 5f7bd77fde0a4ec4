package postgres

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
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
    AND (SELECT count(*) FROM (SELECT FROM leases l WHERE l.pool = v.pool AND l.state IN ('quarantine', 'offered')
        AND l.expires_at <= coalesce($3::timestamptz, now()) LIMIT v.enough) few) < v.enough`

	selectAway = `
SELECT v.context, v.address, coalesce(l.account, ''), l.holder IS NULL, l.expires_at, coalesce(l.state = 'offered', false)
FROM unnest($1::text[], $2::inet[], $3::smallint[]) v(context, address, length)
LEFT JOIN LATERAL (SELECT * FROM leases l WHERE l.routing_context = v.context AND l.address = v.address OFFSET 0) l ON true
WHERE (l.holder IS NULL OR l.state <> 'bound') AND NOT (family(v.address) = 6 AND EXISTS (SELECT FROM leases l WHERE ` + across + `))`

	forgetLeases = `
DELETE FROM leases l USING unnest($1::text[], $2::inet[]) v(context, address)
CROSS JOIN LATERAL (SELECT f.ctid FROM leases f WHERE f.routing_context = v.context AND f.address = v.address OFFSET 0) f
WHERE l.ctid = f.ctid AND l.state <> 'bound'
    AND (l.state <> 'offered' OR l.expires_at <= coalesce($3::timestamptz, clock_timestamp()) - $4 * interval '1 microsecond')
RETURNING l.routing_context, l.address`

	// lateStart is for how long an offer that has run out keeps its row, so that a session that has begun after all finds it.
	lateStart = 10 * time.Minute
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
	if !time.Now().Before(r.sweepAt) {
		if err := r.sweep(ctx); err != nil {
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
	var at time.Time
	err := r.bounded(ctx, func(ctx context.Context) (err error) {
		if at, err = r.sign(ctx, r.cfg.Pool, now); err != nil {
			return err
		}
		return r.cfg.Pool.QueryRow(ctx, countNodes, r.stamp(now), max(r.cfg.BlockLife, time.Minute).Microseconds()).Scan(&nodes)
	})
	if err != nil {
		return err
	}
	if r.leapt(now, at) {
		if err := r.compareAll(ctx); err != nil {
			return err
		}
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
		if e == nil || e.offer && now.Before(e.released.Add(lateStart)) {
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
	gone, err := r.collect(ctx, forgetLeases, contexts, addresses, r.stamp(now), lateStart.Microseconds())
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
	lengths := make(map[key]int16)
	for e := range r.aside { // in no order: if there are many, each has its turn
		if len(keys) == groupMost {
			break
		}
		if e.state == away && r.entries[e.key] == e {
			keys, lengths[e.key] = append(keys, e.key), int16(e.length)
		} else {
			delete(r.aside, e)
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
		Offered bool
	}
	var found []back
	contexts, addresses := turn(keys)
	ordered := make([]int16, len(keys))
	for i, k := range keys {
		ordered[i] = lengths[k]
	}
	err := r.askOften(ctx, selectAway, []any{contexts, addresses, ordered}, func(rows pgx.Rows) (err error) {
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
		e.common, e.offer = !f.Fresh, f.Offered
		if f.Expires != nil && e.home != nil {
			if e.released = *f.Expires; !f.Offered {
				e.released = f.Expires.Add(-e.home.def.quarantine)
			}
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
