package configs

import (
	"fmt"
	"slices"
)

// mostRules is what lns/datapath takes. A test of cmd/lnsgate holds the two against each other.
const mostRules = 2000

func (c *checker) filterNames() []string {
	return namesOf(c.cfg.Filters, func(f Filter) string { return f.Name })
}

func (c *checker) checkFilters() {
	c.names("filters", c.filterNames(), exact)
	for i, f := range c.cfg.Filters {
		path := fmt.Sprintf("filters[%d].rules", i)
		if len(f.Rules) > mostRules {
			c.say(path, "%d rules are more than the %d that a filter may have", len(f.Rules), mostRules)
		}
		for j, r := range f.Rules {
			c.checkFilterRule(fmt.Sprintf("%s[%d]", path, j), r)
		}
	}
}

func (c *checker) checkFilterRule(path string, r FilterRule) {
	if r.Action == 0 {
		c.say(path+".action", "there is no action; write allow or deny")
	}
	if r.To != r.To.Masked() {
		c.say(path+".to", "%v has bits set behind the prefix; the network is %v", r.To, r.To.Masked())
	}
	switch four, six := r.To.Addr().Is4(), r.To.Addr().Is6(); {
	case r.Protocol < 0 || r.Protocol > 255:
		c.say(path+".protocol", "%d is not the number of an IP protocol, which is at most 255", r.Protocol)
	case four && r.Protocol == ProtocolICMPv6:
		c.say(path+".protocol", "icmpv6 does not go to the IPv4 network %v; write icmp", r.To)
	case six && r.Protocol == ProtocolICMP:
		c.say(path+".protocol", "icmp does not go to the IPv6 network %v; write icmpv6", r.To)
	}
	if len(r.Ports) > 0 && !r.Protocol.hasPorts() {
		c.say(path+".ports", "ports need protocol: tcp, udp or sctp; here it is %v", r.Protocol)
	}
	for i, p := range r.Ports {
		if p&portRange == 0 {
			c.between(fmt.Sprintf("%s.ports[%d]", path, i), int(p), 0, 65535)
		}
	}
	if len(r.Types) > 0 && !r.Protocol.hasTypes() {
		c.say(path+".types", "types need protocol: icmp or icmpv6; here it is %v", r.Protocol)
	}
	for i, number := range r.Types {
		c.between(fmt.Sprintf("%s.types[%d]", path, i), number, 0, 255)
	}
	if r.Established && r.Protocol != ProtocolTCP {
		c.say(path+".established", "established needs protocol: tcp; here it is %v", r.Protocol)
	}
}

// warnOfFilters reports rules that can never match. The list in a message counts from 1, as people count.
func (c *checker) warnOfFilters() {
	for i, f := range c.cfg.Filters {
		for j, r := range f.Rules {
			k := slices.IndexFunc(f.Rules[:j], func(before FilterRule) bool { return before.covers(r) })
			if k >= 0 {
				c.advise(fmt.Sprintf("filters[%d].rules[%d]", i, j),
					"rule %d of %s can never match: rule %d takes all of its packets before", j+1, f.Name, k+1)
			}
		}
	}
}

// covers says that this rule matches whatever the other one does. It is the rule of lns/datapath, which sees no line
// numbers; a test of cmd/lnsgate holds the two against each other.
func (r FilterRule) covers(other FilterRule) bool {
	switch {
	case r.Direction != BothWays && r.Direction != other.Direction,
		r.To.IsValid() && !(r.To.Overlaps(other.To) && r.To.Bits() <= other.To.Bits()),
		r.Protocol != AnyProtocol && r.Protocol != other.Protocol,
		r.Established && !other.Established:
		return false
	}
	mine, others := r.numbers(), other.numbers()
	if len(mine) == 0 {
		return true
	}
	return len(others) > 0 && !slices.ContainsFunc(others, func(o Ports) bool {
		return !slices.ContainsFunc(mine, func(m Ports) bool { return m.First() <= o.First() && o.Last() <= m.Last() })
	})
}

// numbers are the ports or types that a rule asks for, ascending and joined where they touch.
func (r FilterRule) numbers() []Ports {
	all := slices.Clone(r.Ports)
	for _, number := range r.Types {
		all = append(all, Ports(number))
	}
	slices.SortFunc(all, func(a, b Ports) int { return int(a.First()) - int(b.First()) })
	joined := all[:0]
	for _, next := range all {
		if n := len(joined); n > 0 && int(next.First()) <= int(joined[n-1].Last())+1 {
			joined[n-1] = PortRange(joined[n-1].First(), max(joined[n-1].Last(), next.Last()))
			continue
		}
		joined = append(joined, next)
	}
	return joined
}
