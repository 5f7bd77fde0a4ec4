package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/aaa"
	"lnsgate/test/pgtest"
)

// plan is how the database would answer.
func plan(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) string {
	t.Helper()
	rows, err := pool.Query(context.Background(), "EXPLAIN (COSTS OFF) "+sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// accountsForScale is enough that no sane plan reads all of them.
func accountsForScale() int {
	if os.Getenv("LNSGATE_TEST_ALL") == "1" {
		return 1_000_000
	}
	return 20_000
}

func p99(t *testing.T, b *Backend, accounts, logins int) time.Duration {
	t.Helper()
	took := make([]time.Duration, logins)
	for i := range took {
		name := fmt.Sprintf("user%d@sales", 1+rand.IntN(accounts))
		q := queryPAP(name, "password")
		began := time.Now()
		_, err := b.Authenticate(context.Background(), q)
		took[i] = time.Since(began)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

// fill makes accounts up to a number, as a restore would: without a trigger for each.
func fill(t *testing.T, pool *pgxpool.Pool, from, to int) {
	t.Helper()
	for _, sql := range []string{
		`SET session_replication_role = replica`,
		fmt.Sprintf(`INSERT INTO accounts (name, domain) SELECT 'user' || i || '@sales', 'sales' FROM generate_series(%d, %d) i`, from, to),
		fmt.Sprintf(`INSERT INTO credentials (account, kind, value) SELECT 'user' || i || '@sales', 'nt', '\x8846f7eaee8fb117ad06bdd830b7586c' FROM generate_series(%d, %d) i`, from, to),
		`RESET session_replication_role`, `ANALYZE accounts`, `ANALYZE credentials`,
	} {
		run(t, pool, sql)
	}
}

// Neither the time of a login nor the memory of a node depends on the number of accounts.
func TestManyAccounts(t *testing.T) {
	many := accountsForScale()
	cfg, err := pgxpool.ParseConfig(pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	Configure(cfg, false)
	cfg.MaxConns = 1 // for SET
	pool := openConfig(t, cfg)
	run(t, pool, `INSERT INTO domains (name) VALUES ('sales')`)
	fill(t, pool, 1, 1000)
	b := New(pool, Config{})
	p99(t, b, 1000, 200)
	few := p99(t, b, 1000, 2000)
	fill(t, pool, 1001, many)

	var before, after runtime.MemStats
	p99(t, b, many, 2000)
	runtime.GC()
	runtime.ReadMemStats(&before)
	lots := p99(t, b, many, 2000)
	runtime.GC()
	runtime.ReadMemStats(&after)
	grown := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("p99 of a login: %s with 1,000 accounts, %s with %d; 2000 logins left %d octets", few, lots, many, grown)
	if grown > 200_000 {
		t.Errorf("2000 logins left %d octets", grown)
	}

	for what, p := range map[string]string{
		"login":        plan(t, pool, lookupSQL, "user777@sales", "sales"),
		"near misses":  plan(t, pool, nearSQL, []string{"user777"}, "user777"),
		"expired":      plan(t, pool, expiredSQL, time.Now()),
		"unsealed":     plan(t, pool, unsealedSQL, 0, sealBatch),
		"raw NT":       plan(t, pool, `SELECT FROM credentials WHERE kind = 'nt' AND key_id IS NULL AND account = $1`, "x"),
		"who is there": plan(t, pool, `SELECT count(*) FROM counted_sessions WHERE account = $1`, "x"),
	} {
		for _, table := range []string{"accounts", "credentials"} {
			if strings.Contains(p, "Seq Scan on "+table) {
				t.Errorf("%s reads all of %s:\n%s", what, table, p)
			}
		}
		if what == "login" && strings.Count(p, "Index Scan") < 3 {
			t.Errorf("a login does not go by the indexes:\n%s", p)
		}
	}
	if _, err := login(b, aaa.PAP, "USER777@sales", "x"); err == nil || !strings.Contains(err.Error(), `stored as "user777@sales"`) {
		t.Error(err)
	}
}
