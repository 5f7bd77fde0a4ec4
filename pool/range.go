package pool

import (
	"fmt"
	"math"
	"math/bits"
	"net/netip"
	"strings"
)

// Range is an inclusive run of addresses of one family. The zero value is an invalid, empty range.
type Range struct {
	First, Last netip.Addr
}

// ParseRange reads a range of a pool in one of three forms:
//
//	10.10.1.10-10.10.1.250   both ends included, taken literally
//	10.10.1.0/24             a network: for IPv4 prefixes shorter than /31 the network and the broadcast address are
//	                         left out; for IPv6 prefixes shorter than /127 the first address is left out (it is the
//	                         subnet-router anycast address, RFC 4291 section 2.6.1)
//	10.10.1.7                one address
func ParseRange(s string) (Range, error) {
	r, isPrefix, err := parse(s)
	if err != nil || !isPrefix || r.First == r.Last || r.First.Next() == r.Last {
		return r, err
	}
	r.First = r.First.Next()
	if r.First.Is4() {
		r.Last = r.Last.Prev()
	}
	return r, nil
}

// ParseExclusion reads the same three forms as [ParseRange], but a network means all its addresses: who excludes
// 10.10.1.0/28 wants none of its sixteen addresses given away.
func ParseExclusion(s string) (Range, error) {
	r, _, err := parse(s)
	return r, err
}

// parse reads any form literally and says whether it was a network.
func parse(s string) (r Range, isPrefix bool, err error) {
	s = strings.TrimSpace(s)
	if strings.Contains(s, "/") {
		r, err = parsePrefix(s)
		return r, true, err
	}
	first, last, found := strings.Cut(s, "-")
	if !found {
		last = first
	}
	if r.First, err = parseAddress(first); err != nil {
		return Range{}, false, err
	}
	if r.Last, err = parseAddress(last); err != nil {
		return Range{}, false, err
	}
	if r.First.BitLen() != r.Last.BitLen() {
		return Range{}, false, fmt.Errorf("range %q mixes IPv4 and IPv6", s)
	}
	if r.Last.Less(r.First) {
		return Range{}, false, fmt.Errorf("range %q ends before it begins", s)
	}
	return r, false, nil
}

func parsePrefix(s string) (Range, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return Range{}, fmt.Errorf("%q is not a network like 10.10.1.0/24", s)
	}
	if p.Addr().Is4In6() {
		return Range{}, fmt.Errorf("%q: write it as an IPv4 network", s)
	}
	if p != p.Masked() {
		return Range{}, fmt.Errorf("%q has bits set behind the prefix; the network is %v", s, p.Masked())
	}
	return Range{First: p.Addr(), Last: lastOf(p)}, nil
}

func parseAddress(s string) (netip.Addr, error) {
	s = strings.TrimSpace(s)
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil:
		return netip.Addr{}, fmt.Errorf("%q is not an IP address", s)
	case a.Zone() != "":
		return netip.Addr{}, fmt.Errorf("%q: an address of a pool has no zone", s)
	case a.Is4In6():
		return netip.Addr{}, fmt.Errorf("%q: write it as an IPv4 address", s)
	}
	return a, nil
}

// lastOf returns the highest address of a masked prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := range b {
		switch keep := p.Bits() - 8*i; {
		case keep <= 0:
			b[i] = 0xff
		case keep < 8:
			b[i] |= 0xff >> keep
		}
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// Valid reports whether both ends are addresses of one family in order.
func (r Range) Valid() bool {
	return r.First.IsValid() && r.First.BitLen() == r.Last.BitLen() && !r.Last.Less(r.First)
}

// Contains reports whether a lies in r. An address of the other family never does.
func (r Range) Contains(a netip.Addr) bool {
	return a.BitLen() == r.First.BitLen() && !a.Less(r.First) && !r.Last.Less(a)
}

// Overlaps reports whether r and o have an address in common.
func (r Range) Overlaps(o Range) bool {
	return r.Contains(o.First) || o.Contains(r.First)
}

// Size returns the number of addresses in r. IPv6 ranges with 2^64 addresses or more answer [math.MaxUint64].
func (r Range) Size() uint64 {
	if !r.Valid() {
		return 0
	}
	firstHigh, firstLow := halves(r.First)
	lastHigh, lastLow := halves(r.Last)
	low, borrow := bits.Sub64(lastLow, firstLow, 0)
	high, _ := bits.Sub64(lastHigh, firstHigh, borrow)
	if high != 0 || low == math.MaxUint64 {
		return math.MaxUint64
	}
	return low + 1
}

// halves returns an address as a 128-bit number.
func halves(a netip.Addr) (high, low uint64) {
	b := a.As16()
	for i := range 8 {
		high = high<<8 | uint64(b[i])
		low = low<<8 | uint64(b[i+8])
	}
	return high, low
}

// String prints "first-last", or the one address of a range of one.
func (r Range) String() string {
	if r.First == r.Last {
		return r.First.String()
	}
	return r.First.String() + "-" + r.Last.String()
}

// Subtract returns what is left of r without the addresses of cut, in order. It has at most one range more than cut.
func (r Range) Subtract(cut ...Range) []Range {
	left := []Range{r}
	for _, c := range cut {
		var next []Range
		for _, piece := range left {
			next = append(next, piece.without(c)...)
		}
		left = next
	}
	return left
}

func (r Range) without(c Range) []Range {
	if !r.Overlaps(c) {
		return []Range{r}
	}
	var left []Range
	// Next and Prev cannot run off the end of the family here: there is an address of r beyond the cut.
	if r.First.Less(c.First) {
		left = append(left, Range{First: r.First, Last: c.First.Prev()})
	}
	if c.Last.Less(r.Last) {
		left = append(left, Range{First: c.Last.Next(), Last: r.Last})
	}
	return left
}
