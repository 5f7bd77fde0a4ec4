package datapath

import (
	"net/netip"
	"testing"
)

func TestDuplicateErrorSaysWhatIsTaken(t *testing.T) {
	key, holder := Key{1, 2}, Key{3, 4}
	for _, c := range []struct {
		err  DuplicateError
		want string
	}{
		{DuplicateError{Key: key, Holder: key}, "session 1/2 is already in the data path"},
		{DuplicateError{Key: key, Holder: holder, Address: netip.MustParseAddr("10.0.0.1")},
			"session 1/2: address 10.0.0.1 already belongs to session 3/4"},
		{DuplicateError{Key: key, Holder: holder, Prefix: netip.MustParsePrefix("10.0.0.0/8")},
			"session 1/2: route 10.0.0.0/8 already belongs to session 3/4"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestPathString(t *testing.T) {
	p := Path{Remote: netip.MustParseAddrPort("198.51.100.7:1701")}
	if got, want := p.String(), "198.51.100.7:1701"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	p.Local = netip.MustParseAddr("192.0.2.1")
	if got, want := p.String(), "198.51.100.7:1701 to 192.0.2.1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
