package main

import (
	"context"

	"lnsgate/pool"
)

// leaseWorkers is how many ask for an address at once.
const leaseWorkers = 1024

// measureLeases has one node give addresses away, with default settings: first to accounts that have never had one, then to
// the same accounts when they come back. The clock stops when all leases are in the table.
func measureLeases(ctx context.Context, b *bench, _ *world) error {
	s, d, err := b.office(ctx)
	if err != nil {
		return err
	}
	if err := d.fresh(ctx); err != nil {
		return err
	}
	n, err := openNode(ctx, s, d)
	if err != nil {
		return err
	}
	defer n.close()
	for _, round := range []string{"accounts without a past", "accounts that come back"} {
		var rate float64
		var leases []pool.Lease
		err := b.profiledHere("leases-"+round, d, func() (err error) {
			rate, leases, err = n.rate(ctx, b.size.accounts, leaseWorkers, func(i int) (pool.Lease, error) {
				return n.leases.Allocate(ctx, pool.Request{
					Pools: []string{"sales"}, Account: user(1, 1+i), Holder: sessionID(round, i),
				})
			})
			return err
		})
		if err != nil {
			return err
		}
		if err := n.release(ctx, leases); err != nil {
			return err
		}
		b.figures.add("leases per second of one node, "+round, "/s", rate, "at least 50,000 /s")
	}
	return nil
}
