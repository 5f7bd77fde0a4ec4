package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/pool"
	"lnsgate/test/pgtest"
)

// leaping is a database whose clock can be set: its own functions come before those of the server.
func leaping(t *testing.T) *pgxpool.Pool {
	t.Helper()
	dsn := pgtest.DSN(t)
	do(t, dial(t, dsn), `CREATE TABLE leap AS SELECT interval '0' AS by;
		CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT pg_catalog.now() + by FROM leap';
		CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT pg_catalog.clock_timestamp() + by FROM leap'`)
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cfg.ConnConfig.RuntimeParams["search_path"] = "public, pg_catalog"
	db, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

// When the database's clock is set ahead everything has expired there, and all nodes are alive. The same is seen by a node
// whose machine was suspended.
func TestTheClockOfTheDatabaseLeaps(t *testing.T) {
	t.Parallel()
	db := leaping(t)
	define(t, db, makePool(t, "p", time.Minute, "10.0.0.1-10.0.0.64"))
	cfg := Config{Pool: db, Tick: 5 * time.Millisecond, Lost: func(l []pool.Lease) { t.Errorf("lost %+v", l) }}
	var nodes []*node
	for _, name := range []string{"a", "b"} {
		cfg.Node = name
		nodes = append(nodes, open(t, cfg, sized(16)))
	}
	held := make(map[any]bool)
	for _, n := range nodes {
		n.runner.mu.Lock() // it has been at work for long
		n.runner.attached = n.runner.attached.Add(-time.Hour)
		n.runner.mu.Unlock()
		for _, account := range []string{"x", "y"} {
			held[n.get(from("p", n.cfg.Node+account)).Address] = true
		}
	}
	settle := func() {
		for range 2 { // the reserve is filled after the first
			for _, n := range nodes {
				n.written()
			}
		}
	}
	settle()
	const owners = "SELECT string_agg(node || epoch || first_address, ' ' ORDER BY first_address) FROM pool_blocks"
	before := one[string](t, db, owners)
	do(t, db, "UPDATE leap SET by = '3 days'")
	eventually(t, "the blocks are renewed", func() bool {
		if now := one[string](t, db, "SELECT coalesce(("+owners+"), '')"); now != before {
			t.Fatalf("the blocks were %s and are %s", before, now)
		}
		return one[int](t, db, "SELECT count(*) FROM pool_blocks WHERE expires_at < now()") == 0
	})
	for range 20 {
		for _, n := range nodes {
			l := n.get(pool.Request{Pools: []string{"p"}, Holder: "another"})
			if held[l.Address] {
				t.Fatalf("%v was given twice", l.Address)
			}
			held[l.Address] = true
		}
	}
	settle()
	for _, n := range nodes {
		if s := n.Stats(); s.Conflicts != 0 || s.Held != 22 {
			t.Errorf("%s: %+v", n.cfg.Node, s)
		}
	}
}

// After a fail-over the server may have an earlier process of this node in its tables, and what that held.
func TestAServerThatHasNotHeardOfThisProcess(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	db := dial(t, dsn)
	define(t, db, makePool(t, "p", 0, "10.0.0.0/24"))
	link, far := through(t, dsn)
	open(t, Config{Pool: far, Node: "a"}).die()
	n := open(t, Config{Pool: far, Node: "a", Tick: 5 * time.Millisecond}, sized(16))
	held := n.get(from("p", "x"))
	n.written()
	link.sever(true)
	do(t, db, "UPDATE nodes SET epoch = epoch - 1")
	do(t, db, `INSERT INTO leases (routing_context, address, pool, holder, node, epoch, state, since)
		VALUES ('default', '10.0.0.250', 'p', 'old', 'a', 1, 'bound', now())`)
	link.sever(false)
	eventually(t, "it is back", func() bool {
		return one[int](t, db, "SELECT count(*) FROM nodes WHERE epoch = 2") == 1 &&
			one[int](t, db, "SELECT count(*) FROM leases WHERE state = 'bound' AND epoch = 1") == 0
	})
	if leases := n.heldLeases(); len(leases) != 1 || leases[0] != held {
		t.Errorf("it holds %+v", leases)
	}
}

// A dead node that somebody takes out of the table, after its blocks have gone, leaves no address behind for good.
func TestADeadNodeIsDeleted(t *testing.T) {
	t.Parallel()
	c := makeCutOff(t)
	c.a.die()
	c.pass(life + grace + time.Millisecond)
	c.reaped(t)
	do(t, c.db, "DELETE FROM nodes WHERE name = 'a'")
	if n := c.all(t); n != 63 {
		t.Errorf("b has %d, want all but the one that may be in use", n)
	}
	c.pass(leaseLife - life)
	eventually(t, "the last one is free", func() bool {
		return one[int](t, c.db, "SELECT count(*) FROM leases WHERE node = 'a' AND state = 'bound'") == 0
	})
	if n := c.all(t); n != 1001 {
		t.Errorf("in the end b has %d more, want the address of the session", n)
	}
}
