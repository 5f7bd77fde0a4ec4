package migrations_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/migrations"
	"lnsgate/test/pgtest"
)

// migrator makes this test binary a process that migrates the database of that address.
const migrator = "LNSGATE_MIGRATIONS_TEST_DSN"

func migrate(dsn string) ([]migrations.Migration, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	return migrations.Migrate(context.Background(), cfg, slog.New(slog.DiscardHandler))
}

// empty is a database without a schema.
func empty(t *testing.T) (string, database) {
	t.Helper()
	dsn := pgtest.Empty(t)
	return dsn, connect(t, dsn)
}

func connect(t *testing.T, dsn string) database {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return database{t, pool}
}

func TestMigrateFromNothingAndAgain(t *testing.T) {
	dsn, db := empty(t)
	before, err := migrations.Read(context.Background(), db)
	if err != nil || before.Current != 0 || len(before.Pending()) != len(before.Migrations) || before.Latest != before.Migrations[len(before.Migrations)-1].Version {
		t.Errorf("an empty database: %+v, %v", before, err)
	}
	if err := migrations.Check(context.Background(), db); !errors.Is(err, migrations.ErrOlder) {
		t.Errorf("an empty database: %v, want ErrOlder", err)
	}
	db.is("0", "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
	done, err := migrate(dsn)
	if err != nil || len(done) != len(before.Migrations) {
		t.Fatalf("applied %v, %v", done, err)
	}
	after, err := migrations.Read(context.Background(), db)
	if err != nil || after.Current != after.Latest || len(after.Pending()) != 0 || after.Migrations[0].AppliedAt.IsZero() {
		t.Errorf("a migrated database: %+v, %v", after, err)
	}
	if err := migrations.Check(context.Background(), db); err != nil {
		t.Error(err)
	}
	if done, err := migrate(dsn); err != nil || len(done) != 0 {
		t.Errorf("a second time: applied %v, %v", done, err)
	}
}

func TestManyMigrateAtOnce(t *testing.T) {
	dsn, _ := empty(t)
	var wg sync.WaitGroup
	applied := make([]int, 5)
	for i := range applied {
		wg.Go(func() {
			done, err := migrate(dsn)
			applied[i] = len(done)
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	busy, all := 0, 0
	for _, n := range applied {
		all += n
		if n > 0 {
			busy++
		}
	}
	if busy != 1 || all != len(files(t)) {
		t.Errorf("applied %v: one should do all", applied)
	}
}

// Two nodes are two processes.
func TestProcessesMigrateAtOnce(t *testing.T) {
	if dsn := os.Getenv(migrator); dsn != "" {
		if _, err := migrate(dsn); err != nil {
			t.Fatal(err)
		}
		return
	}
	dsn, db := empty(t)
	var nodes []*exec.Cmd
	for range 3 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestProcessesMigrateAtOnce$")
		cmd.Env, cmd.Stderr = append(os.Environ(), migrator+"="+dsn), os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, cmd)
	}
	for _, cmd := range nodes {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	if err := migrations.Check(context.Background(), db); err != nil {
		t.Error(err)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	dsn := pgtest.DSN(t)
	db := connect(t, dsn)
	db.do("INSERT INTO lnsgate_schema(version_id, is_applied) VALUES (9000, true)")
	if _, err := migrate(dsn); !errors.Is(err, migrations.ErrNewer) {
		t.Errorf("Migrate: %v, want ErrNewer", err)
	}
	if err := migrations.Check(context.Background(), db); !errors.Is(err, migrations.ErrNewer) || !strings.Contains(err.Error(), "9000") {
		t.Errorf("Check: %v, want ErrNewer and the version", err)
	}
}

func TestFailureNamesTheFileAndLeavesNothingOfIt(t *testing.T) {
	dsn, db := empty(t)
	db.do("CREATE TABLE accounts(x int)")
	done, err := migrate(dsn)
	if err == nil || !strings.Contains(err.Error(), "00003_accounts") || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("applied %v, %v", done, err)
	}
	db.is("f", "SELECT to_regclass('profiles') IS NOT NULL")
	db.do("DROP TABLE accounts")
	if done, err := migrate(dsn); err != nil || len(done) != len(files(t))-2 {
		t.Errorf("after the repair: %v, %v", done, err)
	}
}

func TestUnreachableServerIsSaid(t *testing.T) {
	if _, err := migrate("host=/nonexistent user=x dbname=x"); err == nil || !strings.Contains(err.Error(), "connect") {
		t.Error(err)
	}
}

// An ordinary owner of a database, neither superuser nor allowed to make roles, can migrate it and use it. A server of
// its own, because roles belong to the whole server.
func TestOwnerWithoutRightsMigrates(t *testing.T) {
	t.Parallel()
	server := pgtest.Cluster(t, "fsync=off")
	admin := connect(t, server.DSN("postgres"))
	admin.do("CREATE ROLE owner LOGIN")
	admin.do("CREATE DATABASE own OWNER owner")
	dsn := pgtest.As(t, server.DSN("own"), "owner")
	if _, err := migrate(dsn); err != nil {
		t.Fatal(err)
	}
	own := connect(t, dsn)
	own.do(sales)
	own.is("owner", "SELECT DISTINCT actor FROM audit")
	own.is("0", "SELECT make_partitions()")
	own.is("{}", "SELECT grant_roles()")
	admin.do("CREATE ROLE lnsgate_reader")
	own.is("{lnsgate_reader}", "SELECT grant_roles()")
}

// What pg_dump writes can be read back: nothing in the schema depends on a search path.
func TestDumpCanBeRestored(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	source := connect(t, dsn)
	source.do(sales + `INSERT INTO static_addresses(account, address) VALUES ('alice@sales.example', '10.20.0.7');
		INSERT INTO accounting(session, started_at, node, name, account) VALUES ('s', now(), 'n', 'a', 'a');
		INSERT INTO pool_blocks(routing_context, pool, first_address, last_address) VALUES ('default', 'p', '10.0.0.0', '10.0.0.1')`)
	dump, err := exec.Command(pgtest.Program(t, "pg_dump"), dsn).Output()
	if err != nil {
		t.Fatal(err)
	}
	target, copied := empty(t)
	restore := exec.Command(pgtest.Program(t, "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", target)
	restore.Stdin = strings.NewReader(string(dump))
	if out, err := restore.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	copied.is("10.20.0.1|sales.example", "SELECT r.first_address, a.domain FROM pool_ranges r, accounts a")
	copied.refused(overlap, "pool_ranges_overlap", "INSERT INTO pool_ranges(pool, range) VALUES ('sales', '10.20.0.0/25')")
	if err := migrations.Check(context.Background(), copied); err != nil {
		t.Error(err)
	}
}

func TestEverythingHasAComment(t *testing.T) {
	db := open(t)
	const ours = `n.nspname IN ('public', 'freeradius') AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.objid = %s AND e.deptype = 'e')`
	db.is("", `SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'v') AND c.relname <> 'lnsgate_schema' AND obj_description(c.oid, 'pg_class') IS NULL AND `+strings.ReplaceAll(ours, "%s", "c.oid"))
	db.is("", `SELECT c.oid::regclass || '.' || a.attname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition AND c.relname <> 'lnsgate_schema' AND n.nspname = 'public'
		AND col_description(c.oid, a.attnum) IS NULL AND `+strings.ReplaceAll(ours, "%s", "c.oid"))
	db.is("", `SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
		WHERE obj_description(p.oid, 'pg_proc') IS NULL AND p.proname NOT LIKE 'addr\_%' AND `+strings.ReplaceAll(ours, "%s", "p.oid"))
}

func files(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("sql")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}
