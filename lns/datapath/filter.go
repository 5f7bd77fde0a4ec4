package datapath

import (
	"encoding/binary"
	"slices"
)

// MaxRules is how many rules a filter may have. It bounds the memory of one: its tables hold at worst, when everything
// overlaps everything, some 16 MB.
const MaxRules = 2000

// Filter is an ordered list of rules: the first one that matches a packet decides, and the default when none does. It
// never changes, so any number of sessions and goroutines use one at once; a change of policy is another Filter. A nil
// *Filter lets everything pass.
//
// It is stateless: each packet is judged by itself. "allow 10.1.0.0/16 tcp 443" lets the peer reach those servers and
// lets their answers back, because address and port are those of the far end both ways. It also lets through a segment
// that a program on those servers sends from port 443 without having been asked. What must not be possible at all is a
// rule for Down with Established, or a firewall behind the virtual template.
//
// Where a packet does not show all that a rule asks for, it is judged so that nothing gets through that the rules were
// not asked about:
//   - Fragments other than the first have no ports, types or flags. A rule that asks for any of these is passed over for
//     them if it allows, and matches them if it denies.
//   - Denied, whatever the rules say, are packets whose headers are cut short or contradict themselves, a fragment that
//     begins within the TCP header (RFC 1858 section 3.2.2), IPv4 source routes and IPv6 routing headers that are not used up
//     (their destination is not where they go), and IPv6 packets with more than 8 extension headers or with one of them
//     behind the first fragment (RFC 7112).
type Filter struct {
	name      string
	otherwise Action
	rules     []Rule
	terms     []term
	ranges    []PortRange
	// tables are those of Up and Down, each for IPv4 and IPv6.
	tables [2][2]*prefixTable
}

// term is what is left to be compared of a rule once its address and direction are known to match.
type term struct {
	allow       bool
	established bool
	protocol    Protocol
	from, to    uint32 // in the filter's ranges
}

// NewFilter compiles rules. The name is for people. An error joins a *RuleError for every fault.
func NewFilter(name string, otherwise Action, rules []Rule) (*Filter, error) {
	if err := checkRules(rules); err != nil {
		return nil, err
	}
	f := &Filter{name: name, otherwise: otherwise, rules: cloneRules(rules)}
	directed := false
	for _, r := range rules {
		from := len(f.ranges)
		f.ranges = append(f.ranges, r.ranges()...)
		f.terms = append(f.terms, term{
			allow: r.Action == Allow, established: r.Established, protocol: r.Protocol,
			from: uint32(from), to: uint32(len(f.ranges)),
		})
		directed = directed || r.Direction != Both
	}
	f.tables[0] = [2]*prefixTable{newPrefixTable(rules, Up, false), newPrefixTable(rules, Up, true)}
	f.tables[1] = f.tables[0]
	if directed {
		f.tables[1] = [2]*prefixTable{newPrefixTable(rules, Down, false), newPrefixTable(rules, Down, true)}
	}
	return f, nil
}

func cloneRules(rules []Rule) []Rule {
	rules = slices.Clone(rules)
	for i := range rules {
		rules[i].Ports, rules[i].Types = slices.Clone(rules[i].Ports), slices.Clone(rules[i].Types)
	}
	return rules
}

// Name is what the filter was given as its name. A nil filter has none.
func (f *Filter) Name() string {
	if f == nil {
		return ""
	}
	return f.name
}

// Default is what happens to packets that match no rule.
func (f *Filter) Default() Action {
	if f == nil {
		return Allow
	}
	return f.otherwise
}

// Rules are the rules in their order.
func (f *Filter) Rules() []Rule {
	if f == nil {
		return nil
	}
	return cloneRules(f.rules)
}

// Shadow is a rule that can never match, because an earlier one takes all of its packets. Both count from 1.
type Shadow struct{ Rule, By int }

// Shadows finds rules that one earlier rule takes everything from. It does not see what several take together.
func (f *Filter) Shadows() (found []Shadow) {
	if f == nil {
		return nil
	}
	for i, r := range f.rules {
		if by := slices.IndexFunc(f.rules[:i], func(before Rule) bool { return before.covers(r) }); by >= 0 {
			found = append(found, Shadow{Rule: i + 1, By: by + 1})
		}
	}
	return found
}

// Allows says whether a packet may pass on its way up or down. The packet is one whole IPv4 or IPv6 packet, from the
// first octet of its header to its end. It does not allocate.
func (f *Filter) Allows(way Direction, packet []byte) bool {
	if f == nil {
		return true
	}
	var h headers
	if !h.read(way, packet) {
		return false
	}
	tables := &f.tables[0]
	if way == Down {
		tables = &f.tables[1]
	}
	table := tables[0]
	if h.six {
		table = tables[1]
	}
	for _, n := range table.rulesFor(h.far) {
		if t := &f.terms[n]; t.matches(&h, f.ranges) {
			return t.allow
		}
	}
	return f.otherwise == Allow
}

// matches compares what a prefix table does not.
func (t *term) matches(h *headers, ranges []PortRange) bool {
	if t.protocol != AnyProtocol && t.protocol != h.protocol {
		return false
	}
	asks := t.from != t.to || t.established
	if asks && h.fragment {
		return !t.allow
	}
	if t.established && !h.established {
		return false
	}
	if t.from == t.to {
		return true
	}
	for _, r := range ranges[t.from:t.to] {
		if h.port <= r.Last {
			return r.First <= h.port
		}
	}
	return false
}

// address is one of IPv6 as a number in two halves, or one of IPv4 in the lower half.
type address struct{ high, low uint64 }

func addressOf(b []byte) address {
	if len(b) == 4 {
		return address{low: uint64(binary.BigEndian.Uint32(b))}
	}
	return address{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

func (a address) less(b address) bool { return a.high < b.high || a.high == b.high && a.low < b.low }
