package lns_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"lnsgate/aaa"
	"lnsgate/lns"
)

// What a login would be refused for is told beforehand, and nothing is claimed by asking.
func TestCheckRoutes(t *testing.T) {
	s := &conversation{}
	network := netip.MustParsePrefix("192.168.7.0/24")
	s.grant = func(d *aaa.Decision) { d.Routes = []aaa.Route{{Prefix: network}} }
	runWith(t, fast, func(c *lns.Config, d *lns.Deps) {
		withServer(s, nil)(c, d)
		d.Router = &tellRouter{held: map[netip.Prefix]string{}}
		c.Reserved = []lns.Reserved{{Network: netip.MustParsePrefix("10.10.1.0/24"), What: `pool "pool1"`}}
	}, func(r *rig) {
		r.openMany(1)
		peer := netip.MustParseAddr("203.0.113.1")
		for range 2 { // the first time has claimed nothing
			for _, test := range []struct{ account, network, want string }{
				{"user0", "192.168.7.0/24", ""}, // its own session gives way
				{"user1", "192.168.7.128/25", "overlaps 192.168.7.0/24, which is behind session"},
				{"user1", "192.168.8.0/24", ""},
				{"user1", "2001:db8:8::/48", ""},
				{"user1", "::/0", "can be behind a peer"},
				{"user1", "10.10.1.0/28", "overlaps pool"},
				{"user1", "203.0.113.0/24", "the way to the peer itself"},
			} {
				err := r.server.CheckRoutes(context.Background(), test.account, peer, []aaa.Route{{Prefix: netip.MustParsePrefix(test.network)}})
				if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
					t.Errorf("%s behind %s: %v, want %q", test.network, test.account, err, test.want)
				}
			}
		}
	})
}

func TestMatchAndTemplates(t *testing.T) {
	c := testConfig()
	if g := c.Match("pc", netip.MustParseAddr("203.0.113.1")); g == nil || g.Name != "default" || !c.HasTemplate(g.Template) || c.HasTemplate("vt9") {
		t.Errorf("got %+v", g)
	}
}
