package host

import (
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestAggregate(t *testing.T) {
	for _, c := range []struct {
		first, last string
		want        []string
	}{
		{"10.10.1.10", "10.10.1.10", []string{"10.10.1.10/32"}},
		{"10.10.1.0", "10.10.1.255", []string{"10.10.1.0/24"}},
		{"10.10.1.10", "10.10.1.250", []string{
			"10.10.1.10/31", "10.10.1.12/30", "10.10.1.16/28", "10.10.1.32/27", "10.10.1.64/26", "10.10.1.128/26",
			"10.10.1.192/27", "10.10.1.224/28", "10.10.1.240/29", "10.10.1.248/31", "10.10.1.250/32",
		}},
		{"0.0.0.0", "255.255.255.255", []string{"0.0.0.0/0"}},
		{"255.255.255.254", "255.255.255.255", []string{"255.255.255.254/31"}},
		{"10.0.0.2", "10.0.0.1", nil},
		{"2001:db8::1", "2001:db8::2", []string{"2001:db8::1/128", "2001:db8::2/128"}},
		{"2001:db8:100::", "2001:db8:1ff:ffff:ffff:ffff:ffff:ffff", []string{"2001:db8:100::/40"}},
		{"2001:db8:0:1::", "2001:db8:0:6:ffff:ffff:ffff:ffff", []string{
			"2001:db8:0:1::/64", "2001:db8:0:2::/63", "2001:db8:0:4::/63", "2001:db8:0:6::/64",
		}},
		{"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", []string{"::/0"}},
		{"10.0.0.1", "2001:db8::1", nil},
	} {
		var want []netip.Prefix
		for _, p := range c.want {
			want = append(want, netip.MustParsePrefix(p))
		}
		if got := Aggregate(netip.MustParseAddr(c.first), netip.MustParseAddr(c.last)); !slices.Equal(got, want) {
			t.Errorf("%s-%s: got %v, want %v", c.first, c.last, got, want)
		}
	}
}

func TestAggregateHoldsTheRangeAndNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Uint32().Draw(t, "a"), rapid.Uint32().Draw(t, "b")
		a, b = min(a, b), max(a, b)
		next := uint64(a)
		prefixes := Aggregate(address(a), address(b))
		for i, p := range prefixes {
			if p != p.Masked() || uint64(number(p.Addr())) != next {
				t.Fatalf("%s does not continue at %s", p, address(uint32(next)))
			}
			next += 1 << (32 - p.Bits())
			if i > 0 && prefixes[i-1].Bits() == p.Bits() && prefixes[i-1].Addr() == netip.PrefixFrom(p.Addr(), p.Bits()-1).Masked().Addr() {
				t.Fatalf("%s and %s could be one", prefixes[i-1], p)
			}
		}
		if next != uint64(b)+1 {
			t.Fatalf("ends before %s", address(uint32(next)))
		}
	})
}
