package pool

import (
	"fmt"
	"math"
	"net/netip"
)

// MismatchError says that the exact prefix asked for lies in a pool that gives prefixes of another length, or addresses. That a
// session says it has it makes it none of a pool either where it lies in none.
type MismatchError struct {
	Prefix netip.Prefix
	Pool   string // "" = none
	Length int    // what the pool gives; 0: addresses
}

func (e *MismatchError) Error() string {
	if e.Pool == "" {
		return fmt.Sprintf("%v lies in no pool", e.Prefix)
	}
	gives := "addresses"
	if e.Length > 0 {
		gives = fmt.Sprintf("prefixes of /%d", e.Length)
	}
	return fmt.Sprintf("%v lies in pool %q, which gives %s: ask for one of those, or take it out of the pool", e.Prefix, e.Pool, gives)
}

// Prefix returns what the lease is for; of an address, that address alone.
func (l Lease) Prefix() netip.Prefix { return PrefixOf(l.Address, l.PrefixLength) }

// PrefixOf returns the prefix of this length that begins at the address; the address alone when the length is 0.
func PrefixOf(a netip.Addr, length int) netip.Prefix {
	if length == 0 {
		length = a.BitLen()
	}
	return netip.PrefixFrom(a, length)
}

// First returns the first address of the prefix of this length that a lies in; a itself when the length is 0. It is what a
// prefix is known by.
func First(a netip.Addr, length int) netip.Addr { return PrefixOf(a, length).Masked().Addr() }

// Widen returns the range of the whole prefixes of this length that r touches; r itself when the length is 0.
func (r Range) Widen(length int) Range {
	if length == 0 || !r.Valid() || length > r.First.BitLen() {
		return r
	}
	return Range{First: First(r.First, length), Last: lastOf(PrefixOf(r.Last, length).Masked())}
}

// Count returns the number of prefixes of this length in r, which must be made of whole ones; of addresses when the length
// is 0. [math.MaxUint64] stands for that many or more.
func (r Range) Count(length int) uint64 {
	if length == 0 || !r.Valid() {
		return r.Size()
	}
	first, last := shifted(r.First, length), shifted(r.Last, length)
	return Range{First: first, Last: last}.Size()
}

// shifted moves an address to the right until only its first bits are left, as a number.
func shifted(a netip.Addr, length int) netip.Addr {
	high, low := halves(a)
	if a.Is4() {
		low &= math.MaxUint32
	}
	switch by := uint(a.BitLen() - length); {
	case by >= 64:
		high, low = 0, high>>(by-64)
	case by > 0:
		high, low = high>>by, low>>by|high<<(64-by)
	}
	return fromHalves(high, low)
}

// After returns the first address of the n-th prefix of this length behind the one at a; of the n-th address when the length
// is 0. It must exist.
func After(a netip.Addr, n uint64, length int) netip.Addr {
	octets := a.AsSlice()
	at, carry := len(octets), 0
	if length > 0 {
		at, carry = (length+7)/8, (8-length%8)%8
	}
	// n is added in units of the last bit of the prefix, from the octet that holds it to the left.
	var sum uint64
	for i := at - 1; i >= 0 && (n > 0 || sum > 0); i-- {
		unit := n & (0xff >> carry) << carry
		n >>= 8 - carry
		carry = 0
		sum += uint64(octets[i]) + unit
		octets[i] = byte(sum)
		sum >>= 8
	}
	next, _ := netip.AddrFromSlice(octets)
	return next
}

func fromHalves(high, low uint64) netip.Addr {
	var b [16]byte
	for i := range 8 {
		b[7-i], b[15-i] = byte(high>>(8*i)), byte(low>>(8*i))
	}
	return netip.AddrFrom16(b)
}
