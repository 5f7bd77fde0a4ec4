package postgres

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"lnsgate/pool"
	"lnsgate/test/pgtest"
)

const offerTime = 2 * time.Minute

func offered(name, account string) pool.Request {
	r := from(name, account)
	r.Offer = offerTime
	return r
}

func (n *node) keep(l pool.Lease, until time.Time) {
	n.t.Helper()
	if err := n.Keep(n.t.Context(), l, until); err != nil {
		n.t.Fatalf("keep %+v: %v", l, err)
	}
}

// lenders are two nodes with a pool of 64 addresses, all of which the blocks of the first can hold, and a clock.
type lenders struct {
	*cutOff
	t *testing.T
}

// inUse fails the test unless the holder has the address.
func (c *lenders) inUse(err error, l pool.Lease) {
	c.t.Helper()
	var held *pool.InUseError
	if !errors.As(err, &held) || held.Holder != l.Holder || held.Address != l.Address {
		c.t.Errorf("%v is held by %s: %v", l.Address, l.Holder, err)
	}
}

// without fails the test if the node can get one of the leases, and tells how many it gets. They are all given back.
func (c *lenders) without(n *node, leases ...pool.Lease) int {
	c.t.Helper()
	var got []pool.Lease
	for {
		l, err := n.Allocate(c.t.Context(), pool.Request{Pools: []string{"p"}, Holder: fmt.Sprint("all ", len(got))})
		if err != nil {
			break
		}
		for _, other := range leases {
			if other.Address == l.Address {
				c.t.Errorf("%v is %s's and was given away", l.Address, other.Holder)
			}
		}
		got = append(got, l)
	}
	for _, l := range got {
		n.drop(l)
	}
	n.written()
	return len(got)
}

// leaves waits until the node can get so many, and fails the test whenever it gets one of the leases: other nodes let go of what
// is free when they come to it.
func (c *lenders) leaves(want int, n *node, leases ...pool.Lease) {
	c.t.Helper()
	eventually(c.t, fmt.Sprintf("%d addresses are left", want), func() bool { return c.without(n, leases...) == want })
}

func TestLeasesOfOtherNASesOutliveTheProcess(t *testing.T) {
	t.Parallel()
	c := &lenders{makeCutOff(t), t}
	c.b.close()
	var lent []pool.Lease
	for i := range 20 {
		lent = append(lent, c.a.get(offered("p", fmt.Sprint("y", i))))
	}
	for _, l := range lent[:10] {
		c.a.keep(l, c.Now().Add(10*offerTime))
	}
	cfg := c.a.cfg
	c.a.die() // nothing was journalled but what Allocate and Keep have waited for
	cfg.Lost = nil
	a := open(t, cfg, sized(16))
	c.leaves(64-20, a, lent...)
	a.keep(lent[10], time.Time{})
	if again := a.get(offered("p", "y11")); again.Address != lent[11].Address || again.Holder != lent[11].Holder {
		t.Errorf("asked again: %+v", again)
	}
	leases, err := a.Leases(t.Context())
	if err != nil || len(leases) != 20 || leases[0].Why == "" {
		t.Errorf("%d leases, %v", len(leases), err)
	}
	c.pass(offerTime)
	c.leaves(64-11, a, lent[:11]...)
	c.pass(10 * offerTime)
	c.leaves(63, a, lent[10]) // a busy node looks for them less often
	if n := one[int](t, c.db, "SELECT count(*) FROM leases WHERE state = 'bound' AND (node <> '' OR epoch <> 0 OR kept_until IS NOT NULL)"); n != 0 {
		t.Errorf("%d rows of sessions that are over", n)
	}
}

// While the database is away nobody can keep leases, and their sessions live on. When it is back nodes have a while to keep them again
// before others get their addresses.
func TestLeasesThatRanOutWhileTheDatabaseWasAway(t *testing.T) {
	t.Parallel()
	c := &lenders{makeCutOff(t), t}
	c.b.close()
	lives, over := c.a.get(offered("p", "y")), c.a.get(offered("p", "z"))
	for _, l := range []pool.Lease{lives, over} {
		c.a.keep(l, c.Now().Add(10*time.Minute))
	}
	c.cut(t)
	c.pass(life / 2)
	c.rejoin(t)
	for range 3 {
		c.leaves(64-3, c.a, c.before, lives, over)
	}
	c.a.keep(lives, c.Now().Add(life))
	c.pass(grace)
	c.leaves(64-2, c.a, c.before, lives)
}

// A session may say that it has an address that is in no pool, and not be heard of again. No row of it stays.
func TestWhatWasKeptOutsideOfPoolsIsForgotten(t *testing.T) {
	t.Parallel()
	c := &lenders{makeCutOff(t), t}
	for i := range 5 {
		c.a.keep(pool.Lease{Address: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), Account: "stranger", Holder: fmt.Sprint("s", i)}, c.Now().Add(time.Minute))
	}
	inside := c.a.get(offered("p", "y"))
	c.a.keep(inside, c.Now().Add(time.Hour))
	rows := func() int { return one[int](t, c.db, "SELECT count(*) FROM leases WHERE node = '' AND pool IS NULL") }
	if n := rows(); n != 5 {
		t.Fatalf("%d rows outside of pools", n)
	}
	c.pass(grace)
	eventually(t, "the leases are over", func() bool {
		return one[int](t, c.db, "SELECT count(*) FROM leases WHERE pool IS NULL AND state = 'bound'") == 0
	})
	c.pass(lateStart)
	eventually(t, "the rows are gone", func() bool { return rows() == 0 })
	if n := one[int](t, c.db, "SELECT count(*) FROM leases WHERE holder = '"+inside.Holder+"'"); n != 1 {
		t.Errorf("of the address in a pool there are %d rows", n)
	}
}

func TestAnyNodeKeepsAndReleases(t *testing.T) {
	t.Parallel()
	c := &lenders{makeCutOff(t), t}
	l := c.a.get(offered("p", "y"))
	c.b.keep(l, c.Now().Add(10*offerTime))
	c.pass(2 * offerTime)
	_, err := c.a.Allocate(t.Context(), pool.Request{Address: l.Address, Account: "z", Holder: "z"})
	c.inUse(err, l)
	c.leaves(62, c.a, l) // one is c.before's
	if again, err := c.b.Allocate(t.Context(), offered("p", "y")); err != nil || again.Address != l.Address {
		t.Errorf("the other node gives the same session %+v, %v", again, err)
	}
	c.b.drop(l)
	eventually(t, "the owner of the block has it back", func() bool {
		c.a.mu.Lock()
		defer c.a.mu.Unlock()
		e := c.a.entries[key{"default", l.Address}]
		return e != nil && e.state == free && e.account == "y"
	})
	c.leaves(63, c.a)
	back := c.a.get(pool.Request{Address: l.Address, Account: "y", Holder: "a session of ours"})
	c.a.written()
	c.inUse(c.b.Keep(t.Context(), l, time.Time{}), back)
}

// The Keep that was repeated through another node arrives after the end of the session. A session that says after its end that
// it has the address still has it.
func TestAKeepThatTheEndHasOvertaken(t *testing.T) {
	t.Parallel()
	c := &lenders{makeCutOff(t), t}
	for name, late := range map[string]*node{"by the node of the block": c.a, "by another node": c.b} {
		l := c.a.get(offered("p", name))
		c.a.keep(l, time.Time{})
		asked := c.Now()
		c.pass(time.Millisecond)
		c.b.drop(l)
		_, err := late.demand(t.Context(), &ask{keep: true, at: asked}, l)
		c.inUse(err, l)
		late.keep(l, time.Time{})
	}
}

func TestTheNodeThatOfferedDies(t *testing.T) {
	t.Parallel()
	c := &lenders{makeCutOff(t), t}
	kept, unkept, late := c.a.get(offered("p", "y")), c.a.get(offered("p", "z")), c.a.get(offered("p", "late"))
	c.b.keep(kept, c.Now().Add(2*leaseLife))
	c.a.die()
	c.pass(offerTime + time.Second)
	c.b.keep(late, time.Time{}) // its Start was repeated for a while
	c.pass(life + grace)
	c.reaped(t)
	c.leaves(61, c.b, kept, late, c.before)
	c.pass(leaseLife - life)
	eventually(t, "what the dead node held is free", func() bool { return c.without(c.b, kept, late) == 62 })
	c.pass(leaseLife)
	eventually(t, "what was kept has run out", func() bool { return c.without(c.b, late) == 63 })
	c.inUse(c.b.Keep(t.Context(), pool.Lease{Address: late.Address, Holder: "another", Pool: "p"}, time.Time{}), late)
	c.b.keep(unkept, time.Time{})
}

// The administrator who reads that an address is in use learns that it is because of a dead node.
func TestInUseNamesTheSilentNode(t *testing.T) {
	t.Parallel()
	c := &lenders{makeCutOff(t), t}
	c.a.written()
	private := c.before.Address.Next() // of its block
	c.a.die()
	silent := c.Now()
	c.pass(time.Minute)
	for _, want := range []struct {
		address netip.Addr
		text    string
	}{
		{c.before.Address, "is in use by session of x of node a, which is silent since "},
		{private, "is in use by node a, which is silent since "},
	} {
		_, err := c.b.Allocate(t.Context(), pool.Request{Address: want.address, Account: "y", Holder: "y"})
		if err == nil || !strings.Contains(err.Error(), want.text+silent.Format(time.RFC3339)) {
			t.Errorf("%v", err)
		}
	}
}

func TestLendingNeedsTheDatabase(t *testing.T) {
	t.Parallel()
	c := &lenders{makeCutOff(t), t}
	l, kept := c.a.get(offered("p", "y")), c.a.get(offered("p", "z"))
	c.a.keep(kept, time.Time{})
	c.cut(t)
	_, err := c.a.Allocate(t.Context(), offered("p", "w"))
	for what, err := range map[string]error{
		"offer": err, "keep": c.a.Keep(t.Context(), l, time.Time{}), "release": c.a.Release(t.Context(), kept),
	} {
		var away *UnavailableError
		if !errors.As(err, &away) || !away.Retryable() {
			t.Errorf("%s: %v", what, err)
		}
	}
	own := c.a.get(from("p", "own")) // sessions of this process go on
	c.a.drop(own)
	c.a.drop(own)
	c.rejoin(t)
	c.a.keep(l, time.Time{})
	c.a.drop(kept)
	c.pass(offerTime)
	c.leaves(62, c.b, l, c.before)
}

// An offer that has run out keeps its row for a while, or a session that has begun after all would not find it.
func TestALateStartFindsItsRow(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	define(t, db, makePool(t, "p", 0, "10.0.0.0/24"))
	c := &clock{now: time.Date(2030, 1, 1, 3, 0, 0, 0, time.UTC)}
	n := open(t, Config{Pool: db, Tick: 5 * time.Millisecond, LowWater: 8, Now: c.Now}, sized(16))
	for i := range 256 - 2 {
		n.get(offered("p", fmt.Sprint(i)))
	}
	const rows = "SELECT count(*) FROM leases"
	looks := func() { // every look begins with a sign of life
		for range 3 {
			const sign = "SELECT xmin::text FROM nodes"
			before := one[string](t, db, sign)
			eventually(t, "it looks", func() bool { return one[string](t, db, sign) != before })
		}
	}
	c.pass(offerTime + lateStart/2)
	looks()
	if left := one[int](t, db, rows); left != 254 {
		t.Errorf("%d rows are left", left)
	}
	c.pass(lateStart)
	eventually(t, "the reserve is restored", func() bool { return one[int](t, db, rows) < 254 })
}

// The last line of defence: somebody wrote a lease into our block.
func TestALoanThatIsNotOursStays(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	define(t, db, makePool(t, "p", 0, "10.0.0.1-10.0.0.64"))
	n := open(t, Config{Pool: db}, sized(16))
	next := n.get(from("p", "x")).Address.Next()
	for _, state := range []string{
		"INSERT INTO leases (address, pool, holder, node, epoch, state, expires_at) VALUES ($1, 'p', 'intruder', '', 0, 'offered', now() + interval '1 h')",
		"INSERT INTO leases (address, pool, holder, node, epoch) VALUES ($1, 'p', 'intruder', '', 0)",
		"INSERT INTO leases (address, pool, holder, node, epoch) VALUES ($1, 'p', 'intruder', 'elsewhere', 1)",
	} {
		do(t, db, state, next)
		var held *pool.InUseError
		if err := n.Keep(t.Context(), pool.Lease{Address: next, Pool: "p", Holder: "y"}, time.Time{}); !errors.As(err, &held) || held.Holder != "intruder" {
			t.Errorf("keep: %v", err)
		}
		_, err := n.Allocate(t.Context(), pool.Request{Address: next, Holder: "y", Offer: offerTime})
		if !errors.As(err, &held) || held.Holder != "intruder" {
			t.Errorf("offer: %v", err)
		}
		next = next.Next()
	}
	if l := n.get(offered("p", "z")); l.Address != next {
		t.Errorf("%v, want %v", l.Address, next)
	}
}

// Whoever learns of a session from its records alone does not know the pool.
func TestKeepFindsTheRoutingContext(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	do(t, db, "INSERT INTO pools (name, routing_context) VALUES ('p', 'red')")
	do(t, db, "INSERT INTO pool_ranges (pool, range) VALUES ('p', '10.0.0.0/24')")
	n := open(t, Config{Pool: db})
	l := n.get(offered("p", "x"))
	l.Pool = ""
	n.keep(l, time.Time{})
	n.keep(pool.Lease{Address: l.Address.Next(), Holder: "y"}, time.Time{})
	const rows = "SELECT string_agg(routing_context || ' ' || holder || ' ' || pool, ', ' ORDER BY address) FROM leases WHERE state = 'bound'"
	if got := one[string](t, db, rows); got != "red session of x p, red y p" {
		t.Error(got)
	}
	n.drop(l)
	if got := one[string](t, db, rows); got != "red y p" {
		t.Error(got)
	}
}

// A group that may have been written or not is neither given to somebody else nor lost.
func TestALendingThatIsInDoubt(t *testing.T) {
	t.Parallel()
	c := &lenders{makeCutOff(t), t}
	for i := range 20 {
		c.link.sever(false) // connections break, and others do
		l := c.a.get(offered("p", fmt.Sprint("y", i)))
		c.link.sever(false)
		c.a.keep(l, time.Time{})
		c.link.sever(false)
		c.a.drop(l)
	}
	eventually(t, "all are back", func() bool { return c.without(c.b, c.before) == 63 })
}

func TestTheTablesOfLentLeases(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	define(t, db, makePool(t, "p", time.Hour, "10.0.0.0/24"))
	n := open(t, Config{Pool: db, Grace: time.Nanosecond})
	kept, back := n.get(offered("p", "x")), n.get(offered("p", "y"))
	n.get(offered("p", "z"))
	n.keep(kept, time.Now().Add(time.Hour))
	n.drop(back)
	const usage = "SELECT leased || ' ' || offered || ' ' || quarantined || ' ' || free FROM pool_usage"
	if got := one[string](t, db, usage); got != "2 1 1 251" {
		t.Errorf("usage: %s", got)
	}
	if u, err := n.Usage(t.Context()); err != nil || u[0] != (pool.Usage{Pool: "p", Size: 254, Leased: 2, Quarantined: 1}) {
		t.Errorf("%+v, %v", u, err)
	}
	do(t, db, "UPDATE leases SET expires_at = now() WHERE state = 'offered'; UPDATE leases SET kept_until = now() WHERE state = 'bound'")
	if u, err := n.Usage(t.Context()); err != nil || u[0] != (pool.Usage{Pool: "p", Size: 254, Quarantined: 2}) {
		t.Errorf("%+v, %v", u, err)
	}
	if got := one[string](t, db, usage); got != "0 0 2 252" {
		t.Errorf("usage: %s", got)
	}
	for statement, constraint := range map[string]string{
		"UPDATE leases SET state = 'offered', expires_at = NULL":                                          "leases_quarantine",
		"UPDATE leases SET state = 'offered', node = 'n'":                                                 "leases_offered",
		"UPDATE leases SET kept_until = now()":                                                            "leases_kept",
		"UPDATE leases SET state = 'bound', expires_at = NULL, node = 'n', epoch = 1, kept_until = now()": "leases_kept",
	} {
		var refused *pgconn.PgError
		if _, err := db.Exec(t.Context(), statement); !errors.As(err, &refused) || refused.ConstraintName != constraint {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

// TestManyOffersAtOnce has more ask at a time than one statement lends to. Whoever comes back gets the address of before.
func TestManyOffersAtOnce(t *testing.T) {
	t.Parallel()
	db := dial(t, pgtest.DSN(t))
	define(t, db, makePool(t, "p", time.Minute, "10.66.0.0/21"))
	n := open(t, Config{Pool: db, Timeout: 20 * time.Second})
	const many = 3 * lendLeast
	var before [many]netip.Addr
	for round := range 3 {
		var all errgroup.Group
		var leases [many]pool.Lease
		for i := range many {
			all.Go(func() (err error) {
				r := offered("p", fmt.Sprint("account ", i))
				r.Holder = fmt.Sprintf("%d of round %d", i, round)
				leases[i], err = n.Allocate(t.Context(), r)
				return err
			})
		}
		if err := all.Wait(); err != nil {
			t.Fatal(err)
		}
		holders := make(map[netip.Addr]string)
		for i, l := range leases {
			if other, given := holders[l.Address]; given {
				t.Errorf("%v is offered to %s and %s", l.Address, other, l.Holder)
			}
			holders[l.Address] = l.Holder
			if round > 0 && l.Address != before[i] {
				t.Errorf("account %d had %v and is offered %v", i, before[i], l.Address)
			}
			before[i] = l.Address
			if err := n.Release(t.Context(), l); err != nil {
				t.Fatal(err)
			}
		}
	}
}
