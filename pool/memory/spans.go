package memory

import (
	"net/netip"
	"slices"

	"lnsgate/pool"
)

// cursor walks once over the addresses of some ranges: the high-water mark of a pool. It holds no address before its
// mark as free, so an address that is freed must be remembered elsewhere.
type cursor struct {
	spans  []pool.Range
	mark   netip.Addr // the next address to look at in spans[0]; invalid: its first
	length int        // of the prefixes that it walks over; 0: addresses
}

// take returns the next address that is not taken and moves on behind it; false when there is none left.
func (c *cursor) take(taken func(netip.Addr) bool) (netip.Addr, bool) {
	for len(c.spans) > 0 {
		address := c.mark
		if !address.IsValid() {
			address = c.spans[0].First
		}
		if address == pool.First(c.spans[0].Last, c.length) {
			c.spans, c.mark = c.spans[1:], netip.Addr{}
		} else {
			c.mark = pool.After(address, 1, c.length)
		}
		if !taken(address) {
			return address, true
		}
	}
	return netip.Addr{}, false
}

// index finds the pool of an address. Its spans are disjoint and sorted.
type index []located

type located struct {
	span pool.Range
	home *state
}

func newIndex(pools []*state) index {
	var x index
	for _, s := range pools {
		for _, span := range s.cfg.Spans() {
			x = append(x, located{span: span, home: s})
		}
	}
	slices.SortFunc(x, func(a, b located) int { return a.span.First.Compare(b.span.First) })
	return x
}

// find returns the pool that the address lies in, nil if it lies in none.
func (x index) find(address netip.Addr) *state {
	i, exact := slices.BinarySearchFunc(x, address, func(l located, a netip.Addr) int { return l.span.First.Compare(a) })
	if !exact {
		i--
	}
	if i < 0 || !x[i].span.Contains(address) {
		return nil
	}
	return x[i].home
}
