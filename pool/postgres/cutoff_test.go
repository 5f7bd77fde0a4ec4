package postgres

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/pool"
	"lnsgate/test/pgtest"
)

// clock is a clock that tests turn.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// cutOff are two nodes with a pool of 64 addresses in blocks of 16, the first of which is behind a link that can be cut. The
// first holds an address that is written.
type cutOff struct {
	*clock
	db     *pgxpool.Pool
	link   *proxy
	a, b   *node
	before pool.Lease
	lost   chan []pool.Lease
}

const life, leaseLife, grace = time.Hour, 5 * time.Hour, 10 * time.Minute

func makeCutOff(t *testing.T) *cutOff {
	dsn := pgtest.DSN(t)
	c := &cutOff{db: dial(t, dsn), lost: make(chan []pool.Lease, 8), clock: &clock{now: time.Date(2030, 1, 1, 3, 0, 0, 0, time.UTC)}}
	define(t, c.db, makePool(t, "p", 0, "10.0.0.1-10.0.0.64"))
	var far *pgxpool.Pool
	c.link, far = through(t, dsn)
	cfg := Config{
		Pool: far, Node: "a", BlockLife: life, LeaseLife: leaseLife, Grace: grace, Tick: 5 * time.Millisecond, LowWater: 4, Now: c.Now,
		Lost: func(l []pool.Lease) { c.lost <- l },
	}
	c.a = open(t, cfg, sized(16))
	cfg.Pool, cfg.Node, cfg.Lost = c.db, "b", nil
	c.b = open(t, cfg, sized(16))
	c.before = c.a.get(from("p", "x"))
	c.a.written()
	return c
}

func (c *cutOff) cut(t *testing.T) {
	c.link.sever(true)
	eventually(t, "the node notices", func() bool { return !c.a.Stats().Attached })
}

func (c *cutOff) rejoin(t *testing.T) {
	c.link.sever(false)
	eventually(t, "the node is back", func() bool { return c.a.Stats().Attached })
}

// reaped waits until the block of the first node is nobody's.
func (c *cutOff) reaped(t *testing.T) {
	eventually(t, "the block is free", func() bool {
		return one[int](t, c.db, "SELECT count(*) FROM pool_blocks WHERE node = 'a'") == 0
	})
}

// all takes what the second node can get, and counts.
func (c *cutOff) all(t *testing.T) (n int) {
	for {
		l, err := c.b.Allocate(t.Context(), pool.Request{Pools: []string{"p"}, Holder: fmt.Sprint("b", n)})
		if err != nil {
			return n
		}
		if l.Address == c.before.Address {
			n += 1000
		}
		n++
	}
}

func (c *cutOff) mustLose(t *testing.T, want ...pool.Lease) {
	t.Helper()
	select {
	case got := <-c.lost:
		slices.SortFunc(got, func(x, y pool.Lease) int { return x.Address.Compare(y.Address) })
		if !slices.Equal(got, want) {
			t.Errorf("lost %+v, want %+v", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("nothing was lost, want %+v", want)
	}
}

func TestCutOffNodeServesUntilItsBlocksExpire(t *testing.T) {
	t.Parallel()
	c := makeCutOff(t)
	c.cut(t)
	a := c.a
	during := a.get(from("p", "y"))
	if _, err := a.Usage(t.Context()); err == nil {
		t.Error("usage of all nodes without the database")
	}
	if leases, err := a.Leases(t.Context()); err == nil || len(leases) != 2 {
		t.Errorf("leases %+v, %v", leases, err)
	}
	a.drop(during)
	during = a.get(from("p", "y"))
	if want := c.before.Address.Next(); during.Address != want {
		t.Errorf("sticky without the database: %v, want %v", during.Address, want)
	}
	c.pass(life - life/6)
	var away *UnavailableError
	if _, err := a.Allocate(t.Context(), from("p", "z")); !errors.As(err, &away) {
		t.Errorf("shortly before the expiry: %v", err)
	}
	if len(c.lost) != 0 {
		t.Error("leases were lost before the expiry")
	}
	c.pass(life / 6)
	c.mustLose(t, during) // it is written nowhere; the other one is
	if n := c.all(t); n != 48 {
		t.Errorf("before the grace time b has %d, want all but the block of a", n)
	}
	c.pass(grace + time.Millisecond)
	c.reaped(t)
	if n := c.all(t); n != 15 {
		t.Errorf("after the grace time b has %d more, want all but the one that is in use", n)
	}
	c.pass(leaseLife - life - grace)
	c.mustLose(t, c.before, during)
	if n := c.all(t); n != 0 {
		t.Errorf("before the grace time b has %d more", n)
	}
	c.pass(grace)
	eventually(t, "the last one is free", func() bool {
		return one[int](t, c.db, "SELECT count(*) FROM leases WHERE node = 'a' AND state = 'bound'") == 0
	})
	if n := c.all(t); n != 1001 {
		t.Errorf("in the end b has %d more, want the address of the session", n)
	}
	c.rejoin(t)
	if s := a.Stats(); s.Blocks != 0 || s.Held != 0 {
		t.Errorf("it still believes in its block: %+v", s)
	}
	if n := one[int](t, c.db, "SELECT count(*) FROM leases WHERE node = 'a' AND state = 'bound'"); n != 0 {
		t.Errorf("%d rows are bound to it", n)
	}
}

// Sessions that were written before the outage stay up, although the block went to another node meanwhile.
func TestSessionsOutliveTheirBlock(t *testing.T) {
	t.Parallel()
	c := makeCutOff(t)
	released := c.a.get(from("p", "gone"))
	c.a.written()
	c.cut(t)
	during := c.a.get(from("p", "y"))
	c.a.drop(released)
	c.pass(life + grace + time.Millisecond)
	c.mustLose(t, during)
	c.reaped(t)
	if n := c.all(t); n != 62 {
		t.Errorf("b has %d, want all but the two that may be in use", n)
	}
	c.pass(leaseLife - 2*life)
	c.rejoin(t)
	c.mustLose(t, during) // its session has not ended
	if leases := c.a.heldLeases(); len(leases) != 1 || leases[0] != c.before {
		t.Errorf("it holds %+v", leases)
	}
	c.pass(leaseLife - time.Hour) // it is renewed like any other
	c.a.written()
	if n := c.all(t); n != 1 {
		t.Errorf("b has %d more, want the one that was released", n)
	}
	c.a.drop(c.before)
	c.a.written()
	eventually(t, "b has it", func() bool { return c.all(t) == 1001 })
	if s := c.a.Stats(); s.Conflicts != 0 || len(c.lost) != 0 {
		t.Errorf("%+v, %d lost", s, len(c.lost))
	}
}

// An administrator who knows that a node is dead does not wait for the end of its leases.
func TestLeasesOfADeadNodeAreFreedByHand(t *testing.T) {
	t.Parallel()
	c := makeCutOff(t)
	const byHand = "UPDATE leases SET expires_at = '-infinity' WHERE node = 'a' AND state = 'bound'"
	do(t, c.db, byHand)
	c.pass(grace / 2)
	c.a.written()
	if c.a.die(); len(c.lost) != 0 {
		t.Error("a living node lost leases")
	}
	do(t, c.db, "DELETE FROM nodes WHERE name = 'a'") // comes back with its block
	c.pass(life + grace)
	c.reaped(t)
	do(t, c.db, byHand)
	eventually(t, "all is free", func() bool {
		return one[int](t, c.db, "SELECT count(*) FROM leases WHERE node = 'a' AND state = 'bound'") == 0
	})
	if n := c.all(t); n != 1064 {
		t.Errorf("b has %d, want all", n)
	}
}
