package e2e

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// The IPv6 side of the usual world: headquarters has the server, and a route to all subscribers through the LNS.
const (
	hqAddress6 = "2001:db8:20::2"
	pools6     = "2001:db8:f000::/36"
)

// dualStack gives subscribers IPv4, a prefix for their link and one to delegate.
const dualStack = `
	listen: ["0.0.0.0:1701", "[::]:1701"]
	virtual_templates:
	  - {name: vt1, address: 10.10.0.1/32, ppp_authentication: [chap], mru: 1400, ipv6: true, ipv6_address: "2001:db8:10::1", ipv6_dns: ["2001:db8:20::53"]}
	l2tp_groups:
	  - {name: default, virtual_template: vt1}
	domains:
	  - {name: default, pools: [pool1], ipv6_pools: [links], delegated_pools: [sites]}
	  - {name: six, ipv6_pools: [links]}
	  - {name: four, pools: [pool1]}
	pools:
	  - {name: pool1, ranges: [10.10.1.10-10.10.1.250]}
	  - {name: links, ranges: ["2001:db8:f100::/40"], prefix_length: 64}
	  - {name: sites, ranges: ["2001:db8:f200::/40"], prefix_length: 56}
	users:
	  - {name: l2tpuser, password: "Admin@123"}
	  - {name: alice@six, password: "Alice@123"}
	  - {name: bob@four, password: "Bob@1234"}
	  - {name: carol, password: "Carol@123", ipv6_prefix: "2001:db8:ff00:7::/64", delegated_prefix: "2001:db8:ff10::/48"}
	`

func newWorld6(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	// At once, and not after a second in which nobody answers for them: the first packets would be lost.
	w.in(w.lns, "ip", "-6", "address", "add", "2001:db8:20::1/64", "dev", "hq", "nodad")
	w.in(w.hq, "ip", "-6", "address", "add", hqAddress6+"/64", "dev", "eth0", "nodad")
	must(t, w.client.Up("lo"))
	w.in(w.hq, "ip", "-6", "route", "add", pools6, "via", "2001:db8:20::1")
	w.in(w.hq, "ip", "-6", "route", "add", "2001:db8:10::/64", "via", "2001:db8:20::1")
	eventually(t, "the links to headquarters are sure of their own addresses", func() bool {
		return w.in(w.lns, "ip", "-6", "address", "show", "dev", "hq", "tentative")+w.in(w.hq, "ip", "-6", "address", "show", "dev", "eth0", "tentative") == ""
	})
	return w
}

// online6 dials for IPv6 too, and waits until the server has told about it.
func (w *world) online6(server, user, password string, options ...string) (*caller, event) {
	w.t.Helper()
	c := w.dialTo(w.client, server, user, password, append([]string{"--ipv6", "--tun", "vpn0", "--route", "10.20.0.0/24", "--route", "2001:db8:20::/48", "--route", "2001:db8:10::/48"}, options...)...)
	var e event
	eventually(w.t, fmt.Sprintf("%v has IPv6", c.command.Args), func() bool {
		e, _ = c.find("up")
		return e.IPv6 != nil && wantsNoMore(e, options) || !c.running()
	})
	if e.IPv6 == nil {
		w.t.Fatalf("%v has ended before it had IPv6: %+v", c.command.Args, c.events())
	}
	return c, e
}

// wantsNoMore says that a call has all that it has asked for. Until then its interface changes once more, which may cost a
// packet.
func wantsNoMore(e event, options []string) bool {
	alone, delegated := slices.Contains(options, "--ipv6-only"), slices.Contains(options, "--delegated-prefix")
	return (e.Address.IsValid() || alone) && (e.IPv6.Delegated.IsValid() || !delegated)
}

func TestDualStackThroughTheTunnel(t *testing.T) {
	t.Parallel()
	w := newWorld6(t)
	clean := w.snapshot()
	s := w.serve(dualStack)
	for _, server := range []string{serverAddress, "[" + server6 + "]"} {
		c, up := w.online6(server, "l2tpuser", "Admin@123", "--delegated-prefix")
		six := up.IPv6
		if !netip.MustParsePrefix("2001:db8:f100::/40").Contains(six.Address) || six.Prefix.Bits() != 64 || !six.Prefix.Contains(six.Address) {
			t.Errorf("the address is %s of %s", six.Address, six.Prefix)
		}
		if !netip.MustParsePrefix("2001:db8:f200::/40").Contains(six.Delegated.Addr()) || six.Delegated.Bits() != 56 {
			t.Errorf("delegated: %s", six.Delegated)
		}
		if fmt.Sprint(six.DNS) != "[2001:db8:20::53]" || six.Router.String() != "fe80::1" || up.Address.String() == "" {
			t.Errorf("%+v", up)
		}
		w.ping(w.client, hqAddress)
		w.ping(w.client, hqAddress6)
		w.ping(w.client, hqAddress6, "-s", "1300") // 1348 octets
		w.ping(w.client, "2001:db8:10::1")
		w.ping(w.hq, six.Address.String())
		transfer(t, w.client, w.hq, hqAddress6, 1<<20)
		transfer(t, w.hq, w.client, six.Address.String(), 1<<20)

		// A host of the site that the prefix is delegated to.
		site := six.Delegated.Addr().Next().String()
		w.in(w.client, "ip", "-6", "address", "add", site+"/128", "dev", "lo", "nodad")
		w.ping(w.client, hqAddress6, "-I", site)
		w.ping(w.hq, site)
		w.in(w.client, "ip", "-6", "address", "del", site+"/128", "dev", "lo")
		c.hangUp()
		s.empty()
	}
	s.stop()
	checkSnapshot(t, clean, w.snapshot())
}

func TestSpoofedIPv6SourceIsDropped(t *testing.T) {
	t.Parallel()
	w := newWorld6(t)
	s := w.serve(dualStack)
	_, up := w.online6(serverAddress, "l2tpuser", "Admin@123")
	wire := w.listen(w.hq, "eth0")
	const counter = "data_source_not_leased"
	before := s.counter(counter)
	const stolen = "2001:db8:f1aa:1::99" // of the pool, but somebody else's
	w.in(w.client, "ip", "-6", "address", "add", stolen+"/128", "dev", "vpn0", "nodad")
	w.noPing(w.client, hqAddress6, "-I", stolen)
	if n := s.counter(counter) - before; n != 5 {
		t.Errorf("5 packets with a foreign source count as %d", n)
	}
	w.ping(w.client, hqAddress6, "-I", up.IPv6.Address.String())
	if seen := tshark(t, wire.pcap(w.folder), "-Y", "ipv6.addr == "+stolen); seen != nil {
		t.Errorf("headquarters has seen %v", seen)
	}
}

// A second opinion on what is said on the wire about IPv6.
func TestTsharkReadsIPv6OfTheLink(t *testing.T) {
	t.Parallel()
	w := newWorld6(t)
	w.serve(dualStack)
	wire := w.listen(w.lns, "wan")
	c, up := w.online6(serverAddress, "l2tpuser", "Admin@123", "--delegated-prefix")
	w.ping(w.client, hqAddress6)
	c.hangUp()
	file := wire.pcap(w.folder)
	if bad := tshark(t, file, "-Y", "_ws.malformed || icmpv6.checksum.status == 0"); bad != nil {
		t.Errorf("tshark objects to %v", bad)
	}
	for filter, want := range map[string]string{
		"icmpv6.type == 134":  up.IPv6.Prefix.Addr().String(),
		"dhcpv6.msgtype == 7": up.IPv6.Delegated.Addr().String(),
	} {
		field := "icmpv6.opt.prefix"
		if strings.HasPrefix(filter, "dhcp") {
			field = "dhcpv6.iaprefix.pref_addr"
		}
		if seen := tshark(t, file, "-Y", filter, "-T", "fields", "-e", field); len(seen) == 0 || !strings.Contains(fmt.Sprint(seen), want) {
			t.Errorf("%s: tshark reads %v, want %s", filter, seen, want)
		}
	}
}

// The size of TCP segments is lowered to what fits the tunnel: 1400 octets less 40 of IPv6 and 20 of TCP.
func TestSegmentSizeOfIPv6(t *testing.T) {
	t.Parallel()
	w := newWorld6(t)
	w.serve(dualStack)
	w.online6(serverAddress, "l2tpuser", "Admin@123", "--mru", "1450")
	wire := w.listen(w.hq, "eth0")
	transfer(t, w.client, w.hq, hqAddress6, 1<<16)
	seen := tshark(t, wire.pcap(w.folder), "-Y", "ipv6 && tcp.flags.syn == 1", "-T", "fields", "-e", "tcp.options.mss_val")
	if len(seen) == 0 {
		t.Fatal("no SYN was seen")
	}
	if got := fmt.Sprint(seen[0]); !strings.Contains(got, "1340") {
		t.Errorf("the SYN of the client announces %v, want 1340", seen)
	}
}

func TestSessionsOfOneFamily(t *testing.T) {
	t.Parallel()
	w := newWorld6(t)
	s := w.serve(dualStack)
	alone, up := w.online6(serverAddress, "alice@six", "Alice@123", "--ipv6-only")
	if up.Address.IsValid() {
		t.Errorf("alice has %s", up.Address)
	}
	w.ping(w.client, hqAddress6)
	if routes := w.in(w.client, "ip", "-4", "route", "show", "dev", "vpn0"); routes != "" {
		t.Errorf("alice has a way to %s", routes)
	}
	alone.hangUp()
	four := w.dial(w.client, "bob@four", "Bob@1234", "--ipv6", "--tun", "vpn0", "--route", "10.20.0.0/24")
	four.up()
	w.ping(w.client, hqAddress)
	four.hangUp()
	plain, _ := w.online("l2tpuser", "Admin@123") // speaks no IPv6, and has it refused
	w.ping(w.client, hqAddress)
	plain.hangUp()
	s.empty()
}

func TestOwnPrefixes(t *testing.T) {
	t.Parallel()
	w := newWorld6(t)
	s := w.serve(dualStack)
	c, up := w.online6(serverAddress, "carol", "Carol@123", "--delegated-prefix")
	if up.IPv6.Prefix.String() != "2001:db8:ff00:7::/64" || up.IPv6.Delegated.String() != "2001:db8:ff10::/48" {
		t.Errorf("carol has %+v", up.IPv6)
	}
	w.ping(w.hq, up.IPv6.Address.String())
	w.in(w.client, "ip", "-6", "address", "add", "2001:db8:ff10:5::1/128", "dev", "lo", "nodad")
	w.ping(w.hq, "2001:db8:ff10:5::1")
	if routes := w.in(w.lns, "ip", "-6", "route", "show", "dev", "vt1"); !strings.Contains(routes, "2001:db8:ff10::/48") {
		t.Errorf("routes: %s", routes)
	}
	c.hangUp()
	s.empty()
	if routes := w.in(w.lns, "ip", "-6", "route", "show", "dev", "vt1"); strings.Contains(routes, "2001:db8:ff10::/48") {
		t.Errorf("routes left behind: %s", routes)
	}
}

// event6 is what dial says of IPv6.
type event6 struct {
	Address   netip.Addr
	Prefix    netip.Prefix
	Router    netip.Addr
	Delegated netip.Prefix `json:"delegated_prefix"`
	DNS       []netip.Addr
}
