package memory

import (
	"errors"
	"net/netip"
	"testing"

	"lnsgate/pool"
	"lnsgate/pool/pooltest"
)

func open(t testing.TB, s pooltest.Setup) pool.Keeper {
	a, err := New(Config{Pools: s.Pools, Statics: s.Statics, Now: s.Now})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestConformance(t *testing.T) { pooltest.Run(t, open) }

func TestConformanceOfPrefixes(t *testing.T) { pooltest.RunPrefixes(t, open) }

// TestStaticPrefixesFitThePools: a reservation that takes a part of a pool's prefix, or several, is a fault.
func TestStaticPrefixesFitThePools(t *testing.T) {
	network, err := pool.ParseExclusion("2001:db8:1::/48")
	if err != nil {
		t.Fatal(err)
	}
	pools := []pool.Pool{{Name: "a", PrefixLength: 56, Ranges: []pool.Range{network}}}
	for text, fits := range map[string]bool{
		"2001:db8:1:100::/56": true, "2001:db8:2::/64": true, "2001:db8:1:101::/64": false, "2001:db8:1::/52": false, "2001:db8::/32": false,
	} {
		p := netip.MustParsePrefix(text)
		_, err := New(Config{Pools: pools, Statics: []Static{{Account: "bob", Address: p.Addr(), PrefixLength: p.Bits()}}})
		var mismatch *pool.MismatchError
		if errors.As(err, &mismatch) == fits {
			t.Errorf("%s: %v", text, err)
		}
	}
}
