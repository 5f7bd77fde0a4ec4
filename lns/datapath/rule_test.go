package datapath

import (
	"net/netip"
	"strings"
	"testing"
)

func TestNewFilterListsEveryFault(t *testing.T) {
	_, err := NewFilter("bad", Deny, []Rule{
		{},
		{Prefix: netip.MustParsePrefix("10.1.2.3/8"), Protocol: GRE, Ports: []PortRange{{1, 2}}},
		{Protocol: UDP, Ports: []PortRange{{9, 8}}, Established: true},
		{Protocol: TCP, Types: []uint8{1}},
		{Prefix: prefix("10.0.0.0/8"), Protocol: ICMPv6},
		{Prefix: prefix("2001:db8::/32"), Protocol: ICMP},
		{Action: 2, Direction: 3},
		{Prefix: netip.MustParsePrefix("::ffff:10.0.0.0/104")},
		{Prefix: netip.PrefixFrom(netip.MustParseAddr("10.0.0.0"), 33)},
	})
	if err == nil {
		t.Fatal("accepted")
	}
	want := `rule 2: 10.1.2.3/8 is not a network
rule 2: ports belong to tcp, udp or sctp, not to gre
rule 3: established belongs to tcp, not to udp
rule 3: ports 9-8 end before they begin
rule 4: types belong to icmp or icmpv6, not to tcp
rule 5: icmpv6 does not go to the IPv4 network 10.0.0.0/8
rule 6: icmp does not go to the IPv6 network 2001:db8::/32; its name there is icmpv6
rule 7: there is no action 2
rule 7: there is no direction 3
rule 8: ::ffff:10.0.0.0/104 is IPv4 written as IPv6
rule 9: invalid Prefix is not a network`
	if got := err.Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestNewFilterBoundsTheNumberOfRules(t *testing.T) {
	if _, err := NewFilter("long", Deny, make([]Rule, MaxRules)); err != nil {
		t.Error(err)
	}
	if _, err := NewFilter("long", Deny, make([]Rule, MaxRules+1)); err == nil || !strings.Contains(err.Error(), "2001 rules") {
		t.Errorf("one more: %v", err)
	}
}

func TestWordsOfRules(t *testing.T) {
	for got, want := range map[string]string{
		Deny.String(): "deny", Allow.String(): "allow",
		Both.String(): "both", Up.String(): "up", Down.String(): "down",
		AnyProtocol.String(): "any", TCP.String(): "tcp", Protocol(99).String(): "99",
		Filtered.String(): "filter",
	} {
		if got != want {
			t.Errorf("%q instead of %q", got, want)
		}
	}
}
