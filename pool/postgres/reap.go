package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// Blocks whose owner has been silent for longer than the grace time. What is held in them stays so until its own time
	// is over: it now stands in the rows, and whoever gets the block leaves them alone. An owner that somebody deleted
	// comes back as one that is silent, so that the leases find an end.
	reapBlocks = `
WITH dead AS (
    SELECT b.routing_context, b.first_address, b.last_address, b.node, b.epoch, b.expires_at FROM pool_blocks b
    WHERE b.expires_at < $1::timestamptz - $2 * interval '1 microsecond'
        AND b.node <> $3
    ORDER BY b.routing_context, b.first_address LIMIT 1000 FOR UPDATE SKIP LOCKED),
ending AS (
    UPDATE leases l SET expires_at = d.expires_at + $4 * interval '1 microsecond'
    FROM dead d CROSS JOIN LATERAL (SELECT f.ctid FROM leases f
        WHERE f.routing_context = d.routing_context AND f.address BETWEEN d.first_address AND d.last_address
        ORDER BY f.routing_context, f.address LIMIT 1000000000) f
    WHERE l.ctid = f.ctid AND l.node = d.node AND l.epoch = d.epoch AND l.state <> 'quarantine' AND l.expires_at IS NULL),
missing AS (
    INSERT INTO nodes (name, epoch, started_at, heartbeat_at)
    SELECT d.node, max(d.epoch), min(d.expires_at), min(d.expires_at) FROM dead d GROUP BY d.node ON CONFLICT (name) DO NOTHING)
UPDATE pool_blocks b SET node = NULL, epoch = NULL, expires_at = NULL
FROM dead d WHERE b.routing_context = d.routing_context AND b.first_address = d.first_address`

	// Leases whose own time is over. Those that belong to no process are swept elsewhere. Of the rest, only nodes that have been silent for long are looked at, and those that somebody
	// deleted: whoever holds leases is found by one step through the index for each node.
	reapLeases = `
WITH RECURSIVE holding AS (
    (SELECT l.node FROM leases l WHERE l.state = 'bound' ORDER BY l.node, l.epoch LIMIT 1)
    UNION ALL
    SELECT (SELECT l.node FROM leases l WHERE l.state = 'bound' AND l.node > h.node ORDER BY l.node, l.epoch LIMIT 1)
    FROM holding h WHERE h.node IS NOT NULL)
UPDATE leases l SET state = 'quarantine', expires_at = $1::timestamptz
WHERE l.node = ANY (ARRAY(SELECT h.node FROM holding h WHERE h.node <> $3 AND h.node <> '' AND NOT EXISTS (
        SELECT FROM nodes n WHERE n.name = h.node
            AND n.heartbeat_at >= $1::timestamptz - $2 * interval '1 microsecond')))
    AND l.state = 'bound' AND l.expires_at < $1::timestamptz - $2 * interval '1 microsecond'`
)

// reap takes back what dead nodes left, by the database's clock as our last sign of life read it: should it leap ahead in
// between, nothing has expired yet. This node is alive, also when it has just woken from a long sleep. A node that has just
// come back to the database, or found that the database's clock has leapt, leaves the others a grace time to do so too: all
// blocks have expired, and their owners are alive.
func (r *runner) reap(ctx context.Context) error {
	if !r.settled() {
		return nil
	}
	grace := r.cfg.Grace.Microseconds()
	rest := (r.cfg.LeaseLife - r.cfg.BlockLife).Microseconds()
	if err := r.change(ctx, reapBlocks, r.clock, grace, r.cfg.Node, rest); err != nil && !transient(err) {
		return err
	}
	if err := r.change(ctx, reapLeases, r.clock, grace, r.cfg.Node); err != nil && !transient(err) {
		return err
	}
	return nil
}

// settled says that the grace time is over which others have after the database came back.
func (r *runner) settled() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.now().Before(r.attached.Add(r.cfg.Grace))
}

// sign says that we are alive, and answers the database's clock.
func (r *runner) sign(ctx context.Context, db querier, now time.Time) (at time.Time, err error) {
	err = db.QueryRow(ctx, beat, r.cfg.Node, r.epoch, r.stamp(now)).Scan(&at)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrSuperseded
	}
	return at, err
}

// leapt reports whether more time has passed for the database than for us since the last sign: its clock was set, or this
// machine was suspended and does not know. Then our blocks may have expired there. An exchange takes no longer than
// Config.Timeout, so that much is no leap.
func (r *runner) leapt(now, at time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ours, theirs := !r.clock.IsZero(), now.Sub(r.signed), at.Sub(r.clock)
	r.signed, r.clock, r.heard = now, at, r.now()
	if !known || theirs-ours <= max(r.cfg.Grace/2, r.cfg.Timeout) {
		return false
	}
	r.attached = now
	r.cfg.Log.Warn("pools: the database's clock has moved ahead of ours: it was set, or this machine was suspended; blocks of other nodes are left alone for a while",
		"by", theirs-ours, "for", r.cfg.Grace)
	return true
}
