package memory

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"lnsgate/pool"
)

// Static reserves an address for an account; see [pool.Static].
type Static = pool.Static

// Config is what an Allocator serves.
type Config struct {
	Pools   []pool.Pool
	Statics []Static
	Now     func() time.Time // the clock; nil means time.Now, or in Reconfigure the clock it already has
}

// Allocator is the in-process [pool.Allocator]. One mutex guards it; what happens under the mutex takes constant time,
// averaged over the calls.
type Allocator struct {
	mu       sync.Mutex
	clock    func() time.Time
	latest   time.Time             // the clock's highest answer: time never runs backwards here
	pools    []*state              // in the order of the configuration
	named    map[string]*state     // the same by name
	index    index                 // the same by address
	reserved map[netip.Addr]string // static address -> account
	entries  map[netip.Addr]*entry // every address that is leased or was released, and no other
	owned    own                   // those of them that are prefixes of no pool, and leased
	foreign  map[string][]*entry   // leases of sessions that other NASes carry, by holder
	ending   queue                 // those of them that end by themselves
}

var _ pool.Allocator = (*Allocator)(nil)

// New checks the configuration and reports all its faults in one error.
func New(cfg Config) (*Allocator, error) {
	a := &Allocator{clock: time.Now, entries: make(map[netip.Addr]*entry), foreign: make(map[string][]*entry)}
	if err := a.Reconfigure(cfg); err != nil {
		return nil, err
	}
	return a, nil
}

// Allocate implements [pool.Allocator].
func (a *Allocator) Allocate(ctx context.Context, r pool.Request) (pool.Lease, error) {
	if err := ctx.Err(); err != nil {
		return pool.Lease{}, err
	}
	if r.Holder == "" {
		return pool.Lease{}, pool.ErrNoHolder
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if r.Address.IsValid() {
		return a.allocateExactly(r, now)
	}
	return a.allocateFromPools(r, now)
}

// Holds says whether the lease is in the hand of its holder, and was given here.
func (a *Allocator) Holds(l pool.Lease) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.held(l) != nil
}

// held is the entry of a lease that its holder has; nil when there is none. The mutex is held.
func (a *Allocator) held(l pool.Lease) *entry {
	if e := a.entries[l.Address.Unmap()]; e != nil && e.leased && e.lease.Holder == l.Holder {
		return e
	}
	return nil
}

// Release implements [pool.Allocator]. It looks at no deadline: an address is given back even when time is up.
func (a *Allocator) Release(_ context.Context, l pool.Lease) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	e := a.held(l)
	if e == nil {
		return nil
	}
	e.offered = false // who gives it back may have used it
	home := e.home
	a.end(e, now)
	if home != nil {
		home.ripen(now)
	}
	return nil
}

// end takes a lease from its holder.
func (a *Allocator) end(e *entry, at time.Time) {
	a.disown(e)
	a.disownPrefix(e)
	_, reserved := a.reserved[e.lease.Address]
	if e.home == nil || reserved {
		delete(a.entries, e.lease.Address)
		return
	}
	e.home.leased--
	e.home.rest(e, at)
}

// Usage implements [pool.Allocator].
func (a *Allocator) Usage(context.Context) ([]pool.Usage, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	usage := make([]pool.Usage, len(a.pools))
	for i, s := range a.pools {
		s.ripen(now)
		usage[i] = s.usage()
	}
	return usage, nil
}

// Leases implements [pool.Allocator].
func (a *Allocator) Leases(context.Context) ([]pool.Lease, error) {
	leases := a.leases()
	slices.SortFunc(leases, func(x, y pool.Lease) int { return x.Address.Compare(y.Address) })
	return leases, nil
}

func (a *Allocator) leases() []pool.Lease {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now()
	leases := make([]pool.Lease, 0, len(a.entries))
	for _, e := range a.entries {
		if e.leased {
			leases = append(leases, e.lease)
		}
	}
	return leases
}

// now asks the clock and keeps it from running backwards, which would put the lists out of order. What has run out until then
// ends.
func (a *Allocator) now() time.Time {
	if now := a.clock(); now.After(a.latest) {
		a.latest = now
	}
	a.expire(a.latest)
	return a.latest
}

// allocateExactly serves a request that names its address. Quarantine does not hold the address back: that this account
// has this address is a decision of the administrator.
func (a *Allocator) allocateExactly(r pool.Request, now time.Time) (pool.Lease, error) {
	address := pool.First(r.Address.Unmap(), r.PrefixLength)
	if err := a.fits(address, r.PrefixLength); err != nil {
		return pool.Lease{}, err
	}
	account, reserved := a.reserved[address]
	if reserved && account != r.Account {
		return pool.Lease{}, &pool.ReservedError{Address: address, Account: account}
	}
	e := a.entries[address]
	switch {
	case e == nil:
		e = a.enter(address)
	case !e.leased:
		e.home.forget(e)
	case e.lease.Holder == r.Holder && e.lease.Account == r.Account:
		return a.repeat(e, r, now), nil
	case e.offered && r.Account != "" && r.Account == e.lease.Account:
		a.end(e, now)
		return a.allocateExactly(r, now)
	default:
		return pool.Lease{}, &pool.InUseError{Address: address, Holder: e.lease.Holder}
	}
	a.count(e)
	why := "the address that was asked for"
	if reserved {
		why = "static address of the account"
	}
	return a.lend(e, r, now, why), nil
}

// count adds an entry that is about to be leased to those of its pool.
func (a *Allocator) count(e *entry) {
	if _, reserved := a.reserved[e.lease.Address]; e.home != nil && !reserved {
		e.home.leased++
	}
}

// allocateFromPools serves a request that names pools: the account's last address, or else the first free one.
func (a *Allocator) allocateFromPools(r pool.Request, now time.Time) (pool.Lease, error) {
	if len(r.Pools) == 0 {
		return pool.Lease{}, pool.ErrNoPool
	}
	for _, name := range r.Pools {
		s := a.named[name]
		if s == nil {
			return pool.Lease{}, &pool.UnknownPoolError{Name: name}
		}
		s.ripen(now)
	}
	if e := a.again(r); e != nil && r.Offer > 0 {
		return a.repeat(e, r, now), nil
	}
	if e := a.lastOf(r); e != nil {
		e.home.forget(e)
		e.home.leased++
		return a.lend(e, r, now, "sticky: the last address of the account"), nil
	}
	for i, name := range r.Pools {
		if e := a.next(a.named[name]); e != nil {
			e.home.leased++
			return a.lend(e, r, now, why(e.home, i)), nil
		}
	}
	exhausted := &pool.ExhaustedError{Pools: make([]pool.Usage, len(r.Pools))}
	for i, name := range r.Pools {
		exhausted.Pools[i] = a.named[name].usage()
	}
	return pool.Lease{}, exhausted
}

// lastOf returns the address that the account released last in any of the pools, nil if there is none.
func (a *Allocator) lastOf(r pool.Request) *entry {
	var last *entry
	if r.Account == "" {
		return nil
	}
	for _, name := range r.Pools {
		if e := a.named[name].last[r.Account]; e != nil && (last == nil || e.released.After(last.released)) {
			last = e
		}
	}
	return last
}

// next takes a free address out of the pool: one that was never used, or else the one that has been free longest. A
// pool that already remembers idleLimit free addresses takes the oldest of those first, which bounds the memory.
func (a *Allocator) next(s *state) *entry {
	if s.idle.count < idleLimit {
		if address, found := s.fresh.take(a.taken); found {
			return a.enter(address)
		}
	}
	e := s.idle.head
	if e != nil {
		s.forget(e)
	}
	return e
}

// taken reports whether the address is not fresh: reserved, leased or remembered.
func (a *Allocator) taken(address netip.Addr) bool {
	if _, reserved := a.reserved[address]; reserved {
		return true
	}
	return a.entries[address] != nil
}

// enter makes the entry of an address that has none.
func (a *Allocator) enter(address netip.Addr) *entry {
	e := &entry{lease: pool.Lease{Address: address}, home: a.index.find(address)}
	a.entries[address] = e
	return e
}

// why says in words which pool an address came from and why that one.
func why(s *state, position int) string {
	if position == 0 {
		return s.why
	}
	return s.why + ", pool " + strconv.Itoa(position+1) + " of the list: the ones before it are full"
}
