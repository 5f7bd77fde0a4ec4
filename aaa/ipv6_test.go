package aaa

import (
	"net/netip"
	"slices"
	"testing"
)

// TestIPv6OfAccountAndDomain: the account's word first, for each purpose by itself.
func TestIPv6OfAccountAndDomain(t *testing.T) {
	own, theirs := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	d := &Domain{Name: "d", IPv6Pools: []string{"links"}, DelegatedPools: []string{"sites"}, IPv6DNS: []netip.Addr{theirs}}
	for name, c := range map[string]struct {
		grant            IPv6
		links, delegated string
		dns              netip.Addr
	}{
		"nothing of its own": {IPv6{}, "links", "sites", theirs},
		"a pool":             {IPv6{Pool: "mine"}, "mine", "sites", theirs},
		"a pool for sites":   {IPv6{DelegatedPool: "mine"}, "links", "mine", theirs},
		"name servers":       {IPv6{DNS: []netip.Addr{own}}, "links", "sites", own},
	} {
		got := merge(&Query{Request: &Request{}}, d, "b", "r", Grant{IPv6: c.grant})
		if !slices.Equal(got.IPv6Pools, []string{c.links}) || !slices.Equal(got.DelegatedPools, []string{c.delegated}) || !slices.Equal(got.IPv6.DNS, []netip.Addr{c.dns}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
