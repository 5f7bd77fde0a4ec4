package memory

import (
	"net/netip"
	"slices"

	"lnsgate/pool"

	"github.com/gaissmai/bart"
)

// own are the prefixes in use that no pool gives: networks of single accounts. They have lengths as administrators like, so
// that one may lie within another, and then it is not enough to look where each begins.
type own struct{ table bart.Table[*entry] }

// overlapping returns an entry that shares addresses with the prefix, nil if there is none.
func (o *own) overlapping(p netip.Prefix) *entry {
	if !o.table.OverlapsPrefix(p) {
		return nil
	}
	for _, wider := range o.table.Supernets(p) {
		return wider
	}
	for _, narrower := range o.table.Subnets(p) {
		return narrower
	}
	return nil
}

// own notes that an entry that has just been leased is a prefix of no pool.
func (a *Allocator) own(e *entry) {
	if e.home == nil && e.lease.PrefixLength > 0 {
		e.own = true
		a.owned.table.Insert(e.lease.Prefix(), e)
	}
}

// disownPrefix forgets that, before the lease ends.
func (a *Allocator) disownPrefix(e *entry) {
	if e.own {
		e.own = false
		a.owned.table.Delete(e.lease.Prefix())
	}
}

// fits says why an exact prefix cannot be had although nobody has just this one: pools give a part of it, or another has an own
// prefix that shares addresses with it. It says nothing against addresses.
func (a *Allocator) fits(address netip.Addr, length int) error {
	if s := a.index.unfit(address, length); s != nil {
		return &pool.MismatchError{Prefix: pool.PrefixOf(address, length), Pool: s.cfg.Name, Length: s.cfg.PrefixLength}
	}
	if length == 0 {
		return nil
	}
	if e := a.owned.overlapping(pool.PrefixOf(address, length)); e != nil && e.lease.Prefix() != pool.PrefixOf(address, length) {
		return &pool.InUseError{Address: address, Holder: e.lease.Holder, Within: e.lease.Prefix()}
	}
	return nil
}

// unfit returns the pool that shares addresses with an exact prefix and gives prefixes of another length; nil if there is none.
func (x index) unfit(address netip.Addr, length int) *state {
	home := x.find(address)
	if home == nil && length > 0 { // a prefix outside must not hold one that a pool gives
		all := pool.Range{First: address, Last: address}.Widen(length)
		if i := slices.IndexFunc(x, func(l located) bool { return l.span.Overlaps(all) }); i >= 0 {
			home = x[i].home
		}
	}
	if home == nil || home.cfg.PrefixLength == length {
		return nil
	}
	return home
}
