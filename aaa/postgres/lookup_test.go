package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/test/pgtest"
)

// varied makes accounts that differ in all that a look-up reads.
func varied(t *testing.T, pool *pgxpool.Pool) []*question {
	t.Helper()
	for _, sql := range []string{
		`INSERT INTO pools (name) VALUES ('p1'), ('p2')`,
		`INSERT INTO pool_ranges (pool, range) VALUES ('p1', '10.1.0.0/24'), ('p2', '10.2.0.0/24')`,
		`INSERT INTO domains (name, methods) VALUES ('sales', '{chap}'), ('lab', '{}')`,
		`INSERT INTO profiles (name, max_sessions, pools, idle_timeout, routes) VALUES ('few', 2, '{p1}', '5 minutes', '{192.168.9.0/24}')`,
		`INSERT INTO accounts (name, password, profile) VALUES ('a@sales', 'x', 'few')`,
		`INSERT INTO accounts (name, pools, dns, session_timeout, mtu, rate_up, filter, routes) VALUES ('b@lab', '{p2,p1}', '{10.0.0.1,10.0.0.2}', '0 s', 1400, 8000, 'web', '{192.168.50.0/24,10.8.0.0/16}')`,
		`INSERT INTO accounts (name, disabled, valid_until) VALUES ('c', true, now() - interval '1 day')`,
		`INSERT INTO credentials (account, kind, value, key_id) VALUES ('b@lab', 'nt', '\x8846f7eaee8fb117ad06bdd830b7586c', NULL), ('b@lab', 'sealed', '\x62', 'k1')`,
		`INSERT INTO static_addresses (account, address) VALUES ('b@lab', '10.2.0.9')`,
	} {
		run(t, pool, sql)
	}
	var asked []*question
	for _, name := range []string{"a@sales", "b@lab", "nobody", "c", "b@lab", "", "B@lab", "a@sales"} {
		for _, domain := range []string{"sales", "lab", "elsewhere"} {
			asked = append(asked, &question{typed: name, domain: domain})
		}
	}
	return asked
}

// TestManyLookUpsAnswerAsOneDoes asks for the same names one by one and together.
func TestManyLookUpsAnswerAsOneDoes(t *testing.T) {
	dsn := sharedDSN(t)
	asked := varied(t, openPool(t, dsn, false))
	for _, pooled := range []bool{false, true} {
		b := New(openPool(t, dsn, pooled), Config{})
		var alone []account
		for _, q := range asked {
			one := &question{typed: q.typed, domain: q.domain}
			if err := b.answer(context.Background(), []*question{one}); err != nil {
				t.Fatal(err)
			}
			alone = append(alone, one.found)
		}
		if err := b.answer(context.Background(), asked); err != nil {
			t.Fatal(err)
		}
		for i, q := range asked {
			q.found.now, alone[i].now = time.Time{}, time.Time{}
			if got, want := fmt.Sprintf("%+v", q.found), fmt.Sprintf("%+v", alone[i]); got != want {
				t.Errorf("%q in %q:\n got %s\nwant %s", q.typed, q.domain, got, want)
			}
		}
		if first := alone[0]; !first.known() || first.grant.MaxSessions != 2 || !slices.Equal(first.methods, []string{"chap"}) {
			t.Errorf("%+v", first)
		}
	}
}

// TestLoginsAtOnce has many log in at the same time, some of whom must not, and some of whom give up.
func TestLoginsAtOnce(t *testing.T) {
	pool := sharedPool(t)
	run(t, pool, `INSERT INTO accounts (name, password) SELECT 'user' || i, 'password' || i FROM generate_series(1, 100) i`)
	b := New(pool, Config{})
	var wg sync.WaitGroup
	for i := 1; i <= 200; i++ {
		wg.Go(func() {
			name := fmt.Sprint("user", i)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if i%10 == 0 {
				cancel()
			}
			grant, err := b.Authenticate(ctx, aaatest.NewQuery(name, aaatest.NewProof(aaa.CHAP, name, fmt.Sprint("password", i))))
			switch want := causeOf(err); {
			case i%10 == 0:
				if want != aaa.Timeout || !errors.Is(err, context.Canceled) {
					t.Errorf("%s, which gave up: %v", name, err)
				}
			case i > 100:
				if want != aaa.UnknownUser {
					t.Errorf("%s: %v", name, err)
				}
			case err != nil || grant.Account != name:
				t.Errorf("%s: %q, %v", name, grant.Account, err)
			}
		})
	}
	wg.Wait()
}

// TestNameThatTheDatabaseRefusesHarmsNobody: a domain that is no text cannot be asked for.
func TestNameThatTheDatabaseRefusesHarmsNobody(t *testing.T) {
	pool := sharedPool(t)
	run(t, pool, `INSERT INTO accounts (name, password) VALUES ('alice', 'x')`)
	b := New(pool, Config{})
	good := &caller[question]{&question{typed: "alice"}, make(chan error, 1)}
	bad := &caller[question]{&question{typed: "alice", domain: "\xff"}, make(chan error, 1)}
	b.lookups.perform([]*caller[question]{bad, good})
	if err := <-good.done; err != nil || !good.thing.found.known() {
		t.Error(err)
	}
	if err := <-bad.done; !refused(err) {
		t.Error(err)
	}
}

// onlyConnection is a pool with one connection, which keeps its plans and its figures.
func onlyConnection(t *testing.T) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	Configure(cfg, false)
	cfg.MaxConns = 1
	return openConfig(t, cfg)
}

// readInFull is how many rows of a table were read without an index since the server knows it.
func readInFull(t *testing.T, pool *pgxpool.Pool, tables ...string) int {
	t.Helper()
	run(t, pool, `SELECT pg_stat_force_next_flush()`)
	return one[int](t, pool, `SELECT coalesce(sum(seq_tup_read), 0)::int FROM pg_stat_user_tables WHERE relname = ANY ($1)`, tables)
}

// TestPlansOfSmallTablesAreGoodForLargeOnes: plans are made for tables without a row, which then grow.
func TestPlansOfSmallTablesAreGoodForLargeOnes(t *testing.T) {
	pool := onlyConnection(t)
	run(t, pool, `INSERT INTO domains (name) VALUES ('sales')`)
	b, r := New(pool, Config{}), newRecorder(pool, 1)
	work := func() {
		for range 10 {
			if err := b.answer(context.Background(), []*question{{typed: "user1@sales", domain: "sales"}, {typed: "user2@sales", domain: "sales"}}); err != nil {
				t.Fatal(err)
			}
			write(t, r, newRecord(aaa.RecordStart, "a", 1), newRecord(aaa.RecordStop, "b", 2))
			write(t, r, newRecord(aaa.RecordStop, "a", 2))
		}
	}
	run(t, pool, `ANALYZE`)
	work()
	run(t, pool, `SET session_replication_role = replica`)
	run(t, pool, `INSERT INTO accounts (name, domain) SELECT 'user' || i || '@sales', 'sales' FROM generate_series(1, 3000) i`)
	run(t, pool, `INSERT INTO credentials (account, kind, value) SELECT 'user' || i || '@sales', 'nt', '\x8846f7eaee8fb117ad06bdd830b7586c' FROM generate_series(1, 3000) i`)
	run(t, pool, `INSERT INTO sessions (id, node, epoch, name, account) SELECT 's' || i, 'n1', 1, 'x', 'x' FROM generate_series(1, 3000) i`)
	tables := []string{"accounts", "credentials", "domains", "profiles", "sessions", "static_addresses"}
	before := readInFull(t, pool, tables...)
	work()
	if n := readInFull(t, pool, tables...) - before; n != 0 {
		t.Errorf("%d rows were read without an index\n%s", n, plan(t, pool, strings.NewReplacer("$1", "'{a,b}'", "$2", "'{a,b}'").Replace(lookupManySQL)))
	}
	if n := one[int](t, pool, `SELECT count(*) FROM sessions`); n != 3000 {
		t.Errorf("%d sessions", n)
	}
}
