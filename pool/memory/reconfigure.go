package memory

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"lnsgate/pool"
)

// Reconfigure replaces pools and statics and keeps every live lease. A leased address that the new pools do not
// contain stays with its holder and goes nowhere when it is released; a pool that is gone empties that way. What was
// released keeps its account and its quarantine while it still lies in a pool. The error reports every fault of the
// new configuration; the old one then stays.
//
// It takes time in proportion to the addresses that have been used, and nothing is allocated meanwhile.
func (a *Allocator) Reconfigure(cfg Config) error {
	reserved, err := reservations(cfg.Statics)
	if err := errors.Join(checkPools(cfg.Pools), err); err != nil {
		return err
	}
	pools := make([]*state, len(cfg.Pools))
	named := make(map[string]*state, len(cfg.Pools))
	for i, p := range cfg.Pools {
		pools[i] = newState(p)
		named[p.Name] = pools[i]
	}
	x := newIndex(pools)
	if err := checkIndex(x); err != nil {
		return err
	}
	if err := checkStatics(x, cfg.Statics); err != nil {
		return err
	}
	for address := range reserved {
		if s := x.find(address); s != nil {
			s.static++
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if cfg.Now != nil {
		a.clock = cfg.Now
	}
	a.pools, a.named, a.index, a.reserved = pools, named, x, reserved
	a.rehome()
	return nil
}

// rehome brings every entry to the pool it lies in now.
func (a *Allocator) rehome() {
	var released []*entry
	for address, e := range a.entries {
		_, reserved := a.reserved[address]
		e.home = a.index.find(address)
		switch {
		case !e.leased && (reserved || e.home == nil):
			delete(a.entries, address)
		case !e.leased:
			released = append(released, e)
		case !reserved && e.home != nil:
			e.home.leased++
		default:
			a.own(e)
		}
	}
	slices.SortFunc(released, func(x, y *entry) int {
		return cmp.Or(x.released.Compare(y.released), x.lease.Address.Compare(y.lease.Address))
	})
	for _, e := range released {
		e.before, e.after = nil, nil
		e.home.rest(e, e.released)
	}
}

func checkPools(pools []pool.Pool) error {
	var faults []error
	seen := make(map[string]bool)
	for _, p := range pools {
		faults = append(faults, p.Validate())
		if seen[p.Name] {
			faults = append(faults, fmt.Errorf("there are two pools named %q", p.Name))
		}
		seen[p.Name] = true
	}
	return errors.Join(faults...)
}

// checkIndex refuses pools that share an address: it would have two owners.
func checkIndex(x index) error {
	var faults []error
	for i := 1; i < len(x); i++ {
		if before := x[i-1]; before.span.Overlaps(x[i].span) && before.home != x[i].home {
			faults = append(faults, fmt.Errorf("pools %q and %q overlap: %v and %v",
				before.home.cfg.Name, x[i].home.cfg.Name, before.span, x[i].span))
		}
	}
	return errors.Join(faults...)
}

// checkStatics refuses reservations that a pool could only serve in part or with more than was reserved.
func checkStatics(x index, statics []Static) error {
	var faults []error
	for _, s := range statics {
		address := pool.First(s.Address.Unmap(), s.PrefixLength)
		if home := x.unfit(address, s.PrefixLength); home != nil {
			faults = append(faults, fmt.Errorf("account %q: %w", s.Account,
				&pool.MismatchError{Prefix: pool.PrefixOf(address, s.PrefixLength), Pool: home.cfg.Name, Length: home.cfg.PrefixLength}))
		}
	}
	return errors.Join(faults...)
}

func reservations(statics []Static) (map[netip.Addr]string, error) {
	var faults []error
	reserved := make(map[netip.Addr]string, len(statics))
	for _, s := range statics {
		address := pool.First(s.Address.Unmap(), s.PrefixLength)
		holder, twice := reserved[address]
		switch {
		case s.Account == "":
			faults = append(faults, fmt.Errorf("static address %v has no account", address))
		case !address.IsValid():
			faults = append(faults, fmt.Errorf("the static address of account %q is not an address", s.Account))
		case twice && holder != s.Account:
			faults = append(faults, fmt.Errorf("address %v is reserved for account %q and for account %q",
				address, holder, s.Account))
		default:
			reserved[address] = s.Account
		}
	}
	return reserved, errors.Join(faults...)
}
