package postgres

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

// CloseDead closes up to 1000 sessions of nodes that are dead: those without a heartbeat for the given time, and
// processes that another of the same node replaced that long ago. They end with the last known counters and the cause
// NAS-Reboot, at the last sign of life. A newer record of the session, which the node itself may still deliver, counts
// more. Sessions that other NASes carry live on. CloseDead does nothing while another node is at it. It answers how many records it closed.
func CloseDead(ctx context.Context, db recordDB, after time.Duration) (int64, error) {
	return closeSessions(ctx, db, sqlDead, after)
}

// closeUnknown does the same for nodes that somebody has deleted from the table nodes. It reads all sessions.
func closeUnknown(ctx context.Context, db recordDB, after time.Duration) (int64, error) {
	return closeSessions(ctx, db, sqlUnknown, after)
}

// closeSessions closes those that a query names. The records come first, as they do where a node writes them.
func closeSessions(ctx context.Context, db recordDB, which string, after time.Duration) (closed int64, err error) {
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		var leader bool
		if err := tx.QueryRow(ctx, sqlLeader).Scan(&leader); err != nil || !leader {
			return err
		}
		rows, err := tx.Query(ctx, which, after)
		if err != nil {
			return err
		}
		sessions, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || len(sessions) == 0 {
			return err
		}
		if _, err := tx.Exec(ctx, sqlOnlyLoops); err != nil {
			return err
		}
		done, err := tx.Exec(ctx, sqlCloseSessions, sessions)
		if err != nil {
			return err
		}
		closed = done.RowsAffected()
		_, err = tx.Exec(ctx, sqlForgetSessions, sessions)
		return err
	})
	return closed, err
}

// The lock is that of a transaction, so it also holds behind PgBouncer.
const sqlLeader = `SELECT pg_try_advisory_xact_lock(hashtext('lnsgate close sessions'))`

// nodeDead is true of a node and the epoch of one of its processes. Its parameter is how long a node may be silent.
const nodeDead = `(n.heartbeat_at < now() - $1::interval OR (x.epoch < n.epoch AND n.started_at < now() - $1::interval))`

// Sessions of dead nodes, and of those that are unknown.
const (
	sqlDead = `SELECT x.id FROM nodes n JOIN sessions x ON x.node = n.name AND x.epoch <= n.epoch WHERE x.nas IS NULL AND ` + nodeDead + ` LIMIT 1000`

	sqlUnknown = `SELECT x.id FROM sessions x
WHERE x.nas IS NULL AND x.updated_at < now() - $1::interval AND NOT EXISTS (SELECT FROM nodes n WHERE n.name = x.node) LIMIT 1000`
)

// sqlOnlyLoops holds for one transaction: some sessions are looked for among all records, by the key.
const sqlOnlyLoops = `SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)`

// sqlCloseSessions closes the records of sessions. A row that is just being written is left for the next time. The sequence stays as
// it is: whatever the node says later is newer.
const sqlCloseSessions = `
UPDATE accounting a SET stopped_at = greatest(a.started_at, a.updated_at, d.alive), terminate_cause = 'NAS-Reboot', cause = d.cause
FROM (
    SELECT y.session, y.started_at, CASE WHEN x.epoch = n.epoch THEN n.heartbeat_at END AS alive,
        CASE WHEN n.name IS NULL THEN 'the node was removed' WHEN x.epoch = n.epoch THEN 'the node gave no more sign of life'
            ELSE 'the node started again without closing the session' END AS cause
    FROM sessions x JOIN accounting y ON y.session = x.id AND y.started_at = x.started_at LEFT JOIN nodes n ON n.name = x.node
    WHERE x.id = ANY ($1) AND x.nas IS NULL AND y.stopped_at IS NULL FOR UPDATE OF y SKIP LOCKED
) d WHERE a.session = d.session AND a.started_at = d.started_at`

// sqlForgetSessions forgets those that are closed.
const sqlForgetSessions = `
DELETE FROM sessions x WHERE x.id = ANY ($1) AND x.nas IS NULL
    AND NOT EXISTS (SELECT FROM accounting a WHERE a.session = x.id AND a.started_at = x.started_at AND a.stopped_at IS NULL)`

// sqlCloseOrphans closes the records that are open and have no row in sessions, because somebody deleted it: nobody else would find
// them when their node is dead. One whose node lives stays open, for its next record brings the row back. It reads all records.
const sqlCloseOrphans = `
UPDATE accounting a SET stopped_at = greatest(a.started_at, a.updated_at), terminate_cause = 'NAS-Reboot',
    cause = 'the node is gone, and somebody had deleted the session'
WHERE a.stopped_at IS NULL AND a.nas IS NULL AND a.updated_at < now() - $1::interval
    AND NOT EXISTS (SELECT FROM sessions s WHERE s.id = a.session AND s.started_at = a.started_at)
    AND NOT EXISTS (SELECT FROM nodes n WHERE n.name = a.node AND n.epoch <= a.epoch AND n.heartbeat_at >= now() - $1::interval)`

// closeOrphans closes them, unless another node is at it.
func closeOrphans(ctx context.Context, db recordDB, after time.Duration) (closed int64, err error) {
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		var leader bool
		if err := tx.QueryRow(ctx, sqlLeader).Scan(&leader); err != nil || !leader {
			return err
		}
		done, err := tx.Exec(ctx, sqlCloseOrphans, after)
		closed = done.RowsAffected()
		return err
	})
	return closed, err
}

// MakePartitions makes the partitions of accounting and logins around the current month: of the one before it too, unless logins
// are kept for less than a month, and it would be dropped again. Zero keeps them for ever.
func MakePartitions(ctx context.Context, db recordDB, keepLogins time.Duration) error {
	back := 1
	if keepLogins > 0 && keepLogins < 31*24*time.Hour {
		back = 0
	}
	_, err := db.Exec(ctx, "SELECT make_partitions(2, $1)", back)
	return err
}

// Upkeep is what the nodes do in turn for the records of all: it closes the sessions of dead nodes, makes the
// partitions of coming months, and forgets what other NASes were told long ago. Every node runs one. Zero durations mean the defaults.
type Upkeep struct {
	DB  recordDB
	Log *slog.Logger

	KeepLogins time.Duration // rows of logins; 0: for ever

	Lost  time.Duration // a node without a heartbeat for so long is dead; 5 minutes
	Sweep time.Duration // from one look for dead nodes to the next; 30 s
	Daily time.Duration // from one making of partitions to the next; 24 hours
	Retry time.Duration // after a failure; 10 s
}

// Run works until the context ends, however long the database is away.
func (u Upkeep) Run(ctx context.Context) error {
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{{&u.Lost, 5 * time.Minute}, {&u.Sweep, 30 * time.Second}, {&u.Daily, 24 * time.Hour}, {&u.Retry, 10 * time.Second}} {
		if *d.value <= 0 {
			*d.value = d.standard
		}
	}
	if u.Log == nil {
		u.Log = slog.New(slog.DiscardHandler)
	}
	for duties := u.duties(); ; {
		next := time.Now().Add(u.Daily)
		for _, d := range duties {
			if d.perform(ctx, &u); d.due.Before(next) {
				next = d.due
			}
		}
		if !pause(ctx, time.Until(next)) {
			return nil
		}
	}
}

// duties are what is done from time to time. None waits for another, and one that fails stops no other.
func (u *Upkeep) duties() []*recordDuty {
	return []*recordDuty{
		{name: "make the partitions of coming months", every: u.Daily, do: func(ctx context.Context) error { return MakePartitions(ctx, u.DB, u.KeepLogins) }},
		{name: "drop old months of logins", every: u.Daily, do: u.dropLogins},
		{name: "close the sessions of nodes that somebody has deleted", every: u.Daily, do: func(ctx context.Context) error { return u.untilNone(ctx, closeUnknown) }},
		{name: "close the records of sessions that somebody has deleted", every: u.Daily, do: u.closeOrphans},
		{name: "forget what other NASes were told long ago", every: u.Daily, do: func(ctx context.Context) error { return tidyForeign(ctx, u.DB) }},
		{name: "close the sessions of dead nodes", every: u.Sweep, do: func(ctx context.Context) error { return u.untilNone(ctx, CloseDead) }},
	}
}

func (u *Upkeep) closeOrphans(ctx context.Context) error {
	n, err := closeOrphans(ctx, u.DB, u.Lost)
	if n > 0 {
		u.Log.Warn("closed records whose session had been deleted, and whose node is dead", "records", n)
	}
	return err
}

func (u *Upkeep) untilNone(ctx context.Context, closeSome func(context.Context, recordDB, time.Duration) (int64, error)) error {
	for {
		n, err := closeSome(ctx, u.DB, u.Lost)
		if err != nil || n == 0 {
			return err
		}
		u.Log.Warn("closed the records of sessions whose node is dead", "sessions", n)
	}
}

// recordDuty is something that is done from time to time.
type recordDuty struct {
	name   string
	do     func(context.Context) error
	every  time.Duration
	due    time.Time
	failed bool // the log knows
}

func (d *recordDuty) perform(ctx context.Context, u *Upkeep) {
	if time.Now().Before(d.due) {
		return
	}
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := d.do(limited)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		d.due = time.Now().Add(u.Retry)
		if !d.failed {
			u.Log.Warn("the database does not let this node do its duty; it tries again", "duty", d.name, "cause", err)
		}
		d.failed = true
	default:
		d.due, d.failed = time.Now().Add(d.every), false
	}
}
