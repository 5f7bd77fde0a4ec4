package datapath

import (
	"net/netip"
	"slices"
)

// prefixTable cuts the addresses of one family into runs within which the same rules apply, and lists these rules for
// each run. So a long list of rules for many networks costs a search among sorted numbers and those few rules that speak
// of the address.
type prefixTable struct {
	// starts are the first addresses of the runs, ascending; the first one is zero.
	starts []address
	// ends are where the list of each run ends in order; it begins where the one before it ends.
	ends  []uint32
	order []uint16
}

// span is the addresses that a rule is for.
type span struct {
	rule        uint16
	last        bool // it takes whatever comes to it
	first, upTo address
}

// newPrefixTable takes those rules that are for a direction and a family.
func newPrefixTable(rules []Rule, way Direction, six bool) *prefixTable {
	spans, starts := spansOf(rules, way, six)
	t := new(prefixTable)
	from := 0
	for _, start := range starts {
		begin := len(t.order)
		for _, s := range spans {
			if start.less(s.first) || s.upTo.less(start) {
				continue
			}
			t.order = append(t.order, s.rule)
			if s.last {
				break
			}
		}
		if len(t.starts) > 0 && slices.Equal(t.order[from:begin], t.order[begin:]) {
			t.order = t.order[:begin]
			continue
		}
		from = begin
		t.starts = append(t.starts, start)
		t.ends = append(t.ends, uint32(len(t.order)))
	}
	t.order = slices.Clip(t.order)
	return t
}

// spansOf gives the rules' addresses in the order of the rules, and every address at which one of them begins or the
// next one after it ends.
func spansOf(rules []Rule, way Direction, six bool) (spans []span, starts []address) {
	highest := address{low: 1<<32 - 1}
	if six {
		highest = address{^uint64(0), ^uint64(0)}
	}
	starts = append(starts, address{})
	for i, r := range rules {
		if r.Direction != Both && r.Direction != way {
			continue
		}
		s := span{rule: uint16(i), upTo: highest}
		s.last = r.Protocol == AnyProtocol
		if r.Prefix.IsValid() {
			if r.Prefix.Addr().Is6() != six {
				continue
			}
			s.first, s.upTo = bounds(r.Prefix)
		}
		spans = append(spans, s)
		starts = append(starts, s.first)
		if s.upTo != highest {
			next := address{s.upTo.high, s.upTo.low + 1}
			if next.low == 0 {
				next.high++
			}
			starts = append(starts, next)
		}
	}
	slices.SortFunc(starts, func(a, b address) int {
		switch {
		case a.less(b):
			return -1
		case b.less(a):
			return 1
		}
		return 0
	})
	return spans, slices.Compact(starts)
}

// bounds are the first and the last address of a network.
func bounds(p netip.Prefix) (first, last address) {
	first = addressOf(p.Addr().AsSlice())
	last = first
	free := p.Addr().BitLen() - p.Bits()
	last.low |= 1<<min(free, 64) - 1 // a shift by 64 gives 0, and all ones
	if free > 64 {
		last.high |= 1<<(free-64) - 1
	}
	return first, last
}

// rulesFor lists the rules that speak of an address, in order.
func (t *prefixTable) rulesFor(a address) []uint16 {
	low, high := 0, len(t.starts) // the run is within [low, high)
	for high-low > 1 {
		middle := int(uint(low+high) / 2)
		if a.less(t.starts[middle]) {
			high = middle
		} else {
			low = middle
		}
	}
	from := uint32(0)
	if low > 0 {
		from = t.ends[low-1]
	}
	return t.order[from:t.ends[low]]
}
