package e2e

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"lnsgate/lns/admin"
)

// sixInSQL is what an administrator adds for IPv6: four prefixes for links, four to delegate.
const sixInSQL = `
	INSERT INTO pools (name, prefix_length) VALUES ('links', 64), ('homes', 56);
	INSERT INTO pool_ranges (pool, range) VALUES ('links', '2001:db8:f100::/62'), ('homes', '2001:db8:f200::/54');
	UPDATE domains SET ipv6_pools = '{links}', delegated_pools = '{homes}', ipv6_dns = '{2001:db8:20::54}' WHERE name = 'sales.example';
	INSERT INTO accounts (name, password) SELECT 'user' || i || '@sales.example', 'User@1234' FROM generate_series(1, 5) i;
	`

// site6 is a site with IPv6.
func (c *company) site6(node string) *site {
	c.t.Helper()
	w := newWorld6(c.t)
	config := strings.Replace(c.config(node), "mru: 1460", `mru: 1400, ipv6: true, ipv6_address: "2001:db8:10::1"`, 1)
	p := &site{world: w, server: w.serve(config), c: c, node: node}
	p.ready()
	return p
}

// sixes dials for IPv6 without an interface, and waits for it.
func (p *site) sixes(user string) netip.Prefix {
	p.c.t.Helper()
	call := p.dial(p.client, user+"@sales.example", "User@1234", "--ipv6")
	var got netip.Prefix
	eventually(p.c.t, user+" has IPv6", func() bool {
		if e, _ := call.find("up"); e.IPv6 != nil {
			got = e.IPv6.Prefix
		}
		return got.IsValid() || !call.running()
	})
	return got
}

// Prefixes come from the database, the same never twice, on however many nodes, and what was given is in every table.
func TestNodesShareThePrefixesOfTheDatabase(t *testing.T) {
	t.Parallel()
	c := newCompany(t, salesInSQL, sixInSQL)
	first, second := c.site6("hq1"), c.site6("hq2")
	call, up := first.online6(serverAddress, alice, alicePassword, "--delegated-prefix")
	six := up.IPv6
	if !netip.MustParsePrefix("2001:db8:f100::/62").Contains(six.Address) || six.Prefix.Bits() != 64 || fmt.Sprint(six.DNS) != "[2001:db8:20::54]" ||
		!netip.MustParsePrefix("2001:db8:f200::/54").Contains(six.Delegated.Addr()) || six.Delegated.Bits() != 56 {
		t.Fatalf("alice has %+v", six)
	}
	first.ping(first.client, hqAddress6)
	first.ping(first.hq, six.Address.String())
	c.becomes(six.Prefix.String()+" "+six.Delegated.String(), `SELECT ipv6_prefix || ' ' || delegated_prefix FROM sessions WHERE account = $1`, alice)
	for _, address := range []string{six.Address.String(), six.Delegated.Addr().Next().String()} {
		c.becomes(alice, `SELECT account FROM who_had($1::inet, now())`, address)
	}
	c.becomes(six.Prefix.String(), `SELECT ipv6_prefix FROM logins WHERE name = $1`, alice)

	given := map[netip.Prefix]string{six.Prefix: "alice"}
	for i, p := range []*site{first, second, second} {
		user := fmt.Sprint("user", i+1)
		got := p.sixes(user)
		if given[got] != "" || !netip.MustParsePrefix("2001:db8:f100::/62").Contains(got.Addr()) {
			t.Errorf("%s has %v, as has %q", user, got, given[got])
		}
		given[got] = user
	}
	// All are given; a new range is used at once, and by whichever node.
	c.sql(`INSERT INTO pool_ranges (pool, range) VALUES ('links', '2001:db8:f1ff::/64')`)
	for _, p := range []*site{first, second} {
		eventually(t, "the new range is known", func() bool {
			return slices.ContainsFunc(p.pools(), func(u admin.Pool) bool { return u.Name == "links" && u.Size == 5 })
		})
	}
	if got := second.sixes("user4"); got.String() != "2001:db8:f1ff::/64" {
		t.Errorf("user4 has %v, not the one of the new range", got)
	}
	c.becomes("5 5", `SELECT count(ipv6_prefix) || ' ' || count(DISTINCT ipv6_prefix) FROM sessions`)
	c.becomes("5", `SELECT count(*) FROM leases WHERE pool = 'links' AND state = 'bound' AND prefix_length = 64`)

	// A prefix of her own: the session ends, and the next one has it.
	c.sql(`INSERT INTO static_addresses (account, address) VALUES ('` + alice + `', '2001:db8:f000:7::/64')`)
	call.ended()
	_, up = second.online6(serverAddress, alice, alicePassword)
	if up.IPv6.Prefix.String() != "2001:db8:f000:7::/64" {
		t.Errorf("alice has %v, not her own", up.IPv6.Prefix)
	}
	second.ping(second.hq, up.IPv6.Address.String())
	c.becomes("2", `SELECT count(*) FROM freeradius.radacct WHERE username = $1 AND framedipv6prefix IS NOT NULL`, alice)
}
