package datapath

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

const (
	home   = "10.10.1.10" // the peer
	web    = "10.1.2.3"   // inside 10.1.0.0/16
	other  = "10.2.2.3"
	home6  = "2001:db8:1::10"
	web6   = "2001:db8:2::3"
	other6 = "2001:db8:3::3"
)

func filter(t testing.TB, otherwise Action, rules ...Rule) *Filter {
	t.Helper()
	f, err := NewFilter("test", otherwise, rules)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// https is the rule of the documentation.
var https = Rule{Action: Allow, Prefix: prefix("10.1.0.0/16"), Protocol: TCP, Ports: []PortRange{{443, 443}, {8000, 8100}}}

func TestFilterJudgesTheFarEndBothWays(t *testing.T) {
	for _, c := range []struct {
		rule Rule
		way  Direction
		p    pack
		want bool
	}{
		{https, Up, pack{from: home, to: web, protocol: TCP, sport: 50000, dport: 443}, true},
		{https, Up, pack{from: home, to: web, protocol: TCP, sport: 50000, dport: 8000}, true},
		{https, Up, pack{from: home, to: web, protocol: TCP, sport: 50000, dport: 8100}, true},
		{https, Up, pack{from: home, to: web, protocol: TCP, sport: 50000, dport: 8101}, false},
		{https, Up, pack{from: home, to: web, protocol: TCP, sport: 443, dport: 22}, false},
		{https, Up, pack{from: home, to: web, protocol: UDP, sport: 50000, dport: 443}, false},
		{https, Up, pack{from: home, to: other, protocol: TCP, sport: 50000, dport: 443}, false},
		{https, Down, pack{from: web, to: home, protocol: TCP, sport: 443, dport: 50000}, true},
		{https, Down, pack{from: web, to: home, protocol: TCP, sport: 50000, dport: 443}, false},
		{https, Down, pack{from: other, to: home, protocol: TCP, sport: 443, dport: 50000}, false},
		{https, Up, pack{from: home6, to: web6, protocol: TCP, sport: 50000, dport: 443}, false},

		{Rule{Action: Allow, Direction: Up}, Up, pack{from: home, to: web}, true},
		{Rule{Action: Allow, Direction: Up}, Down, pack{from: web, to: home}, false},
		{Rule{Action: Allow, Direction: Down}, Up, pack{from: home, to: web}, false},
		{Rule{Action: Allow, Direction: Down}, Down, pack{from: web, to: home}, true},
		{Rule{Action: Allow}, Up, pack{from: home6, to: web6, protocol: UDP}, true},
		{Rule{Action: Allow, Prefix: prefix("0.0.0.0/0")}, Up, pack{from: home6, to: web6, protocol: UDP}, false},
		{Rule{Action: Allow, Prefix: prefix("0.0.0.0/0")}, Up, pack{from: home, to: web}, true},
		{Rule{Action: Allow, Prefix: prefix("::/0")}, Up, pack{from: home6, to: web6, protocol: UDP}, true},
		{Rule{Action: Allow, Prefix: prefix("::/0")}, Up, pack{from: home, to: web}, false},
		{Rule{Action: Allow, Prefix: prefix("255.255.255.255/32")}, Up, pack{from: home, to: "255.255.255.255"}, true},
		{Rule{Action: Allow, Prefix: prefix("2001:db8:2::/48"), Protocol: UDP, Ports: []PortRange{{53, 53}}}, Up,
			pack{from: home6, to: web6, protocol: UDP, dport: 53}, true},
		{Rule{Action: Allow, Prefix: prefix("2001:db8:2::/48"), Protocol: UDP, Ports: []PortRange{{53, 53}}}, Down,
			pack{from: web6, to: home6, protocol: UDP, sport: 53}, true},
		{Rule{Action: Allow, Prefix: prefix("2001:db8:2::/48")}, Down, pack{from: other6, to: home6, protocol: UDP, sport: 53}, false},
		{Rule{Action: Allow, Protocol: SCTP, Ports: []PortRange{{2905, 2905}}}, Up,
			pack{from: home, to: web, protocol: SCTP, dport: 2905}, true},
		{Rule{Action: Allow, Protocol: GRE}, Up, pack{from: home, to: web, protocol: GRE}, true},
		{Rule{Action: Allow, Protocol: 99}, Up, pack{from: home, to: web, protocol: 98}, false},

		{Rule{Action: Allow, Protocol: ICMP}, Up, pack{from: home, to: web, protocol: ICMP, sport: 8 << 8}, true},
		{Rule{Action: Allow, Protocol: ICMP, Types: []uint8{0, 8}}, Up, pack{from: home, to: web, protocol: ICMP, sport: 8 << 8}, true},
		{Rule{Action: Allow, Protocol: ICMP, Types: []uint8{0, 8}}, Down, pack{from: web, to: home, protocol: ICMP}, true},
		{Rule{Action: Allow, Protocol: ICMP, Types: []uint8{0, 8}}, Up, pack{from: home, to: web, protocol: ICMP, sport: 5 << 8}, false},
		{Rule{Action: Allow, Protocol: ICMPv6, Types: []uint8{128}}, Up, pack{from: home6, to: web6, protocol: ICMPv6, sport: 128 << 8}, true},

		{Rule{Action: Allow, Protocol: TCP, Established: true}, Down, pack{from: web, to: home, protocol: TCP, flags: 0x12}, true},
		{Rule{Action: Allow, Protocol: TCP, Established: true}, Down, pack{from: web, to: home, protocol: TCP, flags: 0x04}, true},
		{Rule{Action: Allow, Protocol: TCP, Established: true}, Down, pack{from: web, to: home, protocol: TCP, flags: 0x02}, false},
	} {
		if got := filter(t, Deny, c.rule).Allows(c.way, c.p.bytes()); got != c.want {
			t.Errorf("%s of %+v by %+v: %v", c.way, c.p, c.rule, got)
		}
		c.rule.Action = Deny // the same rule the other way about matches the same packets
		if got := filter(t, Allow, c.rule).Allows(c.way, c.p.bytes()); got == c.want {
			t.Errorf("%s of %+v by %+v: %v", c.way, c.p, c.rule, got)
		}
	}
}

func TestFilterTheFirstMatchDecides(t *testing.T) {
	f := filter(t, Allow,
		Rule{Action: Deny, Prefix: prefix("10.1.2.0/24"), Protocol: TCP, Ports: []PortRange{{22, 22}}},
		Rule{Action: Allow, Prefix: prefix("10.1.0.0/16")},
		Rule{Action: Deny, Prefix: prefix("10.0.0.0/8")})
	for to, want := range map[string]bool{"10.1.2.3": false, "10.1.3.3": true, "10.2.0.1": false, "9.255.255.255": true, "11.0.0.0": true} {
		if got := f.Allows(Up, pack{from: home, to: to, protocol: TCP, dport: 22}.bytes()); got != want {
			t.Errorf("to %s: %v", to, got)
		}
	}
}

func TestFilterFragmentsHaveNoPorts(t *testing.T) {
	allowPorts := https
	denyPorts := https
	denyPorts.Action = Deny
	whole := Rule{Action: Allow, Prefix: prefix("10.1.0.0/16"), Protocol: TCP}
	established := Rule{Action: Allow, Protocol: TCP, Established: true}
	later := pack{from: home, to: web, protocol: TCP, offset: 100}
	first := pack{from: home, to: web, protocol: TCP, dport: 443, more: true}
	for name, c := range map[string]struct {
		f     *Filter
		p     pack
		allow bool
	}{
		"an allowing rule with ports is passed over":   {filter(t, Deny, allowPorts), later, false},
		"and leaves it to the default":                 {filter(t, Allow, allowPorts), later, true},
		"a denying rule with ports matches":            {filter(t, Allow, denyPorts), later, false},
		"not for another protocol":                     {filter(t, Allow, denyPorts), pack{from: home, to: web, protocol: UDP, offset: 100}, true},
		"not for another network":                      {filter(t, Allow, denyPorts), pack{from: home, to: other, protocol: TCP, offset: 100}, true},
		"a rule without ports before it decides":       {filter(t, Deny, whole, denyPorts), later, true},
		"a rule without ports behind it is too late":   {filter(t, Deny, denyPorts, whole), later, false},
		"behind an allowing one it decides":            {filter(t, Deny, allowPorts, whole), later, true},
		"flags are not known either":                   {filter(t, Deny, established), later, false},
		"the first one has ports":                      {filter(t, Deny, allowPorts), first, true},
		"the last one too, if it is the first":         {filter(t, Deny, whole), pack{from: home, to: web, protocol: TCP, dport: 9}, true},
		"within the TCP header":                        {filter(t, Allow), pack{from: home, to: web, protocol: TCP, offset: 1}, false},
		"and still":                                    {filter(t, Allow), pack{from: home, to: web, protocol: TCP, offset: 2}, false},
		"behind it":                                    {filter(t, Allow), pack{from: home, to: web, protocol: TCP, offset: 3}, true},
		"UDP has a shorter one":                        {filter(t, Allow), pack{from: home, to: web, protocol: UDP, offset: 1}, true},
		"IPv6: passed over":                            {filter(t, Deny, Rule{Action: Allow, Protocol: UDP, Ports: []PortRange{{53, 53}}}), pack{from: home6, to: web6, protocol: UDP, offset: 100}, false},
		"IPv6: without ports":                          {filter(t, Deny, Rule{Action: Allow, Protocol: UDP}), pack{from: home6, to: web6, protocol: UDP, offset: 100}, true},
		"IPv6: the first one":                          {filter(t, Deny, Rule{Action: Allow, Protocol: UDP, Ports: []PortRange{{53, 53}}}), pack{from: home6, to: web6, protocol: UDP, dport: 53, more: true}, true},
		"IPv6: within the TCP header":                  {filter(t, Allow), pack{from: home6, to: web6, protocol: TCP, offset: 1}, false},
		"IPv6: the protocol is behind another header":  {filter(t, Allow), pack{from: home6, to: web6, protocol: extensionDestination, offset: 100}, false},
		"IPv6: nothing is said of the rest of options": {filter(t, Allow), pack{from: home6, to: web6, protocol: UDP, offset: 100}, true},
	} {
		if got := c.f.Allows(Up, c.p.bytes()); got != c.allow {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestFilterDeniesWhatIsCutShort(t *testing.T) {
	f := filter(t, Allow)
	for _, p := range []pack{
		{from: home, to: web, protocol: TCP},
		{from: home, to: web, protocol: TCP, options: []byte{148, 4, 0, 0}},
		{from: home6, to: web6, protocol: TCP},
		{from: home6, to: web6, protocol: TCP, firstHeader: extensionHopByHop, extensions: extension(byte(TCP))},
		{from: home6, to: web6, protocol: TCP, more: true},
	} {
		whole := p.bytes()
		if !f.Allows(Up, whole) {
			t.Fatalf("%+v is denied", p)
		}
		end := len(whole) - len(p.payload()) + tcpHeaderLen
		for cut := range end {
			if f.Allows(Up, whole[:cut]) {
				t.Errorf("%+v with %d octets is allowed", p, cut)
			}
		}
	}
	for protocol, least := range map[Protocol]int{UDP: 8, SCTP: 12, ICMP: 4, GRE: 0} {
		whole := pack{from: home, to: web, protocol: protocol}.bytes()
		if least > 0 && f.Allows(Up, whole[:20+least-1]) || !f.Allows(Up, whole[:20+least]) {
			t.Errorf("%s: the bound is not at %d octets", protocol, least)
		}
	}
	for _, first := range []byte{0x44, 0x55, 0x25, 0} {
		whole := pack{from: home, to: web}.bytes()
		whole[0] = first
		if f.Allows(Up, whole) {
			t.Errorf("a packet that begins with %#x is allowed", first)
		}
	}
}

func TestFilterIPv4Options(t *testing.T) {
	f := filter(t, Deny, https)
	for name, c := range map[string]struct {
		options []byte
		allow   bool
	}{
		"router alert":         {[]byte{148, 4, 0, 0}, true},
		"nothing":              {[]byte{1, 1, 1, 0}, true},
		"behind the end":       {[]byte{0, 131, 1, 9}, true},
		"loose source route":   {[]byte{1, 131, 7, 4, 10, 2, 2, 3}, false},
		"strict source route":  {[]byte{137, 7, 4, 10, 2, 2, 3, 0}, false},
		"no length":            {[]byte{1, 1, 1, 7}, false},
		"length of nothing":    {[]byte{7, 0, 0, 0}, false},
		"length of one":        {[]byte{7, 1, 1, 1}, false},
		"longer than there is": {[]byte{7, 5, 0, 0}, false},
	} {
		p := pack{from: home, to: web, protocol: TCP, dport: 443, options: c.options}
		if got := f.Allows(Up, p.bytes()); got != c.allow {
			t.Errorf("%s: %v", name, got)
		}
		p.dport = 22
		if f.Allows(Up, p.bytes()) {
			t.Errorf("%s: the wrong port is allowed", name)
		}
	}
}

func TestFilterIPv6Extensions(t *testing.T) {
	f := filter(t, Deny, Rule{Action: Allow, Prefix: prefix("2001:db8:2::/48"), Protocol: TCP, Ports: []PortRange{{443, 443}}})
	chain := func(n int) []byte {
		return append(bytes.Repeat(extension(extensionDestination), n-1), extension(byte(TCP))...)
	}
	for name, c := range map[string]struct {
		first      byte
		extensions []byte
		allow      bool
	}{
		"hop by hop":           {extensionHopByHop, extension(byte(TCP)), true},
		"two units":            {extensionHopByHop, append([]byte{byte(TCP), 1}, make([]byte, 14)...), true},
		"eight":                {extensionDestination, chain(8), true},
		"nine":                 {extensionDestination, chain(9), false},
		"routing, used up":     {extensionRouting, []byte{byte(TCP), 0, 0, 0, 0, 0, 0, 0}, true},
		"routing, goes on":     {extensionRouting, []byte{byte(TCP), 0, 0, 1, 0, 0, 0, 0}, false},
		"mobility":             {extensionMobility, extension(byte(TCP)), true},
		"host identity":        {extensionHIP, extension(byte(TCP)), true},
		"shim":                 {extensionShim6, extension(byte(TCP)), true},
		"fragment, the whole":  {extensionFragment, extension(byte(TCP)), true},
		"authenticated":        {byte(AH), extension(byte(TCP)), false},
		"nothing follows":      {59, nil, false},
		"longer than there is": {extensionHopByHop, []byte{byte(TCP), 255, 0, 0, 0, 0, 0, 0}, false},
	} {
		p := pack{from: home6, to: web6, dport: 443, protocol: 59, firstHeader: c.first, extensions: c.extensions}
		if got := f.Allows(Up, p.bytes()); got != c.allow {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestFilterNilLetsAllPass(t *testing.T) {
	var f *Filter
	if !f.Allows(Up, nil) || f.Name() != "" || f.Default() != Allow || f.Rules() != nil || f.Shadows() != nil {
		t.Error("a filter that is not there does something")
	}
}

func TestFilterKeepsNothingOfItsCaller(t *testing.T) {
	rules := []Rule{{Action: Allow, Protocol: TCP, Ports: []PortRange{{443, 443}}}}
	f := filter(t, Deny, rules...)
	rules[0].Ports[0] = PortRange{1, 1}
	f.Rules()[0].Ports[0] = PortRange{2, 2}
	if got := f.Rules()[0].Ports[0]; got.First != 443 || f.Name() != "test" || f.Default() != Deny {
		t.Errorf("the filter changed: %v", got)
	}
	if !f.Allows(Up, pack{from: home, to: web, protocol: TCP, dport: 443}.bytes()) {
		t.Error("the filter judges by other ports")
	}
}

func TestFilterAllocatesNothing(t *testing.T) {
	f := filter(t, Deny, longList(1000)...)
	p, p6 := pack{from: home, to: web, protocol: TCP}.bytes(), pack{from: home6, to: web6, protocol: TCP}.bytes()
	if n := testing.AllocsPerRun(100, func() { f.Allows(Up, p); f.Allows(Down, p6) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// longList is a list of n rules as a department may have: networks with ports, some inside others.
func longList(n int) []Rule {
	var rules []Rule
	for i := range n {
		r := Rule{Action: Action(i % 2), Protocol: TCP, Ports: []PortRange{{uint16(i), uint16(i + 10)}}}
		r.Prefix = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i / 250), byte(i % 250), 0}), 24)
		if i%10 == 9 {
			r.Prefix = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i / 250), 0, 0}), 16)
		}
		rules = append(rules, r)
	}
	return rules
}

func BenchmarkFilter(b *testing.B) {
	same := make([]Rule, 1000) // the worst there is: all rules are for the same address, and none matches
	for i := range same {
		same[i] = Rule{Action: Allow, Prefix: prefix("10.0.0.0/8"), Protocol: TCP, Ports: []PortRange{{uint16(i), uint16(i)}}}
	}
	for _, c := range []struct {
		name  string
		rules []Rule
	}{{"rules=1", longList(1)}, {"rules=20", longList(20)}, {"rules=1000", longList(1000)}, {"rules=1000/of one network", same}} {
		f := filter(b, Deny, c.rules...)
		p := pack{from: home, to: "10.0.15.1", protocol: TCP, dport: 60000}.bytes()
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f.Allows(Up, p)
			}
		})
	}
}

func BenchmarkNewFilter(b *testing.B) {
	for _, n := range []int{20, 1000, MaxRules} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			rules := longList(n)
			for b.Loop() {
				filter(b, Deny, rules...)
			}
		})
	}
	b.Run("everything overlaps", func(b *testing.B) {
		var rules []Rule
		for i := range MaxRules {
			rules = append(rules, Rule{Protocol: TCP, Ports: []PortRange{{1, 1}}, Prefix: prefix("10.0.0.0/8")})
			if i%2 == 0 {
				rules[i].Prefix = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
			}
		}
		for b.Loop() {
			f := filter(b, Deny, rules...)
			b.ReportMetric(float64(2*len(f.tables[0][0].order)), "octets")
		}
	})
}

func TestShadows(t *testing.T) {
	ten, one := prefix("10.0.0.0/8"), prefix("10.1.0.0/16")
	for name, c := range map[string]struct {
		before, after Rule
		shadow        bool
	}{
		"everything":             {Rule{}, https, true},
		"the same":               {https, https, true},
		"a larger network":       {Rule{Prefix: ten}, Rule{Prefix: one}, true},
		"a smaller network":      {Rule{Prefix: one}, Rule{Prefix: ten}, false},
		"a network of all":       {Rule{Prefix: prefix("0.0.0.0/0")}, Rule{}, false},
		"the other family":       {Rule{Prefix: prefix("::/0")}, Rule{Prefix: ten}, false},
		"another protocol":       {Rule{Protocol: UDP}, Rule{Protocol: TCP}, false},
		"all protocols":          {Rule{Protocol: UDP}, Rule{}, false},
		"one way":                {Rule{Direction: Up}, Rule{}, false},
		"that way":               {Rule{}, Rule{Direction: Up}, true},
		"the other way":          {Rule{Direction: Down}, Rule{Direction: Up}, false},
		"ports inside":           {https, Rule{Prefix: one, Protocol: TCP, Ports: []PortRange{{8050, 8060}, {443, 443}}}, true},
		"ports over two ranges":  {Rule{Protocol: TCP, Ports: []PortRange{{5, 9}, {1, 4}}}, Rule{Protocol: TCP, Ports: []PortRange{{3, 7}}}, true},
		"ports outside":          {https, Rule{Prefix: one, Protocol: TCP, Ports: []PortRange{{8050, 8101}}}, false},
		"all ports":              {https, Rule{Prefix: one, Protocol: TCP}, false},
		"types":                  {Rule{Protocol: ICMP, Types: []uint8{8, 0}}, Rule{Protocol: ICMP, Types: []uint8{0}}, true},
		"established":            {Rule{Protocol: TCP, Established: true}, Rule{Protocol: TCP}, false},
		"established the second": {Rule{Protocol: TCP}, Rule{Protocol: TCP, Established: true}, true},
	} {
		want := []Shadow(nil)
		if c.shadow {
			want = []Shadow{{2, 1}}
		}
		if got := filter(t, Deny, c.before, c.after).Shadows(); !slices.Equal(got, want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
