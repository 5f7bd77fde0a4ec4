package postgres

import (
	"context"
	"testing"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign/foreigntest"
)

func TestForeignSessionsAreAStore(t *testing.T) {
	dsn := sharedDSN(t)
	for _, pooled := range []bool{false, true} {
		foreigntest.Run(t, func(t *testing.T) foreigntest.Rig {
			pool := openPool(t, dsn, pooled)
			run(t, pool, "DELETE FROM sessions; DELETE FROM accounting; DELETE FROM nas_orders")
			r := newRecorder(pool, 1)
			return foreigntest.Rig{Store: NewForeignSessions(pool, "n1"), Put: func(record aaa.Record) error {
				return r.Write(context.Background(), []aaa.Record{record})
			}}
		})
	}
}
