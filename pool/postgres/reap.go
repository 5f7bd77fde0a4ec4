package postgres

import "context"

const (
	// Blocks whose owner has been silent for longer than the grace time. What is held in them stays so until its own time
	// is over: it now stands in the rows, and whoever gets the block leaves them alone. An owner that somebody deleted
	// comes back as one that is silent, so that the leases find an end.
	reapBlocks = `
WITH dead AS (
    SELECT b.routing_context, b.first_address, b.last_address, b.node, b.epoch, b.expires_at FROM pool_blocks b
    WHERE b.expires_at < coalesce($1::timestamptz, clock_timestamp()) - $2 * interval '1 microsecond'
        AND b.node <> $3
    ORDER BY b.routing_context, b.first_address LIMIT 1000 FOR UPDATE SKIP LOCKED),
ending AS (
    UPDATE leases l SET expires_at = d.expires_at + $4 * interval '1 microsecond'
    FROM dead d WHERE l.routing_context = d.routing_context AND l.address BETWEEN d.first_address AND d.last_address
        AND l.node = d.node AND l.epoch = d.epoch AND l.state = 'bound' AND l.expires_at IS NULL),
missing AS (
    INSERT INTO nodes (name, epoch, started_at, heartbeat_at)
    SELECT d.node, max(d.epoch), min(d.expires_at), min(d.expires_at) FROM dead d GROUP BY d.node ON CONFLICT (name) DO NOTHING)
UPDATE pool_blocks b SET node = NULL, epoch = NULL, expires_at = NULL
FROM dead d WHERE b.routing_context = d.routing_context AND b.first_address = d.first_address`

	// Leases whose own time is over. Only nodes that have been silent for long are looked at.
	reapLeases = `
UPDATE leases l SET state = 'quarantine', expires_at = coalesce($1::timestamptz, clock_timestamp())
WHERE l.node = ANY (ARRAY(SELECT n.name FROM nodes n
        WHERE n.name <> $3 AND n.heartbeat_at < coalesce($1::timestamptz, clock_timestamp()) - $2 * interval '1 microsecond'))
    AND l.state = 'bound' AND l.expires_at < coalesce($1::timestamptz, clock_timestamp()) - $2 * interval '1 microsecond'`
)

// reap takes back what dead nodes left. This one is alive, also when it has just woken from a long sleep. A node that has just come back to the database leaves the others a grace time to
// come back too: after an outage all blocks have expired, and their owners are alive.
func (r *runner) reap(ctx context.Context) error {
	r.mu.Lock()
	now := r.now()
	settled := !now.Before(r.attached.Add(r.cfg.Grace))
	r.mu.Unlock()
	if !settled {
		return nil
	}
	grace := r.cfg.Grace.Microseconds()
	rest := (r.cfg.LeaseLife - r.cfg.BlockLife).Microseconds()
	if err := r.change(ctx, reapBlocks, r.stamp(now), grace, r.cfg.Node, rest); err != nil && !transient(err) {
		return err
	}
	if err := r.change(ctx, reapLeases, r.stamp(now), grace, r.cfg.Node); err != nil && !transient(err) {
		return err
	}
	return nil
}
