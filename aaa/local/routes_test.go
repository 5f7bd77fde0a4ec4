package local

import (
	"context"
	"net/netip"
	"testing"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
)

func TestNetworksBehindAUser(t *testing.T) {
	behind := []netip.Prefix{netip.MustParsePrefix("192.168.50.0/24"), netip.MustParsePrefix("10.8.0.0/16")}
	b := mustNew(t, Account{Name: "branch", Credential: clear("Admin@123"), Routes: behind}, Account{Name: "bob", Credential: clear("Admin@123")})
	for name, want := range map[string]int{"branch": 2, "bob": 0} {
		query := aaatest.NewQuery(name, aaatest.NewProof(aaa.PAP, name, "Admin@123"))
		at, err := b.Authenticate(context.Background(), query)
		if err != nil {
			t.Fatal(err)
		}
		later, err := b.Authorize(context.Background(), query)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range []aaa.Grant{at, later} {
			if len(g.Routes) != want || want > 0 && (g.Routes[0] != aaa.Route{Prefix: behind[0]} || g.Routes[1] != aaa.Route{Prefix: behind[1]}) {
				t.Errorf("%s gets %v", name, g.Routes)
			}
		}
	}
}
