package postgres

import "context"

// ordersKept is how long it can be read what NASes were told.
const ordersKept = "30 days"

// sqlTidyOrders forgets what NASes were told long ago.
const sqlTidyOrders = `DELETE FROM nas_orders WHERE given_at < now() - interval '` + ordersKept + `'`

// sqlTidyForeign closes records that are open without a session: what was told late about one whose NAS had begun another by the
// same name. Nothing more comes of them. The epoch leads the plan past those of our own.
const sqlTidyForeign = `
UPDATE accounting a SET stopped_at = greatest(a.started_at, a.updated_at), terminate_cause = 'Lost-Service',
    cause = 'the NAS has given its name to another session'
WHERE a.epoch IS NULL AND a.stopped_at IS NULL AND a.nas IS NOT NULL AND a.updated_at < now() - interval '1 day'
    AND NOT EXISTS (SELECT FROM sessions s WHERE s.id = a.session AND s.started_at = a.started_at)`

// tidyForeign does once a day what there is to do for sessions of other NASes.
func tidyForeign(ctx context.Context, db recordDB) error {
	for _, sql := range []string{sqlTidyOrders, sqlTidyForeign} {
		if _, err := db.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}
