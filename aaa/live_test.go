package aaa

import (
	"net/netip"
	"testing"
)

func TestStationIsTheNumberElseTheAddress(t *testing.T) {
	address := netip.MustParseAddr("::ffff:192.0.2.1")
	for _, tc := range []struct {
		number string
		end    netip.Addr
		want   string
	}{
		{"0441", address, "0441"},
		{"", address, "192.0.2.1"},
		{"", netip.MustParseAddr("2001:db8::1"), "2001:db8::1"},
		{"", netip.Addr{}, ""},
	} {
		if got := Station(tc.number, tc.end); got != tc.want {
			t.Errorf("Station(%q, %v) = %q, not %q", tc.number, tc.end, got, tc.want)
		}
	}
}
