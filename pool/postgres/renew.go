package postgres

import (
	"context"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"

	"lnsgate/pool"
)

const (
	insertNode = `
INSERT INTO nodes (name, address, version, started_at, heartbeat_at)
VALUES ($1, $2, nullif($3, ''), coalesce($4::timestamptz, now()), coalesce($4::timestamptz, now()))
ON CONFLICT (name) DO UPDATE SET epoch = nodes.epoch + 1, started_at = EXCLUDED.started_at, heartbeat_at = EXCLUDED.heartbeat_at,
    address = EXCLUDED.address, version = EXCLUDED.version
RETURNING epoch`

	// The sessions of earlier processes of this node are over: what they held rests for a quarantine.
	freeOldLeases = `
UPDATE leases l SET state = 'quarantine', expires_at = coalesce($3::timestamptz, now())
    + coalesce((SELECT p.quarantine FROM pools p WHERE p.name = l.pool), '0')
WHERE l.node = $1 AND l.epoch < $2 AND l.state = 'bound'`

	freeOldBlocks = `UPDATE pool_blocks SET node = NULL, epoch = NULL, expires_at = NULL WHERE node = $1 AND epoch < $2`

	// A row that somebody deleted comes back. One with a higher epoch is that of another process; a lower one means that the
	// server had not heard of us before a fail-over.
	beat = `
INSERT INTO nodes (name, epoch, heartbeat_at) VALUES ($1, $2, coalesce($3::timestamptz, clock_timestamp()))
ON CONFLICT (name) DO UPDATE SET epoch = EXCLUDED.epoch, heartbeat_at = EXCLUDED.heartbeat_at WHERE nodes.epoch <= EXCLUDED.epoch
RETURNING heartbeat_at`

	renewLeases = `
UPDATE leases SET expires_at = coalesce($3::timestamptz, clock_timestamp()) + $4 * interval '1 microsecond'
WHERE node = $1 AND epoch = $2 AND state = 'bound' AND expires_at IS NOT NULL`

	renewBlocks = `
UPDATE pool_blocks SET expires_at = coalesce($3::timestamptz, clock_timestamp()) + $4 * interval '1 microsecond'
WHERE node = $1 AND epoch = $2 RETURNING routing_context, first_address`

	selectOwn = `SELECT routing_context, address, holder FROM leases WHERE node = $1 AND epoch = $2 AND state = 'bound'`

	freeLeases = `
UPDATE leases l SET state = 'quarantine', expires_at = coalesce($3::timestamptz, clock_timestamp())
FROM unnest($4::text[], $5::inet[]) v(context, address)
CROSS JOIN LATERAL (SELECT f.ctid FROM leases f WHERE f.routing_context = v.context AND f.address = v.address OFFSET 0) f
WHERE l.ctid = f.ctid AND l.node = $1 AND l.epoch = $2 AND l.state <> 'quarantine'`

	freeBlocks = `
UPDATE pool_blocks b SET node = NULL, epoch = NULL, expires_at = NULL, pool = coalesce(nullif(v.pool, ''), b.pool)
FROM unnest($3::text[], $4::inet[], $5::text[]) v(context, first, pool)
WHERE b.routing_context = v.context AND b.first_address = v.first AND b.node = $1 AND b.epoch = $2`
)

// register learns the epoch of this process, and clears up after those before it: also when the database comes back, because
// a server that had not heard all before a fail-over still has their rows.
func (r *runner) register(ctx context.Context) error {
	err := r.within(ctx, func(ctx context.Context, tx pgx.Tx) error {
		r.mu.Lock()
		now := r.stamp(r.now())
		epoch := r.epoch
		r.mu.Unlock()
		if epoch == 0 {
			var address *netip.Addr
			if r.cfg.Address.IsValid() {
				address = &r.cfg.Address
			}
			if err := tx.QueryRow(ctx, insertNode, r.cfg.Node, address, r.cfg.Version, now).Scan(&epoch); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, freeOldLeases, r.cfg.Node, epoch, now); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, freeOldBlocks, r.cfg.Node, epoch)
		r.registering = epoch
		return err
	})
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epoch = r.registering
	return nil
}

// renew makes our blocks and leases last for another life, and finds out which blocks are ours.
func (r *runner) renew(ctx context.Context) error {
	r.mu.Lock()
	began := r.now() // before the database looks at its clock: we never think to have longer than it does
	r.mu.Unlock()
	ours := make(map[key]bool)
	var at time.Time
	err := r.within(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		clear(ours)
		if at, err = r.sign(ctx, tx, began); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, renewLeases, r.cfg.Node, r.epoch, r.stamp(began), r.cfg.LeaseLife.Microseconds()); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, renewBlocks, r.cfg.Node, r.epoch, r.stamp(began), r.cfg.BlockLife.Microseconds())
		if err != nil {
			return err
		}
		var k key
		_, err = pgx.ForEachRow(rows, []any{&k.context, &k.address}, func() error {
			ours[k] = true
			return nil
		})
		return err
	})
	if err != nil {
		return err
	}
	r.leapt(began, at)
	lost := r.compare(ours, began)
	r.report(lost)
	if len(ours) > 0 { // what is left of it is ours without our knowing
		return r.disown(ctx, ours)
	}
	return nil
}

// compare drops the blocks that are not ours any more, and takes those that are out of ours.
func (r *runner) compare(ours map[key]bool, began time.Time) []pool.Lease {
	r.mu.Lock()
	defer r.mu.Unlock()
	var gone []*block
	for _, blocks := range r.blocks {
		for _, b := range blocks {
			if k := (key{b.context, b.span.First}); ours[k] {
				delete(ours, k)
			} else {
				gone = append(gone, b)
			}
		}
	}
	var lost []pool.Lease
	alive := began.Before(r.renewed.Add(r.cfg.LeaseLife))
	for _, b := range gone {
		kept := r.keepBound(b, alive)
		dropped := r.dropBlock(b)
		for _, e := range dropped {
			lost = append(lost, e.lease)
		}
		r.cfg.Log.Error("pools: a block of this node expired and is no longer ours", "block", b.span, "sessions that go on", kept, "sessions that end", len(dropped))
	}
	r.renewed, r.expires, r.lapsed, r.dead = began, began.Add(r.cfg.BlockLife), false, false
	return lost
}

// keepBound takes the leases out of a block that nobody else can have taken, because the table says that they are ours.
func (a *Allocator) keepBound(b *block, alive bool) int {
	if !alive || a.dead {
		return 0
	}
	before := b.held
	for i := range b.size() {
		e := a.entries[key{b.context, b.nth(i)}]
		if e == nil || e.block != b || e.state != held || !e.bound {
			continue
		}
		e.block = nil
		b.held--
		a.mark(e)
	}
	return before - b.held
}

// disown gives back blocks that we got without hearing of it.
func (r *runner) disown(ctx context.Context, unknown map[key]bool) error {
	var keys []key
	for k := range unknown {
		keys = append(keys, k)
	}
	contexts, addresses := turn(keys)
	return r.change(ctx, freeBlocks, r.cfg.Node, r.epoch, contexts, addresses, make([]string, len(keys)))
}

// audit compares our leases in the database with memory after an outage: a statement may have been done without our
// hearing of it, and a lease outside our blocks may have lapsed.
func (r *runner) audit(ctx context.Context) error {
	rows := make(map[key]string)
	err := r.ask(ctx, selectOwn, []any{r.cfg.Node, r.epoch}, func(found pgx.Rows) error {
		var k key
		var holder string
		_, err := pgx.ForEachRow(found, []any{&k.context, &k.address, &holder}, func() error {
			rows[k] = holder
			return nil
		})
		return err
	})
	if err != nil {
		return err
	}
	strays, lost := r.reconcile(rows)
	r.report(lost)
	if len(strays) == 0 {
		return nil
	}
	contexts, addresses := turn(strays)
	return r.change(ctx, freeLeases, r.cfg.Node, r.epoch, r.stamp(r.renewed), contexts, addresses)
}

// reconcile finds rows that nobody here holds, and leases that have no row and none coming.
func (r *runner) reconcile(rows map[key]string) (strays []key, lost []pool.Lease) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k := range rows {
		e := r.entries[k]
		if e != nil {
			e.bound = true
		}
		switch {
		case e == nil:
			strays = append(strays, k)
		case e.state != held && !e.dirty && e.block != nil:
			e.state = free
			r.shelve(e)
			r.mark(e)
		case e.state != held && !e.dirty:
			strays = append(strays, k)
		}
	}
	for k, e := range r.entries {
		_, written := rows[k]
		e.bound = e.bound && written
		if written || e.state != held || e.dirty && e.block != nil {
			continue
		}
		if e.block != nil {
			r.mark(e)
			continue
		}
		lost = append(lost, e.lease)
		r.forget(e)
	}
	return strays, lost
}
