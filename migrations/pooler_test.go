package migrations_test

import (
	"context"
	"sync"
	"testing"

	"lnsgate/migrations"
	"lnsgate/test/pgtest"
)

// Nodes whose address leads through PgBouncer in transaction mode migrate at once.
func TestNodesMigrateThroughPgBouncer(t *testing.T) {
	t.Parallel()
	dsn, db := empty(t)
	through := pgtest.Pooler(t, dsn)
	var nodes sync.WaitGroup
	for range 3 {
		nodes.Go(func() {
			if _, err := migrate(through); err != nil {
				t.Error(err)
			}
		})
	}
	nodes.Wait()
	if err := migrations.Check(context.Background(), db); err != nil {
		t.Error(err)
	}
	db.is("0", "SELECT count(*) FROM (SELECT version_id FROM lnsgate_schema GROUP BY 1 HAVING count(*) > 1) twice")
}
