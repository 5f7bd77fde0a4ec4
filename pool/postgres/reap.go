package postgres

import "context"

const (
	// Blocks whose owner has been silent for longer than the grace time, with what was held in them.
	reapBlocks = `
WITH dead AS (
    SELECT b.routing_context, b.first_address, b.last_address, b.node, b.epoch FROM pool_blocks b
    WHERE b.expires_at < coalesce($1::timestamptz, clock_timestamp()) - $2 * interval '1 microsecond'
    ORDER BY b.routing_context, b.first_address LIMIT 1000 FOR UPDATE SKIP LOCKED),
freed AS (
    UPDATE leases l SET state = 'quarantine', expires_at = coalesce($1::timestamptz, clock_timestamp())
    FROM dead d WHERE l.routing_context = d.routing_context AND l.address BETWEEN d.first_address AND d.last_address
        AND l.node = d.node AND l.epoch = d.epoch AND l.state = 'bound')
UPDATE pool_blocks b SET node = NULL, epoch = NULL, expires_at = NULL
FROM dead d WHERE b.routing_context = d.routing_context AND b.first_address = d.first_address`

	// Leases outside blocks. Only nodes that have been silent for long are looked at.
	reapLeases = `
UPDATE leases l SET state = 'quarantine', expires_at = coalesce($1::timestamptz, clock_timestamp())
WHERE l.node = ANY (ARRAY(SELECT n.name FROM nodes n
        WHERE n.heartbeat_at < coalesce($1::timestamptz, clock_timestamp()) - $2 * interval '1 microsecond'))
    AND l.state = 'bound' AND l.expires_at < coalesce($1::timestamptz, clock_timestamp()) - $2 * interval '1 microsecond'`
)

// reap takes back what dead nodes left. A node that has just come back to the database leaves the others a grace time to
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
	for _, statement := range []string{reapBlocks, reapLeases} {
		err := r.change(ctx, statement, r.stamp(now), grace)
		if err != nil && !transient(err) {
			return err
		}
	}
	return nil
}
