package foreign_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
	"lnsgate/pool"
)

// away is a Store that may be out of reach.
type away struct {
	foreign.Store
	fault error
}

func (a *away) Find(ctx context.Context, q foreign.Query) ([]aaa.Record, error) {
	if a.fault != nil {
		return nil, a.fault
	}
	return a.Store.Find(ctx, q)
}

// TestOffersOfAClockThatWasSetBack are not set aside for longer than an offer lasts.
func TestOffersOfAClockThatWasSetBack(t *testing.T) {
	run(t, func(r *rig) {
		address := r.pools.first(t)
		offer := pool.Lease{Address: address, Pool: "p", Account: "ann", Holder: "nas/before", Expires: time.Now().Add(5 * time.Hour)}
		if err := r.store.Offered(r.Context(), offer); err != nil {
			t.Fatal(err)
		}
		r.restart()
		if h := r.pools.holder(t, address.String()); h != offer.Holder {
			t.Fatalf("the address is %q's", h)
		}
		r.pass(2 * time.Minute)
		if h := r.pools.holder(t, address.String()); h != "" {
			t.Errorf("the address is still %q's", h)
		}
	})
}

// A node that shares its sessions with others, and has pools of its own in memory: after a start nobody is let in to those before
// it is known which of their addresses are taken. Who gets none of them does not wait.
func TestPoolsOfThisProcessBesideSharedOnes(t *testing.T) {
	store := &away{}
	run(t, func(r *rig) {
		start := r.open("nas", "ann")
		second := r.open("nas", "bob")
		r.stop()
		r.pools = newPools(t) // what was in memory is gone
		r.config.Pools, r.config.Node = r.pools, "n2"
		store.fault = errors.New("it is away")
		r.start()
		if _, _, err := r.login("nas", "cid"); cause(err) != aaa.BackendUnavailable {
			t.Errorf("while it is not known who has which address: %v", err)
		}
		r.people.set("bob", aaa.Decision{Account: "bob", Domain: "d", Pools: []string{"shared"}})
		if _, _, err := r.login("wifi", "bob"); err != nil {
			t.Errorf("who gets no address of this process: %v", err)
		}
		store.fault = nil
		_, d := r.mustLogin("nas", "cid")
		if d.Address == start.Address || d.Address == second.Address {
			t.Errorf("%s has been given to a second one", d.Address)
		}
		r.tell(later(second, aaa.RecordInterim))
		if h := r.pools.holder(t, second.Address.String()); h != second.Session {
			t.Errorf("the address of %s is %q's", second.Session, h)
		}
	}, func(c *foreign.Config) {
		store.Store, c.Store, c.Shared = c.Store, store, true
		c.Own = func(l pool.Lease) bool { return l.Pool == "p" }
	})
}
