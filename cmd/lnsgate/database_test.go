package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	sqlaccounts "lnsgate/aaa/postgres"
	"lnsgate/configs"
	"lnsgate/lns"
	"lnsgate/pool"
	"lnsgate/test/pgtest"
)

// told is a log that a test can read.
type told struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *told) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *told) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

// shop is a database with one department, and a node that works with it.
type shop struct {
	*testing.T
	db  *database
	log *told
}

const shopSQL = `INSERT INTO pools (name) VALUES ('sales'); INSERT INTO pool_ranges (pool, range) VALUES ('sales', '10.20.0.0/24');
	INSERT INTO domains (name) VALUES ('sales'); INSERT INTO domain_pools (domain, pool) VALUES ('sales', 'sales');
	INSERT INTO accounts (name, password) VALUES ('anna@sales', 'geheim')`

// openShop starts what a node runs for its database. section is the rest of the section database.
func openShop(t *testing.T, dsn, section string) *shop {
	t.Helper()
	folder := t.TempDir()
	text := fmt.Sprintf("node: n1\nstate_dir: %s\nvirtual_templates: [{name: vt1, address: 10.10.0.1/32}]\nl2tp_groups: [{name: default, virtual_template: vt1}]\n"+
		"database: {url: \"%s\", %s}\n", folder, dsn, section)
	c, _, err := configs.Parse([]byte(text), "x.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{T: t, log: &told{}}
	if s.db, err = openDatabase(c, slog.New(slog.NewTextHandler(s.log, nil))); err != nil {
		t.Fatal(err)
	}
	s.db.start()
	s.db.settle(t.Context())
	t.Cleanup(func() {
		if err := s.db.close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(s.log.text.String())
		}
	})
	return s
}

// soon waits until something is so.
func (s *shop) soon(what string, most time.Duration, ok func() bool) time.Duration {
	s.Helper()
	began := time.Now()
	deadline := time.After(most)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			s.Fatalf("%s: not within %s", what, most)
		case <-tick.C:
		}
	}
	return time.Since(began)
}

// visit is what one session asks of the database, from the login to the last record.
func (s *shop) visit(session string) error {
	ctx, cancel := context.WithTimeout(s.Context(), 5*time.Second)
	defer cancel()
	grant, err := s.db.backend.Authenticate(ctx, aaatest.NewQuery("anna@sales", aaatest.NewProof(aaa.MSCHAPv2, "anna@sales", "geheim")))
	if err != nil {
		return err
	}
	entry := aaa.Entry{Session: session, Name: "anna@sales", Account: grant.Account, Domain: "sales", Since: time.Now(), AccountLimit: 100,
		Peer: netip.MustParseAddrPort("192.0.2.9:1701")}
	if err := s.db.registry.Enter(ctx, entry); err != nil {
		return err
	}
	lease, err := s.db.leases.Allocate(ctx, pool.Request{Pools: []string{"sales"}, Account: grant.Account, Holder: session})
	if err != nil {
		return err
	}
	record := aaa.Record{Kind: aaa.RecordStart, Session: session, Node: "n1", At: time.Now(), Sequence: 1, Started: time.Now(), Name: "anna@sales",
		Account: grant.Account, Domain: "sales", Address: lease.Address, Pool: "sales", Peer: entry.Peer}
	s.db.spool.Account(record)
	record.Kind, record.Sequence, record.RxOctets, record.TxOctets, record.Terminate = aaa.RecordStop, 2, 1000, 5<<32, aaa.TerminateUserRequest
	s.db.spool.Account(record)
	s.db.attempts.Log(aaa.Attempt{At: time.Now(), Session: session, Node: "n1", Name: "anna@sales", OK: true, Phase: "open"})
	return s.db.registry.Leave(ctx, session)
}

// changed empties the box of changes and reports whether this one was in it.
func (s *shop) changed(key string) bool {
	return slices.ContainsFunc(s.db.changes.take(), func(c sqlaccounts.Change) bool { return c.Key == key })
}

// Behind PgBouncer in transaction mode all of a node works: every transaction of it is on another connection to the server.
func TestANodeBehindPgBouncer(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	admin := adminPool(t, dsn)
	execute(t, admin, shopSQL)
	keys := filepath.Join(t.TempDir(), "keys")
	if out, err := lnsgate(t, "db", "rotate-key", "--prepare", "--key-file", keys); err != nil {
		t.Fatal(out, err)
	}
	s := openShop(t, pgtest.Pooler(t, dsn), fmt.Sprintf(`listen_url: "%s", prepared_statements: "off", pool_connections: 8, key_file: %s`, dsn, keys))
	s.soon("the password is sealed", 10*time.Second, func() bool {
		return ask[int](t, admin, "SELECT count(*) FROM credentials WHERE kind = 'sealed'") == 1
	})
	const workers, visits = 8, 10
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for v := range visits {
				if err := s.visit(fmt.Sprintf("s%d-%d", w, v)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	s.soon("the records are written", 10*time.Second, func() bool {
		return ask[int](t, admin, "SELECT count(*) FROM accounting WHERE octets_down = 5::bigint << 32 AND stopped_at IS NOT NULL") == workers*visits
	})
	s.soon("the logins are written", 10*time.Second, func() bool { return ask[int](t, admin, "SELECT count(*) FROM logins") == workers*visits })
	s.soon("the leases are written", 10*time.Second, func() bool {
		return ask[int](t, admin, "SELECT count(DISTINCT holder) FROM leases WHERE state = 'bound'") == workers*visits
	})
	if n := ask[int](t, admin, "SELECT count(*) FROM session_slots"); n != 0 {
		t.Errorf("%d sessions still count", n)
	}
	for name, want := range map[string]uint64{
		"db_reached_now": 1, "db_logins_written": workers * visits, "db_logins_lost": 0, "db_leases_now": workers * visits, "db_lease_conflicts": 0,
		"spool_accepted": 2 * workers * visits, "spool_delivered": 2 * workers * visits, "spool_lost": 0, "spool_waiting_now": 0, "spool_delivery_fault_now": 0,
	} {
		s.soon(fmt.Sprintf("%s is %d", name, want), 5*time.Second, func() bool { return s.db.figures()[name] == want })
	}
	before := s.db.figures()["db_changes"]
	s.db.changes.take()
	execute(t, admin, "UPDATE accounts SET disabled = true")
	if took := s.soon("the change is told", 5*time.Second, func() bool { return s.changed("anna@sales") }); took > time.Second {
		t.Errorf("the change was told after %s", took)
	}
	if now := s.db.figures()["db_changes"]; now <= before {
		t.Errorf("%d changes before, now %d", before, now)
	}
	if s.log.has("level=ERROR") || s.log.has("level=WARN") {
		t.Error("it complains")
	}
}

// Without an address to listen at it says so, and compares from time to time.
func TestANodeThatListensThroughPgBouncerSaysSo(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	execute(t, adminPool(t, dsn), shopSQL)
	s := openShop(t, pgtest.Pooler(t, dsn), `prepared_statements: "off"`)
	s.soon("it is told", 15*time.Second, func() bool { return s.log.has("set database.listen_url to the address of the server itself") })
	s.soon("all is compared", 5*time.Second, func() bool {
		return slices.ContainsFunc(s.db.changes.take(), func(c sqlaccounts.Change) bool { return c.All })
	})
	if err := s.visit("s1"); err != nil {
		t.Error(err)
	}
}

// The primary dies and the standby is made the primary: the node goes on with the same address.
func TestANodeFollowsTheDatabaseToTheStandby(t *testing.T) {
	t.Parallel()
	first := pgtest.Cluster(t)
	execute(t, first.New(), shopSQL)
	second := first.Standby()
	s := openShop(t, pgtest.Failover("lnsgate", first, second), `statement_timeout: 2s`)
	if err := s.visit("before"); err != nil {
		t.Fatal(err)
	}
	primary := adminPool(t, first.DSN("lnsgate"))
	s.soon("the record is written", 10*time.Second, func() bool { return ask[int](t, primary, "SELECT count(*) FROM accounting") == 1 })
	s.soon("it listens", 5*time.Second, func() bool {
		return slices.ContainsFunc(s.db.changes.take(), func(c sqlaccounts.Change) bool { return c.All })
	})
	first.Replicated()
	first.Crash()
	if err := s.visit("between"); err == nil {
		t.Error("a login without a database")
	}
	s.db.spool.Account(aaa.Record{Kind: aaa.RecordStop, Session: "waits", Node: "n1", At: time.Now(), Sequence: 1, Started: time.Now(), Name: "anna@sales"})
	second.Promote()
	n := 0
	if took := s.soon("logins go on", 20*time.Second, func() bool { n++; return s.visit(fmt.Sprint("after", n)) == nil }); took > 5*time.Second {
		t.Errorf("logins went on after %s", took)
	}
	admin := adminPool(t, second.DSN("lnsgate"))
	s.soon("what waited is written there", 20*time.Second, func() bool {
		return ask[int](t, admin, "SELECT count(*) FROM accounting WHERE session IN ('before', 'waits')") == 2
	})
	// Whatever happened meanwhile is compared once it listens again.
	s.soon("it listens at the new primary", 20*time.Second, func() bool {
		return ask[int](t, admin, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lnsgate changes' AND query <> ''") > 0
	})
	s.db.changes.take()
	execute(t, admin, "UPDATE accounts SET disabled = true")
	s.soon("a change is told", 10*time.Second, func() bool { return s.changed("anna@sales") })
}

// Of every change it is known which open sessions to look at again.
func TestWhichSessionsAChangeConcerns(t *testing.T) {
	anna, bob := lns.SessionInfo{Account: "anna@sales", Domain: "sales"}, lns.SessionInfo{Account: "bob", Domain: "default"}
	for _, test := range []struct {
		change    sqlaccounts.Change
		anna, bob bool
	}{
		{sqlaccounts.Change{Table: sqlaccounts.Accounts, Op: sqlaccounts.Updated, Key: "anna@sales"}, true, false},
		{sqlaccounts.Change{Table: sqlaccounts.Accounts, Op: sqlaccounts.Deleted, Key: "anna@sales"}, true, false},
		{sqlaccounts.Change{Table: sqlaccounts.Accounts, Op: sqlaccounts.Expired, Key: "anna@sales"}, true, false},
		{sqlaccounts.Change{Table: sqlaccounts.StaticAddresses, Key: "anna@sales"}, true, false},
		{sqlaccounts.Change{Table: sqlaccounts.Domains, Key: "sales"}, true, false},
		{sqlaccounts.Change{Table: sqlaccounts.DomainPools, Key: "sales"}, true, false},
		{sqlaccounts.Change{Table: sqlaccounts.Accounts, All: true}, true, true},
		{sqlaccounts.Change{Table: sqlaccounts.Domains, All: true}, true, true},
		{sqlaccounts.Change{Table: sqlaccounts.Profiles, Key: "field"}, true, true}, // who has it is asked of each
		{sqlaccounts.Change{All: true}, true, true},
		{sqlaccounts.Change{Table: sqlaccounts.Credentials, Key: "anna@sales"}, false, false}, // a new password is for the next login
		{sqlaccounts.Change{Table: sqlaccounts.PoolRanges, Key: "sales"}, false, false},       // who has an address keeps it
		{sqlaccounts.Change{Table: sqlaccounts.Sessions, Op: sqlaccounts.Ended, Key: "s"}, false, false},
	} {
		match := concerned([]sqlaccounts.Change{test.change})
		if got := match != nil && match(anna); got != test.anna {
			t.Errorf("%+v: anna %v", test.change, got)
		}
		if got := match != nil && match(bob); got != test.bob {
			t.Errorf("%+v: bob %v", test.change, got)
		}
	}
}

func adminPool(t *testing.T, dsn string) *sqlaccounts.Pool {
	t.Helper()
	p, err := sqlaccounts.Connect(t.Context(), aaa.NewSecret(dsn), 2, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func execute(t *testing.T, p *sqlaccounts.Pool, sql string) {
	t.Helper()
	if _, err := p.Exec(context.Background(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func ask[T any](t *testing.T, p *sqlaccounts.Pool, sql string) (v T) {
	t.Helper()
	if err := p.QueryRow(context.Background(), sql).Scan(&v); err != nil {
		t.Errorf("%s: %v", sql, err)
	}
	return v
}
