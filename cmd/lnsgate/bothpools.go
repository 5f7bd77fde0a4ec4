package main

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"lnsgate/configs"
	"lnsgate/pool"
	sqlpools "lnsgate/pool/postgres"
)

// bothPools allocates from the pools of the file and from those of the database: each name is in one of the two. It is safe
// for concurrent use.
type bothPools struct {
	file   filePools
	shared pool.Keeper
	inFile atomic.Pointer[fileNames]
}

// filePools are pools in the memory of this process: whether a lease is theirs costs no question.
type filePools interface {
	pool.Keeper
	Holds(pool.Lease) bool
}

// fileNames are the pools and the accounts' own addresses that the file defines.
type fileNames struct {
	pools   map[string]bool
	statics map[netip.Addr]bool
	ranges  []configs.Range
}

// has says whether an address is the file's to give.
func (f *fileNames) has(a netip.Addr) bool {
	return f.statics[a] || slices.ContainsFunc(f.ranges, func(r configs.Range) bool { return r.Contains(a) })
}

func newBothPools(file filePools, shared pool.Keeper, c *configs.Config) *bothPools {
	b := &bothPools{file: file, shared: shared}
	b.configure(c)
	return b
}

// configure takes the names of a new file.
func (b *bothPools) configure(c *configs.Config) {
	names := &fileNames{pools: make(map[string]bool), statics: make(map[netip.Addr]bool)}
	for _, p := range c.Pools {
		names.pools[p.Name] = true
		names.ranges = append(names.ranges, p.Ranges...)
	}
	for _, u := range c.Users {
		if u.Address.IsValid() {
			names.statics[u.Address] = true
		}
		for _, own := range append(prefixList(u.IPv6Prefix), prefixList(u.Delegated)...) {
			names.statics[own.Addr()] = true
		}
	}
	b.inFile.Store(names)
}

// Allocate implements pool.Allocator. The order of the pools holds over both sides. While the database is away its pools are
// passed over like full ones: whoever names a pool of the file behind them wants people to get in.
func (b *bothPools) Allocate(ctx context.Context, r pool.Request) (pool.Lease, error) {
	names := b.inFile.Load()
	if r.Address.IsValid() {
		return b.side(names.has(r.Address)).Allocate(ctx, r)
	}
	if len(r.Pools) == 0 {
		return pool.Lease{}, pool.ErrNoPool
	}
	tried := &pool.ExhaustedError{}
	var away *sqlpools.UnavailableError
	for rest := r.Pools; len(rest) > 0; {
		n := 1
		for n < len(rest) && names.pools[rest[n]] == names.pools[rest[0]] {
			n++
		}
		part := r
		part.Pools, rest = rest[:n], rest[n:]
		lease, err := b.side(names.pools[part.Pools[0]]).Allocate(ctx, part)
		var full *pool.ExhaustedError
		switch {
		case errors.As(err, &full):
			tried.Pools = append(tried.Pools, full.Pools...)
		case errors.As(err, &away):
		default:
			return lease, err
		}
	}
	if away != nil {
		return pool.Lease{}, away
	}
	return pool.Lease{}, tried
}

func (b *bothPools) side(file bool) pool.Keeper {
	if file {
		return b.file
	}
	return b.shared
}

// ofFile says whether an address is the file's to give, or a pool without an address. What the file gives is known in the memory
// of this process alone.
func (b *bothPools) ofFile(l pool.Lease) bool {
	names := b.inFile.Load()
	return names.pools[l.Pool] || names.has(l.Address)
}

// Keep implements pool.Keeper.
func (b *bothPools) Keep(ctx context.Context, l pool.Lease, until time.Time) error {
	return b.side(b.ofFile(l)).Keep(ctx, l, until)
}

// Release implements pool.Allocator. The side that knows the holder gives it back, wherever a reload has moved the name meanwhile. The
// database is asked about nothing that the file has given.
func (b *bothPools) Release(ctx context.Context, l pool.Lease) error {
	return b.side(b.file.Holds(l)).Release(ctx, l)
}

// Usage implements pool.Allocator. Without the database the pools of the file are told, and the error.
func (b *bothPools) Usage(ctx context.Context) ([]pool.Usage, error) {
	file, err1 := b.file.Usage(ctx)
	shared, err2 := b.shared.Usage(ctx)
	return append(file, shared...), errors.Join(err1, err2)
}

// Leases implements pool.Allocator, like Usage.
func (b *bothPools) Leases(ctx context.Context) ([]pool.Lease, error) {
	file, err1 := b.file.Leases(ctx)
	shared, err2 := b.shared.Leases(ctx)
	return append(file, shared...), errors.Join(err1, err2)
}
