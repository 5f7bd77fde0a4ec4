package foreign

import (
	"net/netip"
	"slices"

	"lnsgate/aaa"
	"lnsgate/pool"
)

// part is one of the things that a session may have of ours.
type part int

// The parts.
const (
	four      part = iota // its IPv4 address
	link                  // the IPv6 prefix of its link
	delegated             // the one for the networks behind it
	parts
)

// String returns it as the sentence needs it that tells of it.
func (p part) String() string {
	return [...]string{"address", "IPv6 prefix", "delegated IPv6 prefix"}[p]
}

// prefixes are the parts that are.
var prefixes = [...]part{link, delegated}

// leases are what a session has of ours. A part without an Address it does not have.
type leases [parts]pool.Lease

// only makes the leases of one part.
func only(p part, l pool.Lease) (all leases) {
	all[p] = l
	return all
}

// any says that there is one.
func (l *leases) any() bool {
	return slices.ContainsFunc(l[:], func(one pool.Lease) bool { return one.Address.IsValid() })
}

// list are those that it has.
func (l *leases) list() (all []pool.Lease) {
	for _, one := range l {
		if one.Address.IsValid() {
			all = append(all, one)
		}
	}
	return all
}

// include says that one of them is for this, as whatever part.
func (l *leases) include(address netip.Addr) bool {
	return slices.ContainsFunc(l[:], func(one pool.Lease) bool { return one.Address == address })
}

// leaseOf is the lease of what a record tells of; an address has no length.
func leaseOf(has netip.Prefix) pool.Lease {
	l := pool.Lease{Address: has.Masked().Addr()}
	if has.Addr().Is6() {
		l.PrefixLength = has.Bits()
	}
	return l
}

// told is what a record says that its session has; an address as a prefix of all its bits.
func told(p part, r *aaa.Record) netip.Prefix {
	switch p {
	case link:
		return r.IPv6.Prefix
	case delegated:
		return r.IPv6.Delegated
	}
	return netip.PrefixFrom(r.Address, r.Address.BitLen())
}

// tell has a record say it.
func tell(p part, r *aaa.Record, has netip.Prefix) {
	switch p {
	case link:
		r.IPv6.Prefix = has
	case delegated:
		r.IPv6.Delegated = has
	default:
		r.Address = has.Addr()
	}
}

// tellPrefixes has a record say which prefixes its session was lent, where it does not say.
func (e *entry) tellPrefixes(r *aaa.Record) {
	for _, p := range prefixes {
		if lease := e.leases[p]; lease.Address.IsValid() && !told(p, r).IsValid() {
			tell(p, r, lease.Prefix())
		}
	}
}

// textOf is what a lease is for, as people write it.
func textOf(l pool.Lease) string {
	if l.PrefixLength == 0 {
		return l.Address.String()
	}
	return l.Prefix().String()
}

// liesIn says that a prefix is another one, or a part of it.
func liesIn(p, of netip.Prefix) bool { return of.Contains(p.Addr()) && p.Bits() >= of.Bits() }
