package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/aaa"
)

// joined makes a node that is in the database, and its registry.
func joined(t testing.TB, pool *pgxpool.Pool, name string) *Registry {
	t.Helper()
	node := NewNode(pool, NodeConfig{Name: name, Address: netip.MustParseAddr("192.0.2.1"), Version: "test", Log: quiet})
	if err := node.Join(context.Background()); err != nil {
		t.Fatal(err)
	}
	return NewRegistry(node)
}

// since gives entries an order.
var since atomic.Int64

func entry(session, account, domain string, accountLimit, domainLimit int, policy aaa.SessionPolicy) aaa.Entry {
	return aaa.Entry{Session: session, Name: account, Account: account, Domain: domain, Peer: netip.MustParseAddrPort("192.0.2.9:1701"),
		Since: time.Unix(since.Add(1), 0), AccountLimit: accountLimit, DomainLimit: domainLimit, Policy: policy}
}

// storm enters many sessions at once on several nodes and returns how many got in.
func storm(t *testing.T, registries []*Registry, n int, make func(i int) aaa.Entry) (in int64) {
	t.Helper()
	var entered atomic.Int64
	var wg sync.WaitGroup
	start := gate()
	for i := range n {
		wg.Go(func() {
			<-start
			err := registries[i%len(registries)].Enter(context.Background(), make(i))
			switch {
			case err == nil:
				entered.Add(1)
			case causeOf(err) != aaa.SessionLimit:
				t.Error(err)
			}
		})
	}
	close(start)
	wg.Wait()
	return entered.Load()
}

func gate() chan struct{} { return make(chan struct{}) }

func nodesOf(t *testing.T, dsn string, names ...string) (registries []*Registry) {
	for _, name := range names {
		registries = append(registries, joined(t, openPool(t, dsn, false), name))
	}
	return registries
}

func TestOf64LoginsAtOnceOneGetsIn(t *testing.T) {
	registries := nodesOf(t, sharedDSN(t), "n1", "n2", "n3")
	if in := storm(t, registries, 64, func(i int) aaa.Entry { return entry(fmt.Sprint("s", i), "bob", "sales", 1, 0, aaa.RefuseNew) }); in != 1 {
		t.Errorf("%d got in", in)
	}
	if in := storm(t, registries, 64, func(i int) aaa.Entry {
		return entry(fmt.Sprint("d", i), fmt.Sprint("user", i), "small", 1, 10, aaa.RefuseNew)
	}); in != 10 {
		t.Errorf("%d got into a domain for 10", in)
	}
}

func TestWithReplaceTheOldestGoes(t *testing.T) {
	dsn := sharedDSN(t)
	registries := nodesOf(t, dsn, "n1", "n2")
	pool := registries[0].db.pool
	h := watch(t, dsn, registries[0].node)
	ctx := context.Background()
	for i := range 4 {
		if err := registries[i%2].Enter(ctx, entry(fmt.Sprint("s", i), "bob", "sales", 2, 0, aaa.ReplaceOld)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 2 {
		ended := Change{Sessions, Ended, fmt.Sprint("s", i), false, fmt.Sprintf("replaced by session s%d of bob: the account may have 2 at a time", i+2)}
		until(t, fmt.Sprintf("the end of s%d is told", i), 5*time.Second, func() bool { return h.has(ended) })
	}
	if got := one[string](t, pool, `SELECT string_agg(session, ' ' ORDER BY session) FROM counted_sessions`); got != "s2 s3" {
		t.Errorf("counted: %s", got)
	}
	if in := storm(t, registries, 64, func(i int) aaa.Entry { return entry(fmt.Sprint("w", i), "eve", "sales", 1, 0, aaa.ReplaceOld) }); in != 64 {
		t.Errorf("%d got in", in)
	}
	if n := one[int](t, pool, `SELECT count(*) FROM counted_sessions WHERE account = 'eve'`); n != 1 {
		t.Errorf("%d of them count", n)
	}
	// Of a domain for two, with an account that is full itself: one goes for both.
	for i, account := range []string{"a", "b", "b"} {
		if err := registries[0].Enter(ctx, entry(fmt.Sprint("x", i), account, "two", 1, 2, aaa.ReplaceOld)); err != nil {
			t.Fatal(err)
		}
	}
	if got := one[string](t, pool, `SELECT string_agg(session, ' ' ORDER BY session) FROM counted_sessions WHERE domain = 'two'`); got != "x0 x2" {
		t.Errorf("counted in the domain: %s", got)
	}
}

func TestALimitTellsWhoIsThere(t *testing.T) {
	r := joined(t, sharedPool(t), "n1")
	ctx := context.Background()
	if err := r.Enter(ctx, entry("s1", "bob", "sales", 1, 0, aaa.RefuseNew)); err != nil {
		t.Fatal(err)
	}
	err := r.Enter(ctx, entry("s2", "bob", "sales", 1, 0, aaa.RefuseNew))
	if causeOf(err) != aaa.SessionLimit || reasonOf(err) != aaa.AccountSessions || !strings.Contains(err.Error(), `account "bob" has 1 of 1 sessions; the oldest is s1 on node n1, since`) {
		t.Error(err)
	}
	err = r.Enter(ctx, entry("s2", "eve", "sales", 0, 1, aaa.RefuseNew))
	if causeOf(err) != aaa.SessionLimit || reasonOf(err) != aaa.DomainSessions || !strings.Contains(err.Error(), `domain "sales" has 1 of 1 sessions`) {
		t.Error(err)
	}
	// To enter again replaces what was said, and a session does not stand in its own way.
	if err := r.Enter(ctx, entry("s1", "bob", "sales", 1, 1, aaa.RefuseNew)); err != nil {
		t.Error(err)
	}
	// No limit is zero, or less: see Grant.MaxSessions.
	if err := r.Enter(ctx, entry("s3", "bob", "sales", none, 0, aaa.RefuseNew)); err != nil {
		t.Error(err)
	}
}

func TestLeaveCountsOutOnce(t *testing.T) {
	r := joined(t, sharedPool(t), "n1")
	ctx := context.Background()
	for round := range 3 {
		if err := r.Enter(ctx, entry(fmt.Sprint("s", round), "bob", "sales", 1, 1, aaa.RefuseNew)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := r.Leave(ctx, fmt.Sprint("s", round)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestSessionsOfADeadNodeDoNotCount(t *testing.T) {
	pool := sharedPool(t)
	ctx := context.Background()
	n1, n2 := joined(t, pool, "n1"), joined(t, pool, "n2")
	enter := func(r *Registry, session string) error {
		return r.Enter(ctx, entry(session, "bob", "sales", 1, 0, aaa.RefuseNew))
	}
	if err := enter(n1, "s1"); err != nil {
		t.Fatal(err)
	}
	if err := enter(n2, "s2"); causeOf(err) != aaa.SessionLimit {
		t.Fatal(err)
	}
	// It starts again: what it had is gone, and the process from before is told so.
	again := joined(t, pool, "n1")
	if again.node.Epoch() != n1.node.Epoch()+1 {
		t.Errorf("epochs %d, %d", n1.node.Epoch(), again.node.Epoch())
	}
	if n := one[int](t, pool, `SELECT count(*) FROM session_slots`); n != 0 {
		t.Errorf("%d rows remain", n)
	}
	if err := enter(n1, "s3"); causeOf(err) != aaa.BackendUnavailable || !errors.Is(err, ErrSuperseded) {
		t.Error(err)
	}
	if err := n1.node.Beat(ctx); !errors.Is(err, ErrSuperseded) {
		t.Error(err)
	}
	if err := enter(n2, "s4"); err != nil {
		t.Fatal(err)
	}
	// It is silent for long.
	if err := enter(again, "s5"); causeOf(err) != aaa.SessionLimit {
		t.Fatal(err)
	}
	run(t, pool, `UPDATE nodes SET heartbeat_at = now() - interval '181 s' WHERE name = 'n2'`)
	if err := enter(again, "s5"); err != nil {
		t.Error(err)
	}
	if err := n2.node.Beat(ctx); err != nil {
		t.Error(err)
	}
}

func TestANodeThatAnotherRoomEnters(t *testing.T) {
	pool := sharedPool(t)
	var epoch atomic.Int64
	node := NewNode(pool, NodeConfig{Name: "n1", Log: quiet, Epoch: epoch.Load})
	r := NewRegistry(node)
	ctx := context.Background()
	if err := r.Enter(ctx, entry("s1", "bob", "", 1, 0, aaa.RefuseNew)); !errors.Is(err, ErrNotEntered) || causeOf(err) != aaa.BackendUnavailable {
		t.Error(err)
	}
	run(t, pool, `INSERT INTO nodes (name, epoch) VALUES ('n1', 7)`)
	epoch.Store(7)
	if err := r.Enter(ctx, entry("s1", "bob", "", 1, 0, aaa.RefuseNew)); err != nil || node.Epoch() != 7 {
		t.Error(err, node.Epoch())
	}
}

func TestANodeSaysThatItIsAlive(t *testing.T) {
	pool := sharedPool(t)
	node := NewNode(pool, NodeConfig{Name: "n1", Log: quiet})
	stop := background(t, node.Run)
	until(t, "the node is there", 5*time.Second, func() bool { return node.Epoch() == 1 })
	stop()
	run(t, pool, `UPDATE nodes SET heartbeat_at = now() - interval '1 h'`)
	if err := node.Beat(context.Background()); err != nil {
		t.Error(err)
	}
	if fresh := one[bool](t, pool, `SELECT heartbeat_at > now() - interval '1 min' FROM nodes`); !fresh {
		t.Error("it does not")
	}
	run(t, pool, `UPDATE nodes SET epoch = 9`)
	background(t, node.Run)() // ends by itself as well, at the next beat
}

// A transaction that somebody has left open on some rows holds up what is asked of those rows, and nothing else.
func TestStuckRowsHoldUpNobodyElse(t *testing.T) {
	pool := openPool(t, sharedDSN(t), false)
	r := joined(t, pool, "n1")
	ctx := context.Background()
	stuck := []string{"stuck1", "stuck2", "stuck3"}
	for _, session := range stuck {
		if err := r.Enter(ctx, entry(session, "bob", "sales", 5, 0, aaa.RefuseNew)); err != nil {
			t.Fatal(err)
		}
	}
	tx, err := pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(ctx)
	if _, err := tx.Exec(ctx, "SELECT FROM session_slots FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	var leaving sync.WaitGroup
	for _, session := range stuck {
		leaving.Go(func() {
			if err := r.Leave(ctx, session); causeOf(err) != aaa.BackendUnavailable {
				t.Errorf("a session whose row is held up: %v", err)
			}
		})
	}
	if in := storm(t, []*Registry{r}, 64, func(i int) aaa.Entry {
		return entry(fmt.Sprint("s", i), fmt.Sprint("user", i), "sales", 1, 0, aaa.RefuseNew)
	}); in != 64 {
		t.Errorf("%d of 64 others got in", in)
	}
	leaving.Wait()
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if err := r.Leave(ctx, stuck[0]); err != nil {
		t.Errorf("when the row is free again: %v", err)
	}
}
