package pool

import (
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func mustRange(t testing.TB, s string) Range {
	t.Helper()
	r, err := ParseExclusion(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestParseRange(t *testing.T) {
	for _, c := range []struct {
		text, pool, exclusion string
		size                  uint64
	}{
		{"10.10.1.10-10.10.1.250", "10.10.1.10-10.10.1.250", "10.10.1.10-10.10.1.250", 241},
		{" 10.10.1.10 - 10.10.1.10 ", "10.10.1.10", "10.10.1.10", 1},
		{"10.10.1.0-10.10.1.255", "10.10.1.0-10.10.1.255", "10.10.1.0-10.10.1.255", 256},
		{"10.10.1.7", "10.10.1.7", "10.10.1.7", 1},
		{"10.10.1.0/24", "10.10.1.1-10.10.1.254", "10.10.1.0-10.10.1.255", 254},
		{"10.10.1.4/30", "10.10.1.5-10.10.1.6", "10.10.1.4-10.10.1.7", 2},
		{"10.10.1.4/31", "10.10.1.4-10.10.1.5", "10.10.1.4-10.10.1.5", 2},
		{"10.10.1.4/32", "10.10.1.4", "10.10.1.4", 1},
		{"10.0.0.0/8", "10.0.0.1-10.255.255.254", "10.0.0.0-10.255.255.255", 1<<24 - 2},
		{"0.0.0.0/0", "0.0.0.1-255.255.255.254", "0.0.0.0-255.255.255.255", 1<<32 - 2},
		{"2001:db8::/126", "2001:db8::1-2001:db8::3", "2001:db8::-2001:db8::3", 3},
		{"2001:db8::/127", "2001:db8::-2001:db8::1", "2001:db8::-2001:db8::1", 2},
		{"2001:db8::/64", "2001:db8::1-2001:db8::ffff:ffff:ffff:ffff", "2001:db8::-2001:db8::ffff:ffff:ffff:ffff", math.MaxUint64},
		{"::/0", "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", math.MaxUint64},
	} {
		r, err := ParseRange(c.text)
		if err != nil || r.String() != c.pool || r.Size() != c.size || !r.Valid() {
			t.Errorf("ParseRange(%q) = %v of %d, %v; want %v of %d", c.text, r, r.Size(), err, c.pool, c.size)
		}
		e, err := ParseExclusion(c.text)
		if err != nil || e.String() != c.exclusion {
			t.Errorf("ParseExclusion(%q) = %v, %v; want %v", c.text, e, err, c.exclusion)
		}
	}
}

func TestParseRangeRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "not an IP address",
		"-":                       "not an IP address",
		"10.0.0.1-":               "not an IP address",
		"10.0.0.1-10":             "not an IP address",
		"10.0.0.1-10.0.0.2-":      "not an IP address",
		"10.0.0.010":              "not an IP address",
		"10.0.0.9-10.0.0.1":       "ends before it begins",
		"10.0.0.1-2001:db8::1":    "mixes",
		"10.0.0.5/24":             "the network is 10.0.0.0/24",
		"10.0.0.0/33":             "not a network",
		"10.0.0.0/":               "not a network",
		"fe80::1%eth0":            "no zone",
		"::ffff:10.0.0.1":         "write it as an IPv4 address",
		"::ffff:10.0.0.0/104":     "write it as an IPv4 network",
		"10.0.0.0/24-10.0.1.0/24": "not a network",
	} {
		if r, err := ParseRange(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseRange(%q) = %v, %v; want an error with %q", text, r, err, want)
		}
	}
}

func TestZeroRangeIsEmpty(t *testing.T) {
	var zero Range
	if zero.Valid() || zero.Size() != 0 || zero.Contains(netip.MustParseAddr("10.0.0.1")) {
		t.Errorf("the zero range has addresses: %v", zero)
	}
}

func TestSubtract(t *testing.T) {
	for _, c := range []struct{ from, cut, want string }{
		{"10.0.0.0/30", "", "10.0.0.0-10.0.0.3"},
		{"10.0.0.0/30", "10.0.0.0", "10.0.0.1-10.0.0.3"},
		{"10.0.0.0/30", "10.0.0.3", "10.0.0.0-10.0.0.2"},
		{"10.0.0.0/30", "10.0.0.1", "10.0.0.0 10.0.0.2-10.0.0.3"},
		{"10.0.0.0/30", "10.0.0.1 10.0.0.2", "10.0.0.0 10.0.0.3"},
		{"10.0.0.0/30", "9.0.0.0-11.0.0.0", ""},
		{"10.0.0.0/30", "2001:db8::1", "10.0.0.0-10.0.0.3"},
		{"0.0.0.0/0", "0.0.0.0/0", ""},
		{"0.0.0.0/0", "255.255.255.255", "0.0.0.0-255.255.255.254"},
		{"::/0", "::", "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	} {
		var cut []Range
		for _, f := range strings.Fields(c.cut) {
			cut = append(cut, mustRange(t, f))
		}
		var got []string
		for _, r := range mustRange(t, c.from).Subtract(cut...) {
			got = append(got, r.String())
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%v without %v = %v, want %v", c.from, c.cut, got, c.want)
		}
	}
}

// What is left after Subtract is exactly the addresses that are in the range and in no cut.
func TestSubtractAgainstSets(t *testing.T) {
	address := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}) }
	draw := rapid.Custom(func(t *rapid.T) Range {
		first := rapid.IntRange(0, 40).Draw(t, "first")
		return Range{First: address(first), Last: address(first + rapid.IntRange(0, 12).Draw(t, "more"))}
	})
	rapid.Check(t, func(t *rapid.T) {
		from := draw.Draw(t, "from")
		cuts := rapid.SliceOfN(draw, 0, 4).Draw(t, "cuts")
		left := from.Subtract(cuts...)
		in := func(rs []Range, a netip.Addr) bool {
			return slices.ContainsFunc(rs, func(r Range) bool { return r.Contains(a) })
		}
		var total uint64
		for n := range 60 {
			a := address(n)
			if want := from.Contains(a) && !in(cuts, a); in(left, a) != want {
				t.Fatalf("%v without %v = %v: %v should be in it: %v", from, cuts, left, a, want)
			} else if want {
				total++
			}
		}
		for _, r := range left {
			total -= r.Size()
		}
		if total != 0 {
			t.Fatalf("%v without %v = %v: an address is in it twice", from, cuts, left)
		}
	})
}

func FuzzParseRange(f *testing.F) {
	for _, s := range []string{"10.0.0.1", "10.0.0.0/24", "10.0.0.1-10.0.0.9", "::/0", "::1-::2", "-", "/", "fe80::1%x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRange(s)
		if err != nil {
			return
		}
		if !r.Valid() || r.Size() == 0 {
			t.Fatalf("%q gives %v", s, r)
		}
		if again, err := ParseRange(r.String()); err != nil || again != r {
			t.Fatalf("%q gives %v, which reads back as %v, %v", s, r, again, err)
		}
	})
}
