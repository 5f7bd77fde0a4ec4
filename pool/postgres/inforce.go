package postgres

import (
	"slices"

	"lnsgate/pool"
)

// Pools lists the pools in force on this node, oldest first, for whoever routes them: the ranges are what may be given away,
// without exclusions and without what is draining. It is empty until Run has reached the database.
func (a *Allocator) Pools() []pool.Pool {
	a.mu.Lock()
	defs := a.defs
	a.mu.Unlock()
	if defs == nil {
		return nil
	}
	var pools []pool.Pool
	for _, d := range defs.pools {
		pools = append(pools, pool.Pool{Name: d.name, Ranges: slices.Clone(d.spans), Quarantine: d.quarantine, Sticky: d.sticky, PrefixLength: d.length})
	}
	return pools
}
