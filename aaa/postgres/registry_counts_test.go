package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/aaa"
)

// noDrift compares the numbers with what they count.
func noDrift(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	drifted := one[*string](t, pool, `
		SELECT string_agg(format('%s on %s/%s: %s counted, %s there', domain, node, epoch, c.counted, s.counted), '; ')
		FROM session_counts c FULL JOIN (SELECT domain, node, epoch, count(*) AS counted FROM session_slots WHERE ending IS NULL GROUP BY 1, 2, 3) s
			USING (domain, node, epoch)
		WHERE coalesce(c.counted, 0) <> coalesce(s.counted, 0)`)
	if drifted != nil {
		t.Errorf("numbers have drifted: %s", *drifted)
	}
}

// Three nodes fill a small domain up and empty it, all the time; one of them dies in between and comes back.
func TestADomainIsNeverOverfilled(t *testing.T) {
	const limit, workers, rounds = 12, 32, 12
	dsn := sharedDSN(t)
	registries := nodesOf(t, dsn, "n1", "n2", "n3")
	pool := registries[0].db.pool
	stop := background(t, func(ctx context.Context) {
		for ctx.Err() == nil {
			var n int
			if err := pool.QueryRow(ctx, `SELECT count(*) FROM counted_sessions WHERE domain = 'small'`).Scan(&n); err == nil && n > limit {
				t.Errorf("%d sessions in a domain for %d", n, limit)
			}
			pause(ctx, 2*time.Millisecond)
		}
	})
	var entered, refused, dead atomic.Int64
	var wg sync.WaitGroup
	for node, r := range registries {
		for w := range workers {
			wg.Go(func() {
				for round := range rounds {
					if node == 2 && w == 0 && round == rounds/2 {
						joined(t, pool, "n3") // another process under its name: this one is over
					}
					session := fmt.Sprintf("%d-%d-%d", node, w, round)
					err := r.Enter(context.Background(), entry(session, fmt.Sprint("user", rand.IntN(50)), "small", 3, limit, aaa.RefuseNew))
					switch {
					case err == nil:
						entered.Add(1)
						if err := r.Leave(context.Background(), session); err != nil {
							t.Error(err)
						}
					case errors.Is(err, ErrSuperseded):
						dead.Add(1)
						return
					case causeOf(err) == aaa.SessionLimit:
						refused.Add(1)
					default:
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	stop()
	t.Logf("%d entered, %d refused, %d ended with their node", entered.Load(), refused.Load(), dead.Load())
	if entered.Load() == 0 || refused.Load() == 0 || dead.Load() == 0 {
		t.Error("not all that should happen did")
	}
	noDrift(t, pool)
	if n := one[int](t, pool, `SELECT count(*) FROM counted_sessions`); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	// All of the domain is free again.
	if in := storm(t, registries[:2], 3*limit, func(i int) aaa.Entry {
		return entry(fmt.Sprint("after", i), fmt.Sprint("after", i), "small", 0, limit, aaa.RefuseNew)
	}); in != limit {
		t.Errorf("%d got in afterwards", in)
	}
	noDrift(t, pool)
}

// With replacing, sessions go on all nodes at the same time as others leave there.
func TestReplacingDoesNotDrift(t *testing.T) {
	registries := nodesOf(t, sharedDSN(t), "n1", "n2")
	pool := registries[0].db.pool
	if in := storm(t, registries, 64, func(i int) aaa.Entry {
		return entry(fmt.Sprint("s", i), fmt.Sprint("user", i%8), "small", 2, 5, aaa.ReplaceOld)
	}); in != 64 {
		t.Errorf("%d got in", in)
	}
	if n := one[int](t, pool, `SELECT counted FROM domain_sessions WHERE domain = 'small'`); n != 5 {
		t.Errorf("%d count", n)
	}
	noDrift(t, pool)
	for i := range 64 {
		if err := registries[i%2].Leave(context.Background(), fmt.Sprint("s", i)); err != nil {
			t.Error(err)
		}
	}
	if n := one[int](t, pool, `SELECT (SELECT count(*) FROM session_slots) + (SELECT sum(counted) FROM session_counts)`); n != 0 {
		t.Errorf("%d are left", n)
	}
}

// Whoever changes the rows, by whatever statement: the numbers follow.
func TestNumbersFollowTheRows(t *testing.T) {
	pool := sharedPool(t)
	for _, sql := range []string{
		`INSERT INTO session_slots (session, node, epoch, account, domain, name, since) SELECT 's' || i, 'n' || i % 3, 1, 'a', 'd' || i % 2, 'a', now() FROM generate_series(1, 30) i`,
		`UPDATE session_slots SET ending = 'x' WHERE session < 's2'`,
		`UPDATE session_slots SET ending = NULL, domain = 'd5' WHERE session < 's15'`,
		`UPDATE session_slots SET epoch = 2 WHERE node = 'n1'`,
		`INSERT INTO session_slots (session, node, epoch, account, domain, name, since) VALUES ('s1', 'n9', 9, 'a', 'd9', 'a', now()) ON CONFLICT (session) DO UPDATE SET node = 'n9', epoch = 9, domain = 'd9'`,
		`DELETE FROM session_slots WHERE session > 's2'`,
		`TRUNCATE session_slots`,
	} {
		run(t, pool, sql)
		noDrift(t, pool)
	}
}

func TestANodeBuriesItsPredecessor(t *testing.T) {
	pool := sharedPool(t)
	run(t, pool, `INSERT INTO nodes (name, epoch) VALUES ('n1', 7)`)
	run(t, pool, `INSERT INTO session_slots (session, node, epoch, account, domain, name, since) VALUES ('old', 'n1', 6, 'a', 'd', 'a', now()), ('own', 'n1', 7, 'a', 'd', 'a', now())`)
	// Another room has entered the node.
	background(t, NewNode(pool, NodeConfig{Name: "n1", Log: quiet, Epoch: func() int64 { return 7 }}).Run)
	until(t, "the dead are buried", 5*time.Second, func() bool {
		return one[string](t, pool, `SELECT string_agg(session, ' ') FROM session_slots`) == "own" && one[int](t, pool, `SELECT count(*) FROM session_counts`) == 1
	})
	noDrift(t, pool)
}

// After a fail-over to a server that had not heard all, the row of a node may be older, or missing.
func TestANodeBringsItsRowBack(t *testing.T) {
	pool := sharedPool(t)
	ctx := context.Background()
	n := joined(t, pool, "n1").node
	for range 2 {
		joined(t, pool, "n2")
	}
	second := joined(t, pool, "n2").node
	run(t, pool, `DELETE FROM nodes WHERE name = 'n1'`)
	run(t, pool, `UPDATE nodes SET epoch = 2, heartbeat_at = now() - interval '1 h' WHERE name = 'n2'`)
	for _, n := range []*Node{n, second} {
		if err := n.Beat(ctx); err != nil {
			t.Error(err)
		}
	}
	if got := one[string](t, pool, `SELECT string_agg(name || epoch || (heartbeat_at > now() - interval '1 min'), ' ' ORDER BY name) FROM nodes`); got != "n11true n23true" {
		t.Error(got)
	}
	run(t, pool, `UPDATE nodes SET epoch = 4 WHERE name = 'n2'`)
	if err := second.Beat(ctx); !errors.Is(err, ErrSuperseded) {
		t.Error(err)
	}
	if err := NewNode(pool, NodeConfig{Name: "n3", Log: quiet}).Beat(ctx); !errors.Is(err, ErrNotEntered) {
		t.Error(err)
	}
}

// The user of a node needs no more than its role.
func TestTheRoleOfTheDaemonIsEnough(t *testing.T) {
	dsn := sharedDSN(t)
	r := joined(t, openPool(t, dsn+" options='-c role=lnsgate_daemon'", false), "n1")
	if who := one[string](t, r.db.pool, `SELECT current_user`); who != "lnsgate_daemon" {
		t.Fatal(who)
	}
	ctx := context.Background()
	for i, want := range []aaa.Cause{aaa.CauseNone, aaa.SessionLimit} {
		if err := r.Enter(ctx, entry(fmt.Sprint("s", i), "bob", "sales", 1, 1, aaa.RefuseNew)); causeOf(err) != want {
			t.Error(err)
		}
	}
	if err := r.Enter(ctx, entry("s2", "bob", "sales", 1, 1, aaa.ReplaceOld)); err != nil {
		t.Error(err)
	}
	if n := one[int](t, r.db.pool, `SELECT counted FROM domain_sessions`); n != 1 {
		t.Errorf("%d count", n)
	}
	for i := range 3 {
		if err := r.Leave(ctx, fmt.Sprint("s", i)); err != nil {
			t.Error(err)
		}
	}
	run(t, r.db.pool, `SELECT * FROM session_slots, session_counts, counted_sessions, domain_sessions`)
	joined(t, r.db.pool, "n1") // buries
	if n := one[int](t, r.db.pool, `SELECT count(*) FROM session_counts`); n != 0 {
		t.Errorf("%d numbers are left", n)
	}
}

// Neither a full table nor one that was small when the plan was made is read as a whole.
func TestEnteringDoesNotCostMoreTheMoreThereAre(t *testing.T) {
	dsn := sharedDSN(t)
	cfg := openPool(t, dsn, false).Config()
	cfg.MaxConns = 1 // whose plans are from the time when there was nobody
	r := joined(t, openConfig(t, cfg), "n1")
	ctx := context.Background()
	enter := func(limit int) error {
		return r.Enter(ctx, entry(fmt.Sprint("s", since.Load()), "bob", "sales", 100, limit, aaa.RefuseNew))
	}
	for range 20 {
		if err := errors.Join(enter(100_000), r.Leave(ctx, fmt.Sprint("s", since.Load()-1))); err != nil {
			t.Fatal(err)
		}
	}
	run(t, r.db.pool, `INSERT INTO session_slots (session, node, epoch, account, domain, name, since)
		SELECT 'old' || i, 'n1', 1, 'old' || i, 'sales', 'x', now() FROM generate_series(1, 20000) i`)
	reads := func() int64 {
		return one[int64](t, r.db.pool, `SELECT pg_stat_get_xact_blocks_fetched('session_slots'::regclass) + pg_stat_get_blocks_fetched('session_slots'::regclass)`)
	}
	run(t, r.db.pool, `SELECT pg_stat_force_next_flush()`)
	before := reads()
	for range 10 {
		if err := enter(100_000); err != nil {
			t.Fatal(err)
		}
		if err := enter(20_000); causeOf(err) != aaa.SessionLimit {
			t.Fatal(err)
		}
	}
	run(t, r.db.pool, `SELECT pg_stat_force_next_flush()`)
	if read := reads() - before; read > 20*40 {
		t.Errorf("20 logins looked at %d blocks of the table", read)
	}
}
