package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// sender is what byIndex needs of a *pgxpool.Pool.
type sender interface {
	SendBatch(context.Context, *pgx.Batch) pgx.BatchResults
}

// byIndexSQL holds for one transaction. A plan is kept for as long as a connection lives, and one that was made while a
// table was small must not read all of it later. Nor is a plan made anew for each number of things that are asked for.
const byIndexSQL = `SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
	set_config('plan_cache_mode', 'force_generic_plan', true)`

// byIndex runs one statement, in a transaction of its own and one round trip, with a plan that enters tables by their
// indexes. read gets its rows; it may be nil.
func byIndex(ctx context.Context, db sender, read func(pgx.Rows) error, sql string, args ...any) error {
	var batch pgx.Batch
	batch.Queue(byIndexSQL)
	statement := batch.Queue(sql, args...)
	if read != nil {
		statement.Query(read)
	}
	return db.SendBatch(ctx, &batch).Close()
}
