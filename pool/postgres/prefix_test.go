package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"lnsgate/pool"
	"lnsgate/test/pgtest"
)

// makePrefixes makes a pool of prefixes without quarantine.
func makePrefixes(t testing.TB, name string, length int, network string) pool.Pool {
	t.Helper()
	r, err := pool.ParseExclusion(network)
	if err != nil {
		t.Fatal(err)
	}
	return pool.Pool{Name: name, PrefixLength: length, Ranges: []pool.Range{r}, Sticky: true}
}

// exactly asks for one prefix.
func exactPrefix(account, prefix string) pool.Request {
	p := netip.MustParsePrefix(prefix)
	return pool.Request{Account: account, Holder: "session of " + account, Address: p.Addr(), PrefixLength: p.Bits()}
}

// shared counts pairs of leases in use that have an address in common.
const sharedPrefixes = `
SELECT count(*) FROM leases a JOIN leases b ON a.address < b.address AND a.state = 'bound' AND b.state = 'bound'
WHERE addr_range(a.address, last_of(a.address, a.prefix_length), '[]') && addr_range(b.address, last_of(b.address, b.prefix_length), '[]')`

func TestTwoNodesGiveEachPrefixOnce(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 8} {
		t.Run(fmt.Sprint("blocks of ", size), func(t *testing.T) {
			links, homes := makePrefixes(t, "links", 64, "2001:db8::/56"), makePrefixes(t, "homes", 60, "2001:db8:1::/52")
			db, a, b := twoNodes(t, size, links, homes)
			var mu sync.Mutex
			given := make(map[netip.Prefix]string)
			var all sync.WaitGroup
			for i, n := range []*node{a, b, a, b} {
				all.Go(func() {
					for j := range 60 {
						account := fmt.Sprint(i, "-", j)
						for _, name := range []string{"links", "homes"} {
							l := n.get(from(name, account))
							if j%3 == 0 {
								n.drop(l)
								continue
							}
							mu.Lock()
							if other := given[l.Prefix()]; other != "" {
								t.Errorf("%v is with %s and %s", l.Prefix(), other, account)
							}
							given[l.Prefix()] = account
							mu.Unlock()
						}
					}
				})
			}
			all.Wait()
			a.written()
			b.written()
			if held := one[int](t, db, "SELECT count(*) FROM leases WHERE state = 'bound' AND prefix_length = CASE pool WHEN 'links' THEN 64 ELSE 60 END"); held != len(given) || held != 320 {
				t.Errorf("%d rows, %d leases", held, len(given))
			}
			if twice := one[int](t, db, sharedPrefixes); twice != 0 {
				t.Errorf("%d prefixes share addresses", twice)
			}
			if wrong := one[int](t, db, "SELECT count(*) FROM pool_blocks WHERE prefix_length IS DISTINCT FROM CASE pool WHEN 'links' THEN 64 ELSE 60 END"); wrong != 0 {
				t.Errorf("%d blocks of another length", wrong)
			}
		})
	}
}

func TestPrefixesOfADeadNodeAreGivenAgain(t *testing.T) {
	t.Parallel()
	db, a, b := twoNodes(t, 4, makePrefixes(t, "p", 64, "2001:db8::/61"))
	for i := range 8 {
		a.get(from("p", fmt.Sprint(i)))
	}
	a.written()
	a.die()
	var exhausted *pool.ExhaustedError
	if _, err := b.Allocate(t.Context(), from("p", "x")); !errors.As(err, &exhausted) {
		t.Fatalf("while the sessions of the dead node may be alive: %v", err)
	}
	begin(t, Config{Pool: db, Node: "a", Tick: 10 * time.Millisecond}, sized(4)).works(t)
	for i := range 8 {
		if l := b.get(from("p", fmt.Sprint("new ", i))); l.PrefixLength != 64 {
			t.Errorf("got %+v", l)
		}
	}
}

// works waits until a node works that was only begun.
func (n *node) works(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := n.Ready(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestExactPrefixesAreKeptApart(t *testing.T) {
	t.Parallel()
	db, a, b := twoNodes(t, 4, makePrefixes(t, "p", 64, "2001:db8::/61"))
	wide := a.get(exactPrefix("x", "2001:db8:f000::/48"))
	if wide.Prefix().String() != "2001:db8:f000::/48" || wide.Pool != "" {
		t.Fatalf("got %+v", wide)
	}
	for _, prefix := range []string{"2001:db8:f000:5::/64", "2001:db8:f000::/64", "2001:db8:f000::/44"} {
		_, err := b.Allocate(t.Context(), exactPrefix("y", prefix))
		var inUse *pool.InUseError
		if !errors.As(err, &inUse) || inUse.Holder != "session of x" {
			t.Errorf("%s while another has %v: %v", prefix, wide.Prefix(), err)
		}
	}
	var mismatch *pool.MismatchError
	if _, err := b.Allocate(t.Context(), exactPrefix("y", "2001:db8::/48")); !errors.As(err, &mismatch) || mismatch.Pool != "p" {
		t.Errorf("a prefix that takes in a pool: %v", err)
	}
	a.drop(wide)
	a.written()
	inner := b.get(exactPrefix("y", "2001:db8:f000:5::/64"))
	var inUse *pool.InUseError
	if _, err := a.Allocate(t.Context(), exactPrefix("x", "2001:db8:f000::/48")); !errors.As(err, &inUse) || inUse.Holder != inner.Holder {
		t.Errorf("the wide one while another has a part of it: %v", err)
	}
	// What was offered, and ran out, is in nobody's way.
	do(t, db, `INSERT INTO leases (address, prefix_length, holder, node, epoch, state, expires_at) VALUES ('2001:db8:e000::', 48, 'old', '', 0, 'offered', now())`)
	if l := a.get(exactPrefix("z", "2001:db8:e000::/56")); l.Prefix().String() != "2001:db8:e000::/56" {
		t.Errorf("got %+v", l)
	}
	a.written()
	if lengths := one[int](t, db, "SELECT sum(prefix_length) FROM leases WHERE address = '2001:db8:e000::'"); lengths != 56 {
		t.Errorf("the row says /%d", lengths)
	}
}

func TestAPoolIsMadeAnewWithAnotherLength(t *testing.T) {
	t.Parallel()
	db, a, b := twoNodes(t, 4, makePrefixes(t, "p", 64, "2001:db8::/56"))
	for i, n := range []*node{a, b, a, b} {
		n.drop(n.get(from("p", fmt.Sprint(i))))
	}
	a.written()
	b.written()
	do(t, db, "DELETE FROM pools")
	define(t, db, makePrefixes(t, "p", 60, "2001:db8::/56"))
	for _, n := range []*node{a, b} {
		if err := n.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	given := make(map[netip.Prefix]bool)
	for i := range 6 {
		l := []*node{a, b}[i%2].get(from("p", fmt.Sprint(i)))
		if l.PrefixLength != 60 || given[l.Prefix()] {
			t.Errorf("got %v", l.Prefix())
		}
		given[l.Prefix()] = true
	}
	a.written()
	b.written()
	if twice := one[int](t, db, sharedPrefixes); twice != 0 || a.Stats().Conflicts+b.Stats().Conflicts != 0 {
		t.Errorf("%d prefixes share addresses", twice)
	}
}

func TestANewRangeOfPrefixesIsUsed(t *testing.T) {
	t.Parallel()
	db, a, _ := twoNodes(t, 0, makePrefixes(t, "p", 64, "2001:db8::/64"))
	a.get(from("p", "x"))
	do(t, db, "INSERT INTO pool_ranges (pool, range) VALUES ('p', '2001:db8:7::/64')")
	if err := a.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l := a.get(from("p", "y")); l.Prefix().String() != "2001:db8:7::/64" {
		t.Errorf("got %v", l.Prefix())
	}
}

// The constraint is the last line of defence: whatever somebody wrote by hand, one of the two ends and the rest goes on.
func TestALeaseThatTheConstraintRefusesEnds(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	define(t, db, makePrefixes(t, "p", 64, "2001:db8::/56"))
	define(t, db, makePool(t, "four", 0, "10.0.0.0/24"))
	lost := make(chan pool.Lease, 10)
	n := open(t, Config{Pool: db, Tick: 10 * time.Millisecond, Lost: func(leases []pool.Lease) {
		for _, l := range leases {
			lost <- l
		}
	}}, sized(16))
	n.get(from("p", "first")) // now the block is this node's
	n.written()
	do(t, db, `INSERT INTO leases (address, prefix_length, holder, node, epoch)
		VALUES ('2001:db8:0:4::', 62, 'by hand', 'other', 1)`)
	ended := make(map[netip.Prefix]bool)
	for i := range 12 {
		n.get(from("p", fmt.Sprint(i)))
		n.get(from("four", fmt.Sprint(i)))
	}
	n.written()
	for len(ended) < 4 {
		select {
		case l := <-lost:
			ended[l.Prefix()] = true
		case <-time.After(20 * time.Second):
			t.Fatalf("only %v ended", ended)
		}
	}
	for p := range ended {
		if !netip.MustParsePrefix("2001:db8:0:4::/62").Contains(p.Addr()) {
			t.Errorf("%v ended", p)
		}
	}
	if held := one[int](t, db, "SELECT count(*) FROM leases WHERE state = 'bound' AND node = 'n1'"); held != 1+12+12-4 {
		t.Errorf("%d leases are written", held)
	}
	do(t, db, "DELETE FROM leases WHERE holder = 'by hand'")
	for i := range 16 - 9 {
		n.get(from("p", fmt.Sprint("late ", i)))
	}
	n.written()
	if twice := one[int](t, db, sharedPrefixes); twice != 0 {
		t.Errorf("%d prefixes share addresses", twice)
	}
}

// A node that is cut off lives on the prefixes of its blocks, and writes them down when the database is back.
func TestPrefixesWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	server := pgtest.Cluster(t, "fsync=off")
	db := server.New()
	define(t, db, makePrefixes(t, "p", 56, "2001:db8::/40"))
	n := open(t, Config{Pool: db, Tick: 10 * time.Millisecond}, sized(64))
	n.get(from("p", "first"))
	n.written()
	server.Stop()
	eventually(t, "the node knows that it is cut off", func() bool { return !n.Stats().Attached })
	given := make(map[netip.Prefix]bool)
	for i := range 10 {
		given[n.get(from("p", fmt.Sprint(i))).Prefix()] = true
	}
	var away *UnavailableError
	if _, err := n.Allocate(t.Context(), exactPrefix("x", "2001:db9::/48")); !errors.As(err, &away) {
		t.Errorf("a prefix that only the database can give: %v", err)
	}
	server.Start()
	eventually(t, "the leases are written", func() bool {
		var held int
		err := db.QueryRow(context.Background(), "SELECT count(*) FROM leases WHERE state = 'bound' AND prefix_length = 56").Scan(&held)
		return err == nil && held == 11
	})
	if len(given) != 10 || n.Stats().Conflicts != 0 {
		t.Errorf("%d prefixes, %+v", len(given), n.Stats())
	}
}
