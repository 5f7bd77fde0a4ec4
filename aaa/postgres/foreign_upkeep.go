package postgres

import "context"

// ordersKept is how long it can be read what NASes were told.
const ordersKept = "30 days"

// sqlTidyOrders forgets what NASes were told long ago.
const sqlTidyOrders = `DELETE FROM nas_orders WHERE given_at < now() - interval '` + ordersKept + `'`

// tidyForeign does once a day what there is to do for sessions of other NASes.
func tidyForeign(ctx context.Context, db recordDB) error {
	_, err := db.Exec(ctx, sqlTidyOrders)
	return err
}
