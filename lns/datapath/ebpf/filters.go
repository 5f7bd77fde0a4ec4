package ebpf

import (
	"bytes"
	"net/netip"
	"sync"
	"time"

	"lnsgate/lns/datapath"
)

// mostRules is how many rules a filter may have in the kernel, each run of ports or types counted as one.
const mostRules = len(pathFilter{}.Rule)

// What a rule asks for, as in tables.h.
const (
	ruleUp = 1 << iota
	ruleDown
	ruleIPv4
	ruleIPv6
	ruleEstablished
)

// compile writes a filter as the programs read it. It says false when it has too many rules.
func compile(f *datapath.Filter) (c pathFilter, ok bool) {
	c.Allow = uint32(f.Default())
	for _, rule := range f.Rules() {
		r := compileRule(rule)
		ranges := rule.Ports
		for _, number := range rule.Types {
			ranges = append(ranges, datapath.PortRange{First: uint16(number), Last: uint16(number)})
		}
		if len(ranges) == 0 {
			ranges = []datapath.PortRange{{First: 0, Last: 1<<16 - 1}}
		}
		for _, run := range ranges {
			if int(c.Rules) == mostRules {
				return c, false
			}
			r.First, r.Last = run.First, run.Last
			c.Rule[c.Rules] = r
			c.Rules++
		}
	}
	return c, true
}

// compileRule leaves out the ports.
func compileRule(rule datapath.Rule) pathRule {
	r := pathRule{Protocol: uint8(rule.Protocol), Allow: uint8(rule.Action)}
	if rule.Protocol != datapath.AnyProtocol {
		r.ProtocolMask = 0xFF
	}
	switch rule.Direction {
	case datapath.Up:
		r.Asks |= ruleUp
	case datapath.Down:
		r.Asks |= ruleDown
	}
	if rule.Established {
		r.Asks |= ruleEstablished
	}
	if !rule.Prefix.IsValid() {
		return r
	}
	r.Asks |= ruleIPv4
	if rule.Prefix.Addr().Is6() {
		r.Asks ^= ruleIPv4 | ruleIPv6
	}
	r.Prefix = words(rule.Prefix.Addr())
	mask, _ := netip.AddrFrom16([16]byte(bytes.Repeat([]byte{0xFF}, 16))).Prefix(rule.Prefix.Bits())
	r.Mask = words(mask.Addr())
	return r
}

// words is an address as it lies in memory, one of IPv4 in the first word.
func words(a netip.Addr) (w [4]uint32) {
	b := a.AsSlice()
	for i := range len(b) / 4 {
		w[i] = number4(netip.AddrFrom4([4]byte(b[4*i:])))
	}
	return w
}

// filters keeps those filters in the kernel that sessions have. Filters with the same rules are one there. One that nobody has any
// more stays until its place is needed, and long enough for programs that look at it.
type filters struct {
	put  func(number uint32, c pathFilter) error
	most uint32 // the numbers are below this

	mu   sync.Mutex // guards what follows
	held map[pathFilter]*heldFilter
}

// heldFilter is a filter in the kernel.
type heldFilter struct {
	number uint32
	users  int
	left   time.Time // when the last of these went
}

// take puts a filter into the kernel. It says false when it does not fit there.
func (all *filters) take(f *datapath.Filter, now time.Time) (h *heldFilter, ok bool) {
	c, ok := compile(f)
	if !ok {
		return nil, false
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	if h = all.held[c]; h != nil {
		h.users++
		return h, true
	}
	number, old, ok := all.free(now)
	if !ok || all.put(number, c) != nil {
		return nil, false
	}
	if old != nil {
		delete(all.held, *old)
	}
	h = &heldFilter{number: number, users: 1}
	all.held[c] = h
	return h, true
}

// free finds a number that no program looks at, and the filter that has it and must go. 0 stands for no filter.
func (all *filters) free(now time.Time) (number uint32, old *pathFilter, ok bool) {
	if n := uint32(len(all.held)) + 1; n < all.most {
		return n, nil, true
	}
	var left time.Time
	for c, h := range all.held {
		if h.users == 0 && now.Sub(h.left) > settled && (old == nil || h.left.Before(left)) {
			number, old, left = h.number, &c, h.left
		}
	}
	return number, old, old != nil
}

// leave says that a session does not have a filter any more; nil is none.
func (all *filters) leave(h *heldFilter, now time.Time) {
	if h == nil {
		return
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	if h.users--; h.users == 0 {
		h.left = now
	}
}
