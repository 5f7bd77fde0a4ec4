package e2e

import (
	"net/netip"
	"strings"
	"testing"

	"lnsgate/test/netns"
)

func TestSpoofedSourceIsDroppedAndCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(usual)
	_, up := w.online("l2tpuser", "Admin@123")
	wire := w.listen(w.hq, "eth0")
	const counter = "data_source_not_leased"
	before := s.counter(counter)
	w.in(w.client, "ip", "address", "add", "10.10.1.99/32", "dev", "vpn0") // of the pool, but somebody else's
	w.noPing(w.client, hqAddress, "-I", "10.10.1.99")
	if n := s.counter(counter) - before; n != 5 {
		t.Errorf("5 packets with a foreign source count as %d", n)
	}
	if n := s.session("l2tpuser").Drops; n != 5 {
		t.Errorf("the session counts %d dropped packets, not 5", n)
	}
	w.ping(w.client, hqAddress, "-I", up.Address.String())
	if seen := tshark(t, wire.pcap(w.folder), "-Y", "ip.addr == 10.10.1.99"); seen != nil {
		t.Errorf("headquarters has seen %v", seen)
	}
}

func TestLoginOverIPv6(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(usual)
	c := w.dialTo(w.client, "["+server6+"]", "l2tpuser", "Admin@123", "--tun", "vpn0", "--route", "10.20.0.0/24")
	c.up()
	w.ping(w.client, hqAddress, "-s", "1400")
	transfer(t, w.client, w.hq, hqAddress, 1<<20)
	if tunnels := s.tunnels(); len(tunnels) != 1 || tunnels[0].RemoteAddress != netip.MustParseAddr("fd00::2") {
		t.Errorf("tunnels %+v, want one from fd00::2", tunnels)
	}
	c.hangUp()
	s.empty()
}

// departments are two, each with a virtual template, a pool and a person.
const departments = `
	listen: [0.0.0.0:1701]
	virtual_templates:
	  - {name: vt-sales, address: 10.10.0.1/32}
	  - {name: vt-tech, address: 10.10.0.2/32}
	l2tp_groups:
	  - {name: default, virtual_template: vt-sales}
	default_domain: sales
	domains:
	  - {name: sales, pools: [sales]}
	  - {name: tech, pools: [tech], virtual_template: vt-tech}
	pools:
	  - {name: sales, ranges: [10.10.1.0/24]}
	  - {name: tech, ranges: [10.10.2.0/24]}
	users:
	  - {name: alice@sales, password: "Alice@123"}
	  - {name: bob@tech, password: "Bob@1234"}
	`

// Each department has an interface of its own, so a firewall rule about an interface is a rule about a department.
func TestDepartmentsHaveTheirOwnInterfaces(t *testing.T) {
	t.Parallel()
	netns.RequireCommand(t, "nft")
	w := newWorld(t)
	s := w.serve(departments)
	alice, aliceUp := w.online("alice@sales", "Alice@123")
	bob := w.secondClient()
	b := w.dialTo(bob, "192.0.3.1", "bob@tech", "Bob@1234", "--tun", "vpn0", "--route", "10.20.0.0/24")
	bobUp := b.up()
	for _, c := range []struct {
		up             event
		pool, template string
	}{{aliceUp, "10.10.1.0/24", "vt-sales"}, {bobUp, "10.10.2.0/24", "vt-tech"}} {
		if !netip.MustParsePrefix(c.pool).Contains(c.up.Address) {
			t.Errorf("%s is not from %s", c.up.Address, c.pool)
		}
	}
	if peer := bobUp.Peer.String(); peer != "10.10.0.2" {
		t.Errorf("bob's far end is %s, not the address of vt-tech", peer)
	}
	for user, template := range map[string]string{"alice@sales": "vt-sales", "bob@tech": "vt-tech"} {
		if got := s.session(user).VirtualTemplate; got != template {
			t.Errorf("%s is on %s, want %s", user, got, template)
		}
	}
	w.ping(w.client, hqAddress)
	w.ping(bob, hqAddress)
	w.in(w.lns, "nft", "add table ip t; add chain ip t f { type filter hook forward priority 0; };"+
		"add rule ip t f iifname vt-sales drop")
	w.noPing(w.client, hqAddress)
	w.ping(bob, hqAddress)
	alice.hangUp()
	b.hangUp()
	s.empty()
}

// A department that moves to another interface takes its people along: their sessions end, so that no firewall rule is
// walked around, and the next login is on the new interface. Nobody else notices.
func TestReloadMovesADepartment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	clean := w.snapshot()
	s := w.serve(departments)
	w.online("alice@sales", "Alice@123")
	old := s.session("alice@sales")
	bob := w.secondClient()
	dialBob := func() *caller {
		c := w.dialTo(bob, "192.0.3.1", "bob@tech", "Bob@1234", "--tun", "vpn0", "--route", "10.20.0.0/24")
		c.up()
		return c
	}
	first := dialBob()
	reload := func(config string) {
		t.Helper()
		s.write(config)
		if output, code := s.command("reload"); code != 0 {
			t.Fatalf("reload: exit code %d: %s", code, output)
		}
	}
	for _, template := range []string{"vt-sales", "vt-tech"} {
		reload(strings.Replace(departments, "virtual_template: vt-tech", "virtual_template: "+template, 1))
		if end, code := first.gone(); code == 0 || !end.ByServer {
			t.Errorf("bob's call ends with code %d, %+v", code, end)
		}
		s.says("session closed", "user", "bob@tech", "cause", template)
		first = dialBob()
		if got := s.session("bob@tech").VirtualTemplate; got != template {
			t.Errorf("bob is on %s, want %s", got, template)
		}
		w.ping(bob, hqAddress)
		w.ping(w.client, hqAddress)
	}
	checkSame(t, old, s.session("alice@sales"))

	// A virtual template that does not exist yet comes with the next start. Until then nothing changes.
	s.write(strings.ReplaceAll(departments, "vt-tech", "vt-new"))
	if output, code := s.command("reload"); code == 0 || !strings.Contains(output, "vt-new") {
		t.Errorf("a reload with a new virtual template: exit code %d, %s", code, output)
	}
	w.ping(bob, hqAddress)
	s.stop()
	w.in(w.lns, "ip", "link", "delete", "wan2")
	checkSnapshot(t, clean, w.snapshot())
}

// secondClient is one more client on a wire of its own, 192.0.3.0/24.
func (w *world) secondClient() *netns.Namespace {
	w.t.Helper()
	n := netns.NewTest(w.t)
	must(w.t, netns.Veth(n, "wan", w.lns, "wan2"))
	must(w.t, n.Address("wan", "192.0.3.2/24"))
	must(w.t, w.lns.Address("wan2", "192.0.3.1/24"))
	return n
}
