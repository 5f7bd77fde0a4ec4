package datapath

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
)

// Action is what happens to a packet. The zero value denies.
type Action uint8

const (
	// Deny drops the packet and counts it as Filtered.
	Deny Action = iota
	// Allow lets the packet pass.
	Allow
)

// String is "deny" or "allow".
func (a Action) String() string {
	if a == Allow {
		return "allow"
	}
	return "deny"
}

// Direction is the way that a packet goes, or in a rule the ways that it is for.
type Direction uint8

const (
	// Both is up and down.
	Both Direction = iota
	// Up is from the peer.
	Up
	// Down is to the peer.
	Down
)

// String is "both", "up" or "down".
func (d Direction) String() string {
	switch d {
	case Up:
		return "up"
	case Down:
		return "down"
	default:
		return "both"
	}
}

// Protocol is the number of what an IP packet carries, after the extension headers of IPv6. Zero stands for all of them.
type Protocol uint8

// The protocols that have names. Those with ports are TCP, UDP and SCTP; those with types are ICMP and ICMPv6.
const (
	AnyProtocol Protocol = 0
	ICMP        Protocol = 1
	IGMP        Protocol = 2
	IPIP        Protocol = 4
	TCP         Protocol = 6
	UDP         Protocol = 17
	GRE         Protocol = 47
	ESP         Protocol = 50
	AH          Protocol = 51
	ICMPv6      Protocol = 58
	OSPF        Protocol = 89
	SCTP        Protocol = 132
)

var protocolWords = map[Protocol]string{
	AnyProtocol: "any", ICMP: "icmp", IGMP: "igmp", IPIP: "ipip", TCP: "tcp", UDP: "udp", GRE: "gre", ESP: "esp", AH: "ah",
	ICMPv6: "icmpv6", OSPF: "ospf", SCTP: "sctp",
}

// String is the protocol's name if it has one here, else its number.
func (p Protocol) String() string {
	if word := protocolWords[p]; word != "" {
		return word
	}
	return strconv.Itoa(int(p))
}

// HasPorts says that packets of the protocol begin with a source and a destination port.
func (p Protocol) HasPorts() bool { return p == TCP || p == UDP || p == SCTP }

// HasTypes says that packets of the protocol begin with a message type.
func (p Protocol) HasTypes() bool { return p == ICMP || p == ICMPv6 }

// PortRange is an inclusive run of ports.
type PortRange struct{ First, Last uint16 }

// Rule is one line of a filter. A packet must have all that a rule names to match it; the zero value of each field asks
// for nothing. Address and ports are those of the far end, which is the destination of a packet from the peer and the
// source of a packet to the peer, so that one rule for both directions speaks of one service.
type Rule struct {
	Action    Action
	Direction Direction
	// Prefix holds the far end. The zero value is every address, 0.0.0.0/0 every one of IPv4.
	Prefix   netip.Prefix
	Protocol Protocol
	// Ports of the far end, for TCP, UDP and SCTP.
	Ports []PortRange
	// Types of the message, for ICMP and ICMPv6.
	Types []uint8
	// Established asks for a TCP segment with ACK or RST: every one but the first of a connection. It is what a packet
	// says of itself. No connection is looked up.
	Established bool
}

// RuleError says what is wrong with a rule.
type RuleError struct {
	// Rule counts from 1, as people count; 0 is the whole list.
	Rule    int
	Problem string
}

// Error names the rule and the problem.
func (e *RuleError) Error() string {
	if e.Rule == 0 {
		return e.Problem
	}
	return fmt.Sprintf("rule %d: %s", e.Rule, e.Problem)
}

// problems says what makes a rule unusable.
func (r Rule) problems() (found []string) {
	say := func(wrong bool, format string, args ...any) {
		if wrong {
			found = append(found, fmt.Sprintf(format, args...))
		}
	}
	say(r.Action > Allow, "there is no action %d", r.Action)
	say(r.Direction > Down, "there is no direction %d", r.Direction)
	say(r.Prefix != netip.Prefix{} && r.Prefix != r.Prefix.Masked(), "%s is not a network", r.Prefix)
	say(r.Prefix.Addr().Is4In6(), "%s is IPv4 written as IPv6", r.Prefix)
	say(r.Prefix.Addr().Is4() && r.Protocol == ICMPv6, "icmpv6 does not go to the IPv4 network %s", r.Prefix)
	say(r.Prefix.Addr().Is6() && r.Protocol == ICMP, "icmp does not go to the IPv6 network %s; its name there is icmpv6", r.Prefix)
	say(len(r.Ports) > 0 && !r.Protocol.HasPorts(), "ports belong to tcp, udp or sctp, not to %s", r.Protocol)
	say(len(r.Types) > 0 && !r.Protocol.HasTypes(), "types belong to icmp or icmpv6, not to %s", r.Protocol)
	say(r.Established && r.Protocol != TCP, "established belongs to tcp, not to %s", r.Protocol)
	for _, p := range r.Ports {
		say(p.Last < p.First, "ports %d-%d end before they begin", p.First, p.Last)
	}
	return found
}

// ranges are the ports or types of a rule, ascending and joined where they touch. None means that it asks for none.
func (r Rule) ranges() []PortRange {
	all := slices.Clone(r.Ports)
	for _, t := range r.Types {
		all = append(all, PortRange{uint16(t), uint16(t)})
	}
	slices.SortFunc(all, func(a, b PortRange) int { return int(a.First) - int(b.First) })
	joined := all[:0]
	for _, next := range all {
		if n := len(joined); n > 0 && int(next.First) <= int(joined[n-1].Last)+1 {
			joined[n-1].Last = max(joined[n-1].Last, next.Last)
			continue
		}
		joined = append(joined, next)
	}
	return joined
}

// covers says that every packet that matches the other rule matches this one, whose fragments are left out of account.
func (r Rule) covers(other Rule) bool {
	switch {
	case r.Direction != Both && r.Direction != other.Direction,
		r.Prefix.IsValid() && !(r.Prefix.Overlaps(other.Prefix) && r.Prefix.Bits() <= other.Prefix.Bits()),
		r.Protocol != AnyProtocol && r.Protocol != other.Protocol,
		r.Established && !other.Established:
		return false
	}
	mine, others := r.ranges(), other.ranges()
	if len(mine) == 0 {
		return true
	}
	return len(others) > 0 && !slices.ContainsFunc(others, func(o PortRange) bool {
		return !slices.ContainsFunc(mine, func(m PortRange) bool { return m.First <= o.First && o.Last <= m.Last })
	})
}

// checkRules joins all that is wrong with a list.
func checkRules(rules []Rule) error {
	var faults []error
	if len(rules) > MaxRules {
		faults = append(faults, &RuleError{Problem: fmt.Sprintf("%d rules are more than %d", len(rules), MaxRules)})
	}
	for i, r := range rules {
		for _, problem := range r.problems() {
			faults = append(faults, &RuleError{Rule: i + 1, Problem: problem})
		}
	}
	return errors.Join(faults...)
}
