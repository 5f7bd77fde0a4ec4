package pool

import (
	"math"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPrefixesOfARange(t *testing.T) {
	for _, c := range []struct {
		text   string
		length int
		wide   string
		count  uint64
	}{
		{"2001:db8::/40", 64, "2001:db8::-2001:db8:ff:ffff:ffff:ffff:ffff:ffff", 1 << 24},
		{"2001:db8::/40", 56, "2001:db8::-2001:db8:ff:ffff:ffff:ffff:ffff:ffff", 1 << 16},
		{"2001:db8:0:1::5-2001:db8:0:2::", 64, "2001:db8:0:1::-2001:db8:0:2:ffff:ffff:ffff:ffff", 2},
		{"2001:db8::1", 60, "2001:db8::-2001:db8:0:f:ffff:ffff:ffff:ffff", 1},
		{"::/0", 64, "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", math.MaxUint64},
		{"::/0", 63, "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1 << 63},
		{"2001:db8::/120", 127, "2001:db8::-2001:db8::ff", 128},
		{"2001:db8::/120", 0, "2001:db8::-2001:db8::ff", 256},
		{"10.0.0.0/8", 24, "10.0.0.0-10.255.255.255", 1 << 16},
	} {
		r, err := ParseExclusion(c.text)
		if err != nil {
			t.Fatal(err)
		}
		wide := r.Widen(c.length)
		if wide.String() != c.wide || wide.Count(c.length) != c.count {
			t.Errorf("%s in /%d: %v with %d", c.text, c.length, wide, wide.Count(c.length))
		}
	}
}

// TestAfterCounts: the prefixes after the first one are as far apart as Count says, and stay prefixes.
func TestAfterCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		length := rapid.IntRange(8, 128).Draw(t, "length")
		first := First(netip.MustParseAddr("2001:db8::"), length)
		if length > 127 {
			length = 0
		}
		n := rapid.Uint64Range(0, 1<<min(60, uint(max(length-8, 0)))).Draw(t, "n")
		if length == 0 {
			n %= 1 << 20
		}
		next := After(first, n, length)
		if next != First(next, length) {
			t.Fatalf("%v is not the begin of a /%d", next, length)
		}
		if n == 0 && next != first || next.Less(first) && length > 16 {
			t.Fatalf("%v after %v", next, first)
		}
		if got := (Range{First: first, Last: next}).Widen(length).Count(length); next.Compare(first) >= 0 && got != n+1 {
			t.Fatalf("%d prefixes of /%d from %v to %v, want %d", got, length, first, next, n+1)
		}
	})
}

func TestPoolOfPrefixesValidates(t *testing.T) {
	network := func(s string) Range {
		r, _ := ParseExclusion(s)
		return r
	}
	for _, c := range []struct {
		name string
		pool Pool
		want string // part of the error; empty: none
	}{
		{"good", Pool{Name: "a", PrefixLength: 64, Ranges: []Range{network("2001:db8::/48"), network("2001:db8:1::/48")}}, ""},
		{"longer than the range", Pool{Name: "a", PrefixLength: 128, Ranges: []Range{network("2001:db8::/48")}}, "no prefixes of 128 bits"},
		{"below zero", Pool{Name: "a", PrefixLength: -1, Ranges: []Range{network("2001:db8::/48")}}, "no prefixes of -1 bits"},
		{"two ranges in one prefix", Pool{Name: "a", PrefixLength: 56, Ranges: []Range{network("2001:db8::/64"), network("2001:db8:0:1::/64")}}, "overlaps"},
		{"nothing left", Pool{Name: "a", PrefixLength: 64, Ranges: []Range{network("2001:db8::/64")}, Exclude: []Range{network("2001:db8::1")}}, "leave no address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			switch err := c.pool.Validate(); {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
