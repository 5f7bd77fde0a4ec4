package lns_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/local"
	"lnsgate/lns"
	"lnsgate/lns/lac"
	"lnsgate/lns/recorder"
	"lnsgate/lns/trace"
	"lnsgate/pool"
	"lnsgate/pool/memory"
	"lnsgate/test/simnet"
)

// sixBooks keeps the records of sessions, and the routes that the host was given.
type sixBooks struct {
	mu      sync.Mutex
	records []aaa.Record
	routes  []netip.Prefix
}

func (b *sixBooks) Account(r aaa.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records = append(b.records, r)
}

func (b *sixBooks) AddRoutes(_ string, routes []aaa.Route) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range routes {
		b.routes = append(b.routes, r.Prefix)
	}
	return nil
}

func (b *sixBooks) RemoveRoutes(_ string, routes []aaa.Route) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range routes {
		b.routes = slices.DeleteFunc(b.routes, func(p netip.Prefix) bool { return p == r.Prefix })
	}
	return nil
}

func (b *sixBooks) all() ([]aaa.Record, []netip.Prefix) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.records), slices.Clone(b.routes)
}

// runIPv6 runs a test with a server that gives IPv6: two prefixes for links, one to delegate, and accounts with their own.
func runIPv6(t *testing.T, test func(*rig, *sixBooks)) { runIPv6With(t, func(*lns.Deps) {}, test) }

func runIPv6With(t *testing.T, change func(*lns.Deps), test func(*rig, *sixBooks)) {
	books := &sixBooks{}
	runWith(t, simnet.Config{}, func(c *lns.Config, d *lns.Deps) {
		c.Templates[0].IPv6, c.Templates[0].IPv6DNS = true, []netip.Addr{netip.MustParseAddr("2001:db8::53")}
		c.Reserved = []lns.Reserved{{Network: netip.MustParsePrefix("2001:db8:20::/48"), What: "headquarters"}}
		d.Accounter, d.Router, d.Node = books, books, "lns1"
		change(d)
	}, func(r *rig) {
		network := func(text string) []pool.Range {
			run, err := pool.ParseExclusion(text)
			if err != nil {
				t.Fatal(err)
			}
			return []pool.Range{run}
		}
		four, err := pool.ParseRange("10.10.1.10-10.10.1.250")
		if err != nil {
			t.Fatal(err)
		}
		if err := r.pools.Reconfigure(memory.Config{Pools: []pool.Pool{
			{Name: "pool1", Ranges: []pool.Range{four}},
			{Name: "links", PrefixLength: 64, Ranges: network("2001:db8:100::/63")},
			{Name: "sites", PrefixLength: 56, Ranges: network("2001:db8:200::/56")},
		}}); err != nil {
			t.Fatal(err)
		}
		own := func(name, link, site string) local.Account {
			a := account(name, "secret")
			a.IPv6 = &aaa.IPv6{Prefixes: []netip.Prefix{netip.MustParsePrefix(link)}, Delegated: []netip.Prefix{netip.MustParsePrefix(site)}}
			return a
		}
		behind := func(name string, networks ...string) local.Account {
			a := account(name, "secret")
			a.IPv6 = &aaa.IPv6{}
			for _, n := range networks {
				a.IPv6.Routes = append(a.IPv6.Routes, aaa.Route{Prefix: netip.MustParsePrefix(n)})
			}
			return a
		}
		backend, err := local.New([]local.Account{
			account("l2tpuser", "secret"), account("alice@six", "secret"),
			own("carol", "2001:db8:f00::/64", "2001:db8:f10::/48"), own("mallory", "2001:db8:20:1::/64", "2001:db8:f20::/48"),
			behind("router", "2001:db8:f30::/48", "2001:db8:f30:1::/64"), behind("rival", "2001:db8:f30:2::/64"), behind("thief", "2001:db8:20:2::/64"),
		})
		if err != nil {
			t.Fatal(err)
		}
		g, err := aaa.NewGateway(aaa.Config{DefaultDomain: "default", Backends: []aaa.Backend{backend}, Domains: []aaa.Domain{
			{Name: "default", Chain: []string{local.Name}, Pools: []string{"pool1"}, IPv6Pools: []string{"links"}, DelegatedPools: []string{"sites"}},
			{Name: "six", Chain: []string{local.Name}, IPv6Pools: []string{"links"}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		r.gateway.set(g)
		test(r, books)
	})
}

func six(c *lac.ClientConfig) { c.Login.IPv6, c.Login.Delegated = true, true }

// wantIPv6 waits until the server has told the client all that it will.
func (r *rig) wantIPv6(c *client) lac.Up {
	r.t.Helper()
	for range 3 {
		if u := r.wantUp(c, 30*time.Second); u.IPv6.Delegated.IsValid() || r.t.Failed() {
			return u
		}
	}
	return lac.Up{}
}

func TestDualStackLogin(t *testing.T) {
	runIPv6(t, func(r *rig, books *sixBooks) {
		c := r.dial(1, "l2tpuser", "secret", six)
		u := r.wantIPv6(c)
		link, site := netip.MustParsePrefix("2001:db8:100::/64"), netip.MustParsePrefix("2001:db8:200::/56")
		if u.IPv6.Prefix != link || u.IPv6.Delegated != site || !link.Contains(u.IPv6.Address) || len(u.IPv6.DNS) != 1 || !u.Address.IsValid() {
			t.Errorf("the client has %+v", u)
		}
		r.sleep(time.Second)
		specs := r.path.Specs()
		if len(specs) != 1 || !slices.Equal(specs[0].IPv6, []netip.Prefix{link, site}) || specs[0].Address != u.Address || specs[0].MSS6 != specs[0].MSS-20 {
			t.Errorf("the data path has %+v", specs)
		}
		if s := r.server.Sessions(); len(s) != 1 || !slices.Equal(s[0].IPv6, []netip.Prefix{link, site}) {
			t.Errorf("operators see %+v", s)
		}
		c.cancel()
		r.wantEnd(c, 10*time.Second)
		r.sleep(time.Second)
		records, _ := books.all()
		last := records[len(records)-1]
		if last.Kind != aaa.RecordStop || last.IPv6.Prefix != link || last.IPv6.Delegated != site || last.IPv6.InterfaceID == 0 {
			t.Errorf("the last record is %+v", last)
		}
	})
}

func TestIPv6RunsOutAndIPv4GoesOn(t *testing.T) {
	runIPv6(t, func(r *rig, _ *sixBooks) {
		first := r.wantIPv6(r.dial(1, "l2tpuser", "secret", six)) // the only prefix to delegate
		second := r.wantUp(r.dial(2, "l2tpuser", "secret", func(c *lac.ClientConfig) { c.Login.IPv6 = true }), 10*time.Second)
		third := r.wantUp(r.dial(3, "l2tpuser", "secret", func(c *lac.ClientConfig) { c.Login.IPv6 = true }), 10*time.Second)
		r.sleep(time.Minute)
		if !first.Address.IsValid() || !second.Address.IsValid() || !third.Address.IsValid() {
			t.Fatal("not all have IPv4")
		}
		var prefixes []int
		for _, spec := range r.path.Specs() {
			prefixes = append(prefixes, len(spec.IPv6))
		}
		slices.Sort(prefixes)
		if !slices.Equal(prefixes, []int{0, 1, 2}) {
			t.Errorf("the sessions have %v prefixes", prefixes)
		}
		if log := r.log.String(); strings.Count(log, "goes without all of the IPv6") != 2 || !strings.Contains(log, "pool sites: 1 of 1 leased") {
			t.Errorf("the log does not say so")
		}
	})
}

func TestIPv6AloneRunsOut(t *testing.T) {
	runIPv6(t, func(r *rig, _ *sixBooks) {
		alone := func(c *lac.ClientConfig) { c.Login.NoIPv4 = true }
		for host := range 2 {
			if u := r.wantUp(r.dial(host+1, "alice@six", "secret", alone), 10*time.Second); u.Address.IsValid() || !u.IPv6.Address.IsValid() {
				t.Errorf("client %d has %+v", host, u)
			}
		}
		if err := r.wantEnd(r.dial(9, "alice@six", "secret", alone), 10*time.Second); err == nil {
			t.Error("a third was let in")
		}
	})
}

func TestPrefixesOfAnAccount(t *testing.T) {
	runIPv6(t, func(r *rig, books *sixBooks) {
		c := r.dial(1, "carol", "secret", six)
		u := r.wantIPv6(c)
		own := []netip.Prefix{netip.MustParsePrefix("2001:db8:f00::/64"), netip.MustParsePrefix("2001:db8:f10::/48")}
		if u.IPv6.Prefix != own[0] || u.IPv6.Delegated != own[1] {
			t.Errorf("carol has %+v", u.IPv6)
		}
		if _, routes := books.all(); !slices.Equal(routes, own) {
			t.Errorf("routes %v", routes)
		}
		// She dials again without having hung up: the remnant gives way.
		again := r.wantIPv6(r.dial(2, "carol", "secret", six))
		if again.IPv6.Prefix != own[0] || again.IPv6.Delegated != own[1] {
			t.Errorf("the second time she has %+v", again.IPv6)
		}
		r.sleep(time.Second)
		if n := len(r.server.Sessions()); n != 1 {
			t.Errorf("%d sessions", n)
		}
		if _, routes := books.all(); !slices.Equal(routes, own) {
			t.Errorf("routes %v", routes)
		}
	})
}

// Framed-IPv6-Route (RFC 3162 section 2.5): networks behind the peer are carried and routed as its prefixes are, and no two
// sessions have the same ones.
func TestNetworksOfIPv6BehindAPeer(t *testing.T) {
	runIPv6(t, func(r *rig, books *sixBooks) {
		network := netip.MustParsePrefix("2001:db8:f30::/48")
		c := r.dial(1, "router", "secret", six)
		r.wantIPv6(c)
		if _, routes := books.all(); !slices.Equal(routes, []netip.Prefix{network}) {
			t.Errorf("routes %v", routes)
		}
		if s := r.server.Sessions(); len(s) != 1 || !slices.Equal(s[0].Routes, []netip.Prefix{network}) {
			t.Errorf("shown: %+v", s)
		}
		carried := r.path.Specs()[0].IPv6
		if !slices.Contains(carried, network) || len(carried) != 3 {
			t.Errorf("the data path carries %v", carried)
		}
		for host, why := range map[int]string{2: "overlaps 2001:db8:f30::/48", 3: "overlaps headquarters"} {
			r.wantEnd(r.dial(host, []string{2: "rival", 3: "thief"}[host], "secret", six), time.Minute)
			if log := r.log.String(); !strings.Contains(log, why) {
				t.Errorf("the log does not say that a network %s", why)
			}
		}
		c.cancel()
		r.wantEnd(c, 10*time.Second)
		r.sleep(5 * time.Second)
		if _, routes := books.all(); len(routes) != 0 {
			t.Errorf("routes left behind: %v", routes)
		}
		r.wantIPv6(r.dial(4, "rival", "secret", six))
	})
}

func TestAnAccountGetsOtherPrefixes(t *testing.T) {
	runIPv6(t, func(r *rig, _ *sixBooks) {
		c := r.dial(1, "carol", "secret", six)
		r.wantIPv6(c)
		if err := r.server.Reauthorize(context.Background(), func(lns.SessionInfo) bool { return true }); err != nil || len(r.server.Sessions()) != 1 {
			t.Fatalf("nothing has changed, and %v", err)
		}
		r.gateway.set(newGateway(t, account("carol", "secret")))
		if err := r.server.Reauthorize(context.Background(), func(lns.SessionInfo) bool { return true }); err != nil {
			t.Fatal(err)
		}
		r.wantEnd(c, 10*time.Second)
		if log := r.log.String(); !strings.Contains(log, "its IPv6 prefixes are others now") {
			t.Error("the log does not say why")
		}
	})
}

func TestPrefixOfHeadquartersIsNotGiven(t *testing.T) {
	runIPv6(t, func(r *rig, _ *sixBooks) {
		u := r.wantUp(r.dial(1, "mallory", "secret", func(c *lac.ClientConfig) { c.Login.IPv6 = true }), 10*time.Second)
		r.sleep(time.Minute)
		if specs := r.path.Specs(); !u.Address.IsValid() || len(specs) != 1 || len(specs[0].IPv6) != 0 {
			t.Errorf("%+v, %+v", u, specs)
		}
		if log := r.log.String(); !strings.Contains(log, "no peer can have the prefix 2001:db8:20:1::/64, which overlaps headquarters") {
			t.Error("the log does not say why")
		}
	})
}

// What the two ends of a link say to each other once it is up is no part of the story of the login.
func TestNeighbourTrafficIsNotInTheStory(t *testing.T) {
	rec := recorder.New(recorder.Config{Node: "lns1", Prefix: "lns1-"})
	runIPv6With(t, func(d *lns.Deps) { d.Recorder = rec }, func(r *rig, _ *sixBooks) {
		c := r.dial(1, "l2tpuser", "secret", six)
		r.wantIPv6(c)
		r.sleep(time.Hour) // of router advertisements
		for _, s := range the(t, rec, trace.Filter{}).Steps {
			if strings.Contains(s.What, "IPv6") && !strings.Contains(s.What, "IPv6CP") || strings.Contains(s.What, "0057") {
				t.Errorf("the story tells of %+v", s)
			}
		}
		c.cancel()
		r.wantEnd(c, 10*time.Second)
	})
}

// A session whose peer speaks no IPv4 is not answered a DHCPINFORM, whatever address it holds.
func TestSessionWithoutIPv4IsNotInformed(t *testing.T) {
	for alone, want := range map[bool]uint64{true: 0, false: 1} {
		runIPv6(t, func(r *rig, _ *sixBooks) {
			c := r.dial(1, "l2tpuser", "secret", six, func(c *lac.ClientConfig) { c.Login.NoIPv4 = alone })
			r.wantUp(c, 30*time.Second)
			r.sleep(time.Second)
			spec := r.path.Specs()[0]
			source := r.server.Sessions()[0].Address.As4()
			r.server.Receiver().Datagram(spec.Path, dataMessage(spec, append([]byte{0xff, 3, 0, 0x21}, dhcpInform(source)...)))
			r.sleep(time.Second)
			if got := r.server.Counters()["dhcp_informs_answered"]; got != want {
				t.Errorf("IPv6 alone %v: answered %d times", alone, got)
			}
			c.cancel()
			r.wantEnd(c, 10*time.Second)
		})
	}
}

// dhcpInform is an IPv4 packet with a DHCPINFORM.
func dhcpInform(source [4]byte) []byte {
	dhcp := make([]byte, 236)
	dhcp[0], dhcp[1], dhcp[2] = 1, 8, 6
	copy(dhcp[12:], source[:])
	dhcp = append(dhcp, 0x63, 0x82, 0x53, 0x63, 53, 1, 8, 255)
	b := append([]byte{0x45, 0, 0, 0, 0, 1, 0, 0, 128, 17, 0, 0}, source[:]...)
	b = append(b, 255, 255, 255, 255, 0, 68, 0, 67, 0, 0, 0, 0)
	b = append(b, dhcp...)
	b[2], b[3] = byte(len(b)>>8), byte(len(b))
	b[24], b[25] = byte((len(b)-20)>>8), byte(len(b)-20)
	return b
}
