package postgres

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// heard collects what a watcher tells.
type heard struct {
	mu      sync.Mutex
	bursts  [][]Change
	at      []time.Time
	changes []Change
}

func (h *heard) hear(c []Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bursts, h.at, h.changes = append(h.bursts, c), append(h.at, time.Now()), append(h.changes, c...)
}

func (h *heard) has(c Change) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Contains(h.changes, c)
}

func (h *heard) clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bursts, h.at, h.changes = nil, nil, nil
}

// watch starts a watcher and waits until it listens.
func watch(t *testing.T, dsn string, node *Node) *heard {
	t.Helper()
	h := &heard{}
	background(t, NewWatcher(WatcherConfig{Connect: connectConfig(t, dsn), Node: node, Changed: h.hear, Log: quiet}).Run)
	until(t, "the watcher listens", 10*time.Second, func() bool { return h.has(Change{All: true}) })
	h.clear()
	return h
}

func TestEveryChangeIsTold(t *testing.T) {
	dsn := sharedDSN(t)
	pool := openPool(t, dsn, false)
	h := watch(t, dsn, nil)
	for _, test := range []struct {
		sql  string
		want []Change
	}{
		{`INSERT INTO domains (name) VALUES ('sales')`, []Change{{Domains, Inserted, "sales", false, ""}}},
		{`INSERT INTO domain_aliases (alias, domain) VALUES ('vertrieb', 'sales')`, []Change{{DomainAliases, Inserted, "sales", false, ""}}},
		{`INSERT INTO pools (name) VALUES ('p1')`, []Change{{Pools, Inserted, "p1", false, ""}}},
		{`INSERT INTO pool_ranges (pool, range) VALUES ('p1', '10.0.0.0/24')`, []Change{{PoolRanges, Inserted, "p1", false, ""}}},
		{`INSERT INTO domain_pools (domain, pool) VALUES ('sales', 'p1')`, []Change{{DomainPools, Inserted, "sales", false, ""}}},
		{`INSERT INTO profiles (name) VALUES ('gold')`, []Change{{Profiles, Inserted, "gold", false, ""}}},
		{`INSERT INTO accounts (name, password) VALUES ('bob@sales', 'x')`, []Change{{Accounts, Inserted, "bob@sales", false, ""}}},
		{`UPDATE accounts SET disabled = true`, []Change{{Accounts, Updated, "bob@sales", false, ""}}},
		{`INSERT INTO static_addresses (account, address) VALUES ('bob@sales', '10.0.0.7')`, []Change{{StaticAddresses, Inserted, "bob@sales", false, ""}}},
		{`INSERT INTO credentials (account, kind, value) VALUES ('bob@sales', 'crypt', 'x')`, []Change{{Credentials, Inserted, "bob@sales", false, ""}}},
		{`UPDATE accounts SET name = 'rob@sales'`, []Change{{Accounts, Updated, "bob@sales", false, ""}, {Accounts, Updated, "rob@sales", false, ""}}},
		{`DELETE FROM accounts`, []Change{{Accounts, Deleted, "rob@sales", false, ""}, {Credentials, Deleted, "rob@sales", false, ""}}},
		{`INSERT INTO accounts (name) SELECT 'u' || i FROM generate_series(1, 101) i`, []Change{{Accounts, Inserted, "", true, ""}}},
		{`TRUNCATE static_addresses`, []Change{{StaticAddresses, Deleted, "", true, ""}}},
		{`INSERT INTO nas (name, source, secret) VALUES ('r1', '192.0.2.1', 'geheim-1234')`, []Change{{NASes, Inserted, "r1", false, ""}}},
		{`DELETE FROM nas`, []Change{{NASes, Deleted, "r1", false, ""}}},
		{`INSERT INTO sessions (id, node, epoch, name, account) VALUES ('s1', 'n1', 1, 'bob', 'bob')`, nil},
		{`SELECT end_session('s1', 'because')`, []Change{{Sessions, Ended, "s1", false, "because"}}},
		{`SELECT pg_notify('lnsgate', 'what is this')`, []Change{{All: true}}},
		{`SELECT pg_notify('lnsgate', '{"table": "of the future", "op": "insert", "key": "x"}')`, []Change{{All: true}}},
	} {
		h.clear()
		run(t, pool, test.sql)
		for _, want := range test.want {
			until(t, fmt.Sprintf("%s tells %+v", test.sql, want), 5*time.Second, func() bool { return h.has(want) })
		}
	}
}

func TestAChangeIsToldWithinAMoment(t *testing.T) {
	dsn := sharedDSN(t)
	pool := openPool(t, dsn, false)
	run(t, pool, `INSERT INTO accounts (name) VALUES ('bob')`)
	h := watch(t, dsn, nil)
	var took []time.Duration
	for i := range 20 {
		h.clear()
		run(t, pool, `UPDATE accounts SET mtu = $1`, 1000+i)
		committed := time.Now()
		until(t, "the change is told", time.Second, func() bool { return h.has(Change{Accounts, Updated, "bob", false, ""}) })
		took = append(took, h.at[0].Sub(committed))
	}
	slices.Sort(took)
	t.Logf("told after %s in the median, %s at most", took[len(took)/2], took[len(took)-1])
	if median := took[len(took)/2]; median > 100*time.Millisecond {
		t.Errorf("the median is %s", median)
	}
}

func TestABurstIsFolded(t *testing.T) {
	dsn := sharedDSN(t)
	pool := openPool(t, dsn, false)
	run(t, pool, `INSERT INTO accounts (name) SELECT 'u' || i FROM generate_series(1, 300) i`)
	h := watch(t, dsn, nil)
	run(t, pool, `DO $$ BEGIN FOR i IN 1..300 LOOP
		UPDATE accounts SET mtu = 1000 WHERE name = 'u' || i; UPDATE accounts SET mtu = 1001 WHERE name = 'u' || i; END LOOP; END $$`)
	until(t, "the last is told", 5*time.Second, func() bool { return h.has(Change{Accounts, Updated, "u300", false, ""}) })
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.changes) != 300 || len(h.bursts) > 50 {
		t.Errorf("%d changes in %d bursts", len(h.changes), len(h.bursts))
	}
}

func TestCoalesce(t *testing.T) {
	many := make([]Change, maxBurst+1)
	for i := range many {
		many[i] = Change{Table: Accounts, Op: Updated, Key: fmt.Sprint(i)}
	}
	end := Change{Table: Sessions, Op: Ended, Key: "s1", Cause: "x"}
	for name, test := range map[string]struct{ burst, want []Change }{
		"nothing": {nil, nil},
		"the last of an object counts": {
			[]Change{{Table: Accounts, Op: Inserted, Key: "a"}, {Table: Domains, Op: Updated, Key: "a"}, {Table: Accounts, Op: Deleted, Key: "a"}},
			[]Change{{Table: Accounts, Op: Deleted, Key: "a"}, {Table: Domains, Op: Updated, Key: "a"}}},
		"all of a table": {
			[]Change{{Table: Accounts, Op: Updated, Key: "a"}, {Table: Accounts, Op: Updated, All: true}, end},
			[]Change{{Table: Accounts, Op: Updated, All: true}, end}},
		"all of everything": {[]Change{{Table: Accounts, Op: Updated, Key: "a"}, {All: true}, end}, []Change{{All: true}, end}},
		"too many":          {append(slices.Clone(many), end), []Change{{Table: Accounts, Op: Updated, All: true}, end}},
	} {
		if got := coalesce(test.burst); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v", name, got[:min(3, len(got))])
		}
	}
}

func TestAnExpiredAccountIsTold(t *testing.T) {
	dsn := sharedDSN(t)
	pool := openPool(t, dsn, false)
	h := watch(t, dsn, nil)
	run(t, pool, `INSERT INTO accounts (name, valid_until) VALUES ('bob', now() + interval '0.5 s'), ('later', now() + interval '1 h'), ('before', now() - interval '1 h')`)
	until(t, "the time is over", 10*time.Second, func() bool { return h.has(Change{Accounts, Expired, "bob", false, ""}) })
	for _, other := range []string{"later", "before"} {
		if h.has(Change{Accounts, Expired, other, false, ""}) {
			t.Errorf("%s is told", other)
		}
	}
}

// After a lost connection anything may have changed, and the sessions that were to end meanwhile still have to.
func TestALostConnectionMeansThatAnythingMayHaveChanged(t *testing.T) {
	dsn := sharedDSN(t)
	pool := openPool(t, dsn, false)
	node := NewNode(pool, NodeConfig{Name: "n1", Log: quiet})
	if err := node.Join(context.Background()); err != nil {
		t.Fatal(err)
	}
	h := watch(t, dsn, node)
	run(t, pool, `INSERT INTO session_slots (session, node, epoch, account, domain, name, since, ending) VALUES
		('mine', 'n1', 1, 'a', '', 'a', now(), 'replaced'), ('lives', 'n1', 1, 'a', '', 'a', now(), NULL), ('other', 'n2', 1, 'a', '', 'a', now(), 'replaced')`)
	hangUpListeners(t, pool)
	until(t, "it listens again", 5*time.Second, func() bool { return h.has(Change{All: true}) })
	if !h.has(Change{Sessions, Ended, "mine", false, "replaced"}) || strings.Contains(fmt.Sprint(h.changes), "lives") || strings.Contains(fmt.Sprint(h.changes), "other") {
		t.Errorf("%+v", h.changes)
	}
	run(t, pool, `INSERT INTO domains (name) VALUES ('after')`)
	until(t, "it hears", 5*time.Second, func() bool { return h.has(Change{Domains, Inserted, "after", false, ""}) })
}

func hangUpListeners(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	if n := one[int](t, pool, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()`, listener); n == 0 {
		t.Fatal("nobody listens")
	}
}

func TestEveryTableAndOpHasAName(t *testing.T) {
	for table := range tables {
		if table := Table(table); strings.HasPrefix(table.String(), "table ") || table.String() == "" {
			t.Errorf("table %d", table)
		}
	}
	for op := Unknown; op <= Expired; op++ {
		if strings.HasPrefix(op.String(), "op ") || op.String() == "" {
			t.Errorf("op %d", op)
		}
	}
	if Table(99).String() != "table 99" || Op(99).String() != "op 99" {
		t.Error("an unknown one has no words")
	}
}

func FuzzParseChange(f *testing.F) {
	f.Add(`{"table":"accounts","op":"update","key":"a"}`)
	f.Add(`{"table":"accounts","op":"update","all":true}`)
	f.Fuzz(func(t *testing.T, payload string) {
		if c := parseChange(payload); c.Key == "" && !c.All {
			t.Errorf("%q: %+v is about nothing", payload, c)
		}
	})
}
