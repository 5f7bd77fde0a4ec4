package memory

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"lnsgate/pool"
)

var _ pool.Observer = (*Allocator)(nil)

// lookedAt is how many addresses are looked at while nobody may allocate.
const lookedAt = 1024

// Spans implements [pool.Observer].
func (a *Allocator) Spans(name string) ([]pool.Range, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.named[name]
	if s == nil {
		return nil, &pool.UnknownPoolError{Name: name}
	}
	return s.cfg.Spans(), nil
}

// Addresses implements [pool.Observer].
func (a *Allocator) Addresses(ctx context.Context, name string, after netip.Addr, limit int) ([]pool.Occupancy, error) {
	a.mu.Lock()
	s := a.named[name]
	a.mu.Unlock()
	if s == nil {
		return nil, &pool.UnknownPoolError{Name: name}
	}
	var list []pool.Occupancy
	for some := range slices.Chunk(pool.Walk(s.cfg.Spans(), s.cfg.PrefixLength, after, limit), lookedAt) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		list = a.occupancies(list, some, s.cfg.Quarantine)
	}
	return list, nil
}

func (a *Allocator) occupancies(list []pool.Occupancy, some []netip.Addr, quarantine time.Duration) []pool.Occupancy {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	for _, address := range some {
		list = append(list, a.occupancy(address, now, quarantine))
	}
	return list
}

func (a *Allocator) occupancy(address netip.Addr, now time.Time, quarantine time.Duration) pool.Occupancy {
	o := pool.Occupancy{Address: address}
	account, static := a.reserved[address]
	if static {
		o.State, o.Static, o.Account = pool.Kept, true, account
	}
	e := a.entries[address]
	if e == nil {
		return o
	}
	o.Account, o.Holder = e.lease.Account, e.lease.Holder
	if e.leased {
		o.State, o.Since, o.Until = pool.Leased, e.lease.Since, e.lease.Expires
		return o
	}
	o.Since = e.released
	if until := e.released.Add(quarantine); now.Before(until) && !e.offered {
		o.State, o.Until = pool.Quarantined, until
	}
	return o
}

// Forecast implements [pool.Observer].
func (a *Allocator) Forecast(_ context.Context, r pool.Request) (pool.Lease, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if r.Address.IsValid() {
		return a.forecastExactly(r)
	}
	if len(r.Pools) == 0 {
		return pool.Lease{}, pool.ErrNoPool
	}
	for _, name := range r.Pools {
		s := a.named[name]
		if s == nil {
			return pool.Lease{}, &pool.UnknownPoolError{Name: name}
		}
		s.ripen(now) // as any look at the pool does
	}
	if e := a.lastOf(r); e != nil {
		return pool.Lease{Address: e.lease.Address, Pool: e.home.cfg.Name, Account: r.Account, Why: "sticky: the last address of the account"}, nil
	}
	exhausted := &pool.ExhaustedError{}
	for i, name := range r.Pools {
		usage := a.named[name].usage()
		if usage.Free() > 0 {
			return pool.Lease{Pool: name, Account: r.Account, Why: why(a.named[name], i)}, nil
		}
		exhausted.Pools = append(exhausted.Pools, usage)
	}
	return pool.Lease{}, exhausted
}

func (a *Allocator) forecastExactly(r pool.Request) (pool.Lease, error) {
	address := pool.First(r.Address.Unmap(), r.PrefixLength)
	if err := a.fits(address, r.PrefixLength); err != nil {
		return pool.Lease{}, err
	}
	account, reserved := a.reserved[address]
	if reserved && account != r.Account {
		return pool.Lease{}, &pool.ReservedError{Address: address, Account: account}
	}
	if e := a.entries[address]; e != nil && e.leased && !(e.offered && r.Account != "" && r.Account == e.lease.Account) {
		return pool.Lease{}, &pool.InUseError{Address: address, Holder: e.lease.Holder}
	}
	lease := pool.Lease{Address: address, Account: r.Account, Why: "the address that was asked for"}
	if reserved {
		lease.Why = "static address of the account"
	}
	if home := a.index.find(address); home != nil {
		lease.Pool = home.cfg.Name
	}
	return lease, nil
}
