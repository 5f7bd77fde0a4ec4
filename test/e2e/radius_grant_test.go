package e2e

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"lnsgate/lns/admin"
	"lnsgate/test/radtest"
)

const grants = `DEFAULT Cleartext-Password := "Load@123"
	Fall-Through = Yes
inside@sales.example
	Framed-IP-Address = 10.10.9.77
outside@sales.example
	Framed-IP-Address = 10.66.0.5
magic@sales.example
	Framed-IP-Address = 255.255.255.254
asks@sales.example
	Framed-IP-Address = 255.255.255.255
net@sales.example
	Framed-IP-Address = 10.99.5.1, Framed-IP-Netmask = 255.255.255.240
cisco@sales.example
	Cisco-AVPair = "ip:addr-pool=guests", Cisco-AVPair += "ip:dns-servers=10.20.0.55"
huawei@sales.example
	Huawei-Input-Average-Rate = 3000000, Huawei-Output-Average-Rate = 5000000
accel@sales.example
	Filter-Id = "5000/3000"
guest@sales.example
	Framed-Pool = "guests"
lost@sales.example
	Framed-Pool = "nowhere"
branch@sales.example
	Framed-IP-Address = 10.10.9.78, Framed-Route = "10.99.0.0/24 0.0.0.0 1", Framed-Route += "10.99.1.0/24 10.10.9.78 1"
greedy@sales.example
	Framed-Route = "10.20.0.0/24 0.0.0.0 1"
brief@sales.example
	Session-Timeout = 2
idle@sales.example
	Idle-Timeout = 2
mikrotik@sales.example
	Mikrotik-Rate-Limit = "2M/8M"
wispr@sales.example
	WISPr-Bandwidth-Max-Up = 1000000, WISPr-Bandwidth-Max-Down = 4000000
dns@sales.example
	MS-Primary-DNS-Server = 10.20.0.53, MS-Secondary-DNS-Server = 10.20.0.54
ping@sales.example
	Filter-Id = "only-ping"
noping@sales.example
	Filter-Id = "no-ping"
open@sales.example
	Filter-Id = "not-there"
shell@sales.example
	Service-Type = Login-User
`

// loadOnline is world.online for a user of the load's password.
func (w *world) loadOnline(user string, options ...string) (*caller, event) {
	w.t.Helper()
	return w.online(user, "Load@123", options...)
}

// What an Access-Accept grants is what the peer gets: addresses, pools, networks, limits and name servers.
func TestRADIUSGrantsAreCarriedOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, w.hq.Route("10.66.0.0/16", "10.20.0.1"))
	must(t, w.hq.Route("10.99.0.0/16", "10.20.0.1"))
	radius := radtest.Start(t, radtest.Options{Users: grants, Namespace: w.lns})
	s := w.serve(askingRADIUS(salesByRADIUS, radiusGroup("hq", radius)))

	for _, g := range []struct {
		user, address, pool string
		options             []string // of dial
		check               func(admin.Session, event) bool
	}{
		{user: "inside", address: "10.10.9.77/32"},
		{user: "outside", address: "10.66.0.5/32"},
		{user: "magic", address: "10.10.8.0/21", pool: "pool1"},
		{user: "guest", address: "10.10.2.0/24", pool: "guests"},
		{user: "asks", address: "10.10.9.99/32", pool: "pool1", options: []string{"--address", "10.10.9.99"}},
		{user: "asks", address: "10.10.8.0/21", pool: "pool1", options: []string{"--address", "10.66.0.9"}},
		{user: "cisco", address: "10.10.2.0/24", pool: "guests", check: func(_ admin.Session, up event) bool {
			return slices.Equal(up.DNS, []netip.Addr{netip.MustParseAddr("10.20.0.55")})
		}},
		{user: "huawei", check: func(v admin.Session, _ event) bool { return v.RateUp == 3e6 && v.RateDown == 5e6 }},
		{user: "accel", check: func(v admin.Session, _ event) bool { return v.RateUp == 3e6 && v.RateDown == 5e6 && v.Filter == "" }},
		{user: "mikrotik", check: func(v admin.Session, _ event) bool { return v.RateUp == 2e6 && v.RateDown == 8e6 }},
		{user: "wispr", check: func(v admin.Session, _ event) bool { return v.RateUp == 1e6 && v.RateDown == 4e6 }},
		{user: "dns", check: func(_ admin.Session, up event) bool {
			return slices.Equal(up.DNS, []netip.Addr{netip.MustParseAddr("10.20.0.53"), netip.MustParseAddr("10.20.0.54")})
		}},
		{user: "nothing", check: func(v admin.Session, up event) bool { // what the domain says
			return v.RateUp == 0 && v.Filter == "" && slices.Equal(up.DNS, []netip.Addr{netip.MustParseAddr("10.20.0.9")})
		}},
	} {
		c, up := w.loadOnline(g.user+"@sales.example", g.options...)
		view := s.session(g.user + "@sales.example")
		if g.address != "" {
			w.ping(w.client, hqAddress)
			w.ping(w.hq, up.Address.String())
			if !netip.MustParsePrefix(g.address).Contains(up.Address) || g.pool != "" && view.Pool != g.pool {
				t.Errorf("%s has %s of pool %q, want %s of %q", g.user, up.Address, view.Pool, g.address, g.pool)
			}
		}
		if g.check != nil && !g.check(view, up) {
			t.Errorf("%s: %+v\n%+v", g.user, view, up)
		}
		c.hangUp()
		s.empty()
	}
	for user, cause := range map[string]string{
		"lost": `there is no pool "nowhere"`, "open": `there is no filter "not-there"`, "shell": "Service-Type",
	} {
		w.refused(s, user+"@sales.example", "Load@123", cause)
	}
	s.stop()
}

// A network behind the peer is reached from headquarters, and one that is not behind the peer is not taken from there.
func TestRADIUSRoutesReachTheNetworkBehindThePeer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, w.hq.Route("10.99.0.0/16", "10.20.0.1"))
	radius := radtest.Start(t, radtest.Options{Users: grants, Namespace: w.lns})
	s := w.serve(askingRADIUS(salesByRADIUS, radiusGroup("hq", radius)))
	c, _ := w.loadOnline("branch@sales.example")
	for _, behind := range []string{"10.99.0.1", "10.99.1.1"} {
		must(t, w.client.Address("vpn0", behind+"/32"))
		w.ping(w.hq, behind)
		w.ping(w.client, hqAddress, "-I", behind)
	}
	routes := []netip.Prefix{netip.MustParsePrefix("10.99.0.0/24"), netip.MustParsePrefix("10.99.1.0/24")}
	if got := s.session("branch@sales.example").Routes; !slices.Equal(got, routes) {
		t.Errorf("the session shows the routes %v, want %v", got, routes)
	}
	must(t, w.client.Address("vpn0", "10.99.2.1/32"))
	w.noPing(w.client, hqAddress, "-I", "10.99.2.1")
	c.hangUp()
	s.empty()
	w.noPing(w.hq, "10.99.0.1")
	c, _ = w.loadOnline("net@sales.example") // a mask says the same of the network around the peer's own address
	if got := s.session("net@sales.example").Routes; !slices.Equal(got, []netip.Prefix{netip.MustParsePrefix("10.99.5.0/28")}) {
		t.Errorf("a mask of 28 bits makes the routes %v", got)
	}
	c.hangUp()
	s.stop()
}

// A filter that an Access-Accept names acts on traffic.
func TestRADIUSFiltersAct(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	radius := radtest.Start(t, radtest.Options{Users: grants, Namespace: w.lns})
	s := w.serve(askingRADIUS(salesByRADIUS, radiusGroup("hq", radius)))
	service := listenTCP(t, w.hq, hqAddress)
	for _, f := range []struct {
		user, filter string
		ping, tcp    bool
	}{{"ping", "only-ping", true, false}, {"noping", "no-ping", false, true}, {"nothing", "", true, true}} {
		c, up := w.loadOnline(f.user + "@sales.example")
		if f.ping {
			w.ping(w.client, hqAddress)
			w.ping(w.hq, up.Address.String())
		} else {
			w.noPing(w.client, hqAddress)
			w.noPing(w.hq, up.Address.String())
		}
		if got := w.open(w.client, service); got != f.tcp {
			t.Errorf("filter %q: a TCP connection comes about: %v, want %v", f.filter, got, f.tcp)
		}
		if got := s.session(f.user + "@sales.example").Filter; got != f.filter {
			t.Errorf("show sessions has filter %q, want %q", got, f.filter)
		}
		c.hangUp()
		s.empty()
	}
	s.stop()
}

// Filter-Id may name a filter of the database, whose rows count while the session lives, and Port-Limit is kept by the
// registry of all nodes, although the database knows no account of that name. The first login finds all that.
func TestRADIUSNamesWhatTheDatabaseHas(t *testing.T) {
	t.Parallel()
	c := newCompany(t, `INSERT INTO filters (name) VALUES ('strict');
		INSERT INTO filter_rules (filter, action, protocol) VALUES ('strict', 'allow', 'icmp')`)
	w := newWorld(t)
	radius := radtest.Start(t, radtest.Options{Namespace: w.lns, Users: everyone + `	Fall-Through = Yes
strict@sales.example
	Filter-Id = "strict"
single@sales.example
	Port-Limit = 1
`})
	s := w.serve(askingRADIUS(fmt.Sprintf("\n\tdatabase: {url: %q}", c.url)+salesByRADIUS, radiusGroup("hq", radius)))
	service := listenTCP(t, w.hq, hqAddress)
	w.loadOnline("strict@sales.example")
	w.ping(w.client, hqAddress)
	if w.open(w.client, service) {
		t.Error("the filter of the database lets TCP through")
	}
	c.sql(`INSERT INTO filter_rules (filter, action, protocol) VALUES ('strict', 'allow', 'tcp')`)
	eventually(t, "a new row of the filter lets TCP through", func() bool { return w.open(w.client, service) })

	first := w.dial(w.client, "single@sales.example", "Load@123")
	first.up()
	w.refused(s, "single@sales.example", "Load@123", "1 of 1 sessions")
	first.hangUp()
	eventually(t, "there is room again", func() bool {
		return w.dial(w.client, "single@sales.example", "Load@123", "--once").ended() == 0
	})
	s.stop()
}
