package datapath

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// naive judges a packet that is known from its description, rule by rule, without any table.
func naive(rules []Rule, otherwise Action, way Direction, p pack) bool {
	far, port := netip.MustParseAddr(p.to), p.dport
	if way == Down {
		far, port = netip.MustParseAddr(p.from), p.sport
	}
	if p.protocol.HasTypes() {
		port = p.sport >> 8
	}
	later := p.offset != 0
	for _, r := range rules {
		if r.Direction != Both && r.Direction != way ||
			r.Prefix.IsValid() && !r.Prefix.Contains(far) ||
			r.Protocol != AnyProtocol && r.Protocol != p.protocol {
			continue
		}
		if later && (len(r.Ports) > 0 || len(r.Types) > 0 || r.Established) {
			if r.Action == Deny {
				return false
			}
			continue
		}
		if r.Established && p.flags&0x14 == 0 {
			continue
		}
		match := len(r.Ports) == 0 && len(r.Types) == 0
		for _, ports := range r.Ports {
			match = match || ports.First <= port && port <= ports.Last
		}
		for _, number := range r.Types {
			match = match || uint16(number) == port
		}
		if match {
			return r.Action == Allow
		}
	}
	return otherwise == Allow
}

// Few addresses, ports and prefixes, so that rules and packets meet often.
var (
	drawnAddresses = []string{"10.0.0.0", "10.0.0.1", "10.0.0.255", "10.0.1.0", "9.255.255.255", "11.0.0.0", "0.0.0.0", "255.255.255.255"}
	drawnAddress6  = []string{"::", "2001:db8::", "2001:db8::1", "2001:db8:0:1::", "2001:db8:0:0:ffff::1", "2001:db9::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}
	drawnProtocols = []Protocol{AnyProtocol, TCP, TCP, UDP, SCTP, ICMP, ICMPv6, GRE, 253}
)

func drawRule(t *rapid.T) Rule {
	r := Rule{
		Action:    Action(rapid.IntRange(0, 1).Draw(t, "action")),
		Direction: Direction(rapid.IntRange(0, 2).Draw(t, "direction")),
		Protocol:  rapid.SampledFrom(drawnProtocols).Draw(t, "protocol"),
	}
	switch rapid.IntRange(0, 4).Draw(t, "family") {
	case 0, 1:
		a := netip.MustParseAddr(rapid.SampledFrom(drawnAddresses).Draw(t, "address"))
		r.Prefix, _ = a.Prefix(rapid.SampledFrom([]int{0, 1, 8, 23, 24, 31, 32}).Draw(t, "bits"))
	case 2, 3:
		a := netip.MustParseAddr(rapid.SampledFrom(drawnAddress6).Draw(t, "address"))
		r.Prefix, _ = a.Prefix(rapid.SampledFrom([]int{0, 1, 32, 63, 64, 65, 127, 128}).Draw(t, "bits"))
	}
	if r.Prefix.Addr().Is4() && r.Protocol == ICMPv6 || r.Prefix.Addr().Is6() && r.Protocol == ICMP {
		r.Protocol = AnyProtocol
	}
	n := rapid.IntRange(0, 3).Draw(t, "ranges")
	for range n {
		first := rapid.Uint16Range(0, 40).Draw(t, "first")
		if r.Protocol.HasPorts() {
			r.Ports = append(r.Ports, PortRange{first, first + rapid.Uint16Range(0, 10).Draw(t, "more")})
		}
		if r.Protocol.HasTypes() {
			r.Types = append(r.Types, uint8(first))
		}
	}
	r.Established = r.Protocol == TCP && rapid.IntRange(0, 3).Draw(t, "established") == 0
	return r
}

func drawPack(t *rapid.T) pack {
	addresses := drawnAddresses
	if rapid.Bool().Draw(t, "IPv6") {
		addresses = drawnAddress6
	}
	return pack{
		from:     rapid.SampledFrom(addresses).Draw(t, "from"),
		to:       rapid.SampledFrom(addresses).Draw(t, "to"),
		protocol: rapid.SampledFrom(drawnProtocols[1:]).Draw(t, "protocol"),
		sport:    rapid.Uint16Range(0, 40).Draw(t, "sport") * rapid.SampledFrom([]uint16{1, 256}).Draw(t, "times"),
		dport:    rapid.Uint16Range(0, 55).Draw(t, "dport"),
		flags:    byte(rapid.IntRange(0, 31).Draw(t, "flags")),
		offset:   rapid.SampledFrom([]uint16{0, 0, 0, 3, 100}).Draw(t, "offset"),
		more:     rapid.Bool().Draw(t, "more fragments"),
	}
}

func TestFilterAgreesWithTheNaiveOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := rapid.SliceOfN(rapid.Custom(drawRule), 0, 30).Draw(t, "rules")
		otherwise := Action(rapid.IntRange(0, 1).Draw(t, "default"))
		f, err := NewFilter("drawn", otherwise, rules)
		if err != nil {
			t.Fatal(err)
		}
		shadowed := f.Shadows()
		for range 20 {
			p := drawPack(t)
			way := Direction(rapid.IntRange(1, 2).Draw(t, "way"))
			want := naive(rules, otherwise, way, p)
			if got := f.Allows(way, p.bytes()); got != want {
				t.Fatalf("%s of %+v: %v, want %v", way, p, got, want)
			}
			if p.offset != 0 {
				continue
			}
			left := rules
			for i := len(shadowed) - 1; i >= 0; i-- { // rules that can never match can as well be left out
				n := shadowed[i].Rule - 1
				left = append(left[:n:n], left[n+1:]...)
			}
			if naive(left, otherwise, way, p) != want {
				t.Fatalf("%s of %+v: one of the shadowed rules %v decides", way, p, shadowed)
			}
		}
	})
}

// FuzzFilter looks for packets that make a filter panic, and for such that get past a filter that denies all of their
// destination.
func FuzzFilter(f *testing.F) {
	for _, p := range []pack{
		{from: home, to: web, protocol: TCP, dport: 443},
		{from: home, to: web, protocol: UDP, offset: 9},
		{from: home, to: web, protocol: ICMP, options: []byte{1, 131, 3, 4}},
		{from: home6, to: web6, protocol: SCTP, more: true},
		{from: home6, to: web6, protocol: TCP, firstHeader: extensionHopByHop, extensions: append(extension(extensionRouting), extension(byte(TCP))...)},
	} {
		f.Add(p.bytes())
	}
	filters := []*Filter{filter(f, Allow), filter(f, Deny), filter(f, Deny, append(longList(30), https)...)}
	closed := filter(f, Allow, Rule{Prefix: prefix("10.1.0.0/16")}, Rule{Prefix: prefix("2001:db8:2::/48")})
	f.Fuzz(func(t *testing.T, packet []byte) {
		for _, way := range []Direction{Up, Down} {
			readable := filters[0].Allows(way, packet)
			if filters[1].Allows(way, packet) || filters[2].Allows(way, packet) && !readable {
				t.Errorf("%s: allowed by nothing", way)
			}
		}
		if closed.Allows(Up, packet) {
			switch {
			case packet[0]>>4 == 4 && binary.BigEndian.Uint16(packet[16:]) == 10<<8|1,
				packet[0]>>4 == 6 && prefix("2001:db8:2::/48").Contains(netip.AddrFrom16([16]byte(packet[24:40]))):
				t.Error("a packet to a closed network is allowed")
			}
		}
	})
}
