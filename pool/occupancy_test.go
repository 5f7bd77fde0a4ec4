package pool

import (
	"fmt"
	"net/netip"
	"testing"
)

func TestWalk(t *testing.T) {
	span := func(first, last string) Range { return Range{netip.MustParseAddr(first), netip.MustParseAddr(last)} }
	two := []Range{span("10.0.0.9", "10.0.0.10"), span("10.0.0.1", "10.0.0.3")}
	prefixes := []Range{span("2001:db8::", "2001:db8:0:3:ffff:ffff:ffff:ffff")}
	end := []Range{span("255.255.255.254", "255.255.255.255")}
	for _, test := range []struct {
		spans  []Range
		length int
		after  string
		limit  int
		want   string
	}{
		{two, 0, "", 9, "[10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.9 10.0.0.10]"},
		{two, 0, "10.0.0.2", 2, "[10.0.0.3 10.0.0.9]"},
		{two, 0, "10.0.0.5", 9, "[10.0.0.9 10.0.0.10]"},
		{two, 0, "10.0.0.10", 9, "[]"},
		{two, 0, "", 0, "[]"},
		{prefixes, 64, "", 2, "[2001:db8:: 2001:db8:0:1::]"},
		{prefixes, 64, "2001:db8:0:1::", 9, "[2001:db8:0:2:: 2001:db8:0:3::]"},
		{end, 0, "", 9, "[255.255.255.254 255.255.255.255]"},
		{nil, 0, "", 9, "[]"},
	} {
		var after netip.Addr
		if test.after != "" {
			after = netip.MustParseAddr(test.after)
		}
		if got := fmt.Sprint(Walk(test.spans, test.length, after, test.limit)); got != test.want {
			t.Errorf("%v /%d behind %q: %s, want %s", test.spans, test.length, test.after, got, test.want)
		}
	}
	for s := Free; s <= stateCount; s++ {
		if s.String() == "" {
			t.Errorf("state %d has no word", s)
		}
	}
}
