package configs

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Filter says which packets pass between a subscriber and the networks behind this server: the first rule that matches
// decides.
type Filter struct {
	Name    string       `mapstructure:"name"`
	Default FilterAction `mapstructure:"default"` // of packets that no rule matches
	Rules   []FilterRule `mapstructure:"rules"`
}

// FilterRule matches packets that have all that it names. Network and ports are those of the far end: where a packet of
// the subscriber goes to, and where a packet to the subscriber comes from.
type FilterRule struct {
	Action      FilterAction `mapstructure:"action"`
	Direction   Direction    `mapstructure:"direction"`
	To          netip.Prefix `mapstructure:"to"` // invalid: everywhere
	Protocol    Protocol     `mapstructure:"protocol"`
	Ports       []Ports      `mapstructure:"ports"`       // empty: all
	Types       []int        `mapstructure:"types"`       // of ICMP messages; empty: all
	Established bool         `mapstructure:"established"` // TCP segments with ACK or RST only
}

// FilterAction is what happens to a packet. The zero value is none, which no rule may have.
type FilterAction uint8

// The actions of filters.
const (
	DenyPackets FilterAction = iota + 1
	AllowPackets
)

// Direction is which way a packet goes.
type Direction uint8

// The directions.
const (
	BothWays Direction = iota
	Up                 // from the subscriber
	Down               // to the subscriber
)

var (
	filterActionNames = []string{"", "deny", "allow"}
	directionNames    = []string{"both", "up", "down"}
)

func (v FilterAction) String() string { return nameOf(filterActionNames, v) }
func (v Direction) String() string    { return nameOf(directionNames, v) }

// UnmarshalText reads allow or deny.
func (v *FilterAction) UnmarshalText(b []byte) error { return readName(v, filterActionNames, b) }

// UnmarshalText reads both, up or down.
func (v *Direction) UnmarshalText(b []byte) error { return readName(v, directionNames, b) }

// Protocol is the number of an IP protocol; 0 is any. A file says its name or its number.
type Protocol int

// The protocols that rules treat in a way of their own.
const (
	AnyProtocol    Protocol = 0
	ProtocolICMP   Protocol = 1
	ProtocolTCP    Protocol = 6
	ProtocolUDP    Protocol = 17
	ProtocolICMPv6 Protocol = 58
	ProtocolSCTP   Protocol = 132
)

// protocolNames are in the order of the numbers.
var protocolNames = []struct {
	name   string
	number Protocol
}{
	{"any", AnyProtocol}, {"icmp", ProtocolICMP}, {"igmp", 2}, {"ipip", 4}, {"tcp", ProtocolTCP}, {"udp", ProtocolUDP},
	{"gre", 47}, {"esp", 50}, {"ah", 51}, {"icmpv6", ProtocolICMPv6}, {"ospf", 89}, {"sctp", ProtocolSCTP},
}

// UnmarshalText reads a name, or a number as text.
func (p *Protocol) UnmarshalText(b []byte) error {
	if n, err := strconv.ParseUint(string(b), 10, 8); err == nil {
		*p = Protocol(n)
		return nil
	}
	var known []string
	for _, one := range protocolNames {
		if one.name == string(b) {
			*p = one.number
			return nil
		}
		known = append(known, one.name)
	}
	return fmt.Errorf("%q is not a number or one of %s", b, strings.Join(known, ", "))
}

// String prints the name, or the number if it has none.
func (p Protocol) String() string {
	for _, one := range protocolNames {
		if one.number == p {
			return one.name
		}
	}
	return strconv.Itoa(int(p))
}

func (p Protocol) hasPorts() bool { return p == ProtocolTCP || p == ProtocolUDP || p == ProtocolSCTP }

func (p Protocol) hasTypes() bool { return p == ProtocolICMP || p == ProtocolICMPv6 }

// Ports is one port, or a range with both ends that a file writes as 8000-8100.
type Ports int64

// portRange marks a value that holds two ports; else it is the one port, as a file has it.
const portRange = 1 << 32

// PortRange returns the ports from the first to the last.
func PortRange(first, last uint16) Ports { return portRange | Ports(first)<<16 | Ports(last) }

// First is the lowest port.
func (p Ports) First() uint16 {
	if p&portRange != 0 {
		return uint16(p >> 16)
	}
	return uint16(p)
}

// Last is the highest port.
func (p Ports) Last() uint16 { return uint16(p) }

// UnmarshalText reads a range, or one port as text.
func (p *Ports) UnmarshalText(b []byte) error {
	low, high, found := strings.Cut(string(b), "-")
	if !found {
		high = low
	}
	first, err := strconv.ParseUint(strings.TrimSpace(low), 10, 16)
	last, err2 := strconv.ParseUint(strings.TrimSpace(high), 10, 16)
	switch {
	case err != nil || err2 != nil:
		return fmt.Errorf("%q is not a port like 443 or a range like 8000-8100", b)
	case last < first:
		return fmt.Errorf("%q ends before it begins", b)
	}
	*p = PortRange(uint16(first), uint16(last))
	return nil
}

// String prints what a file would say.
func (p Ports) String() string {
	if p.First() == p.Last() {
		return strconv.Itoa(int(p.First()))
	}
	return fmt.Sprintf("%d-%d", p.First(), p.Last())
}

func defaultFilter() Filter { return Filter{Default: DenyPackets} }
