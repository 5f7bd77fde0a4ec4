package postgres

import (
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/test/pgtest"
)

// shared is one database for all tests that only write rows: to make one takes longer than most tests do.
var shared struct {
	once    sync.Once
	dsn     string
	user    string // the test that has it
	cleanup []func()
}

// untilTheEnd is a test that ends after all others.
type untilTheEnd struct{ testing.TB }

func (untilTheEnd) Cleanup(f func()) { shared.cleanup = append(shared.cleanup, f) }

// allTests are the tests, and then the end of what they share.
type allTests struct{ m *testing.M }

func (a allTests) Run() int {
	defer func() {
		for _, f := range shared.cleanup {
			f()
		}
	}()
	return a.m.Run()
}

// emptied removes all rows, as if nobody had ever written one.
const emptied = `
DO $$
DECLARE
	t text;
BEGIN
	SET LOCAL session_replication_role = replica;
	FOR t IN SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> 'lnsgate_schema' LOOP
		EXECUTE 'DELETE FROM ' || t;
	END LOOP;
	PERFORM setval(pg_get_serial_sequence('accounts', 'id'), 1, false);
END $$`

// sharedDSN is the address of the shared database, without any row. A test that changes the schema, or what belongs to the
// whole server, needs one of its own.
func sharedDSN(t testing.TB) string {
	t.Helper()
	shared.once.Do(func() { shared.dsn = pgtest.DSN(untilTheEnd{t}) })
	if shared.user != "" {
		t.Fatalf("%s has the shared database", shared.user)
	}
	shared.user = t.Name()
	t.Cleanup(func() { shared.user = "" })
	pool := openPool(t, shared.dsn, false)
	run(t, pool, emptied)
	pool.Close()
	return shared.dsn
}

// sharedPool connects to the shared database as superuser.
func sharedPool(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return openPool(t, sharedDSN(t), false)
}
