package e2e

import (
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"lnsgate/lns/admin"
)

// Attributes of IPv6 (RFC 3162, RFC 4818).
const framedPrefix, delegatedPrefix = 97, 123

// prefix reads an attribute: a reserved octet, the length, and as much of the address as is needed.
func (p *packet) prefix(kind byte) netip.Prefix {
	octets := p.get(kind)
	if len(octets) < 2 {
		return netip.Prefix{}
	}
	var address [16]byte
	copy(address[:], octets[2:])
	return netip.PrefixFrom(netip.AddrFrom16(address), int(octets[1]))
}

func prefixAttribute(kind byte, p netip.Prefix) attribute {
	address := p.Addr().As16()
	return attribute{kind, append([]byte{0, byte(p.Bits())}, address[:]...)}
}

// sixes logs a user in and wants a prefix for its link and one for the networks behind it.
func (r *router) sixes(user, password, id string) (c *call, link, site netip.Prefix) {
	r.t.Helper()
	reply := r.asks(r.login(user, password, text(sessionID, id)))
	link, site = reply.prefix(framedPrefix), reply.prefix(delegatedPrefix)
	if reply.code != accessAccept || link.Bits() != 64 || site.Bits() != 56 || !reply.address().IsValid() {
		r.t.Fatalf("%s is answered by code %d, with %v, %v and %v", user, reply.code, reply.address(), link, site)
	}
	return &call{r, user, id, reply.get(classKind), reply.address()}, link, site
}

// lent wants so many leases held, and so many resting, of each pool.
func (s *server) lent(held, resting uint64) {
	s.t.Helper()
	var list []admin.Pool
	if !poll(patience, func() bool {
		list = s.pools()
		return !slices.ContainsFunc(list, func(p admin.Pool) bool { return p.Leased != held || p.Quarantined != resting })
	}) {
		s.t.Errorf("not %d are held and %d rest: %+v", held, resting, list)
	}
}

const sixOffice = `
	default_domain: sales.example
	radius_server:
	  listen: [127.0.0.1:1812]
	  accounting_listen: [127.0.0.1:1813]
	  reject_delay: 0
	  clients:
	    - {name: router1, source: 127.0.0.2/32, secret: ` + nasSecret + `}
	domains:
	  - {name: sales.example, pools: [office], ipv6_pools: [links], delegated_pools: [sites]}
	pools:
	  - {name: office, ranges: [10.30.0.1-10.30.0.40]}
	  - {name: links, ranges: ["2001:db8:100::/60"], prefix_length: 64}
	  - {name: sites, ranges: ["2001:db8:200::/52"], prefix_length: 56}
	users:
	  - {name: anna@sales.example, password: "Anna@1234"}
	`

// Prefixes live as the address does, whether the NAS tells of them or not, and over a kill of lnsgate that keeps everything in files.
func TestPrefixesOfASessionOnANAS(t *testing.T) {
	t.Parallel()
	w := newOffice(t)
	s := w.answer(sixOffice)
	r := w.router("127.0.0.2")
	c, link, site := r.sixes(anna, annaPassword, "1")
	if !netip.MustParsePrefix("2001:db8:100::/60").Contains(link.Addr()) || !netip.MustParsePrefix("2001:db8:200::/52").Contains(site.Addr()) {
		t.Errorf("%v and %v are of no pool", link, site)
	}
	s.lent(1, 0)
	c.tells(statusStart) // it knows nothing of IPv6
	if shown := s.session(anna); !slices.Equal(shown.IPv6, []netip.Prefix{link, site}) {
		t.Errorf("%+v", shown)
	}
	offered, link2, site2 := r.sixes(anna, annaPassword, "2")
	s.signal(syscall.SIGKILL)
	s.ended()
	s.again()
	other, link3, site3 := r.sixes(anna, annaPassword, "3")
	if link == link2 || link == link3 || link2 == link3 || site == site2 || site == site3 || site2 == site3 {
		t.Errorf("given twice: %v %v %v, %v %v %v", link, link2, link3, site, site2, site3)
	}
	offered.tells(statusStart)
	other.tells(statusStart, prefixAttribute(framedPrefix, link3), prefixAttribute(delegatedPrefix, site3))
	s.lent(3, 0)
	const sessionTime = 46
	c.tells(statusInterim, number(sessionTime, 60))
	s.lent(3, 0)
	for _, c := range []*call{c, offered, other} {
		c.tells(statusStop, number(sessionTime, 90))
	}
	s.lent(0, 3)
	r.sixes(anna, annaPassword, "4")
	r.startsAnew(s, 0, 3) // what it was offered is free as well
	s.lent(0, 3)
	s.stop()
}

// With a database leases, live sessions and records have the prefixes, for every node.
func TestPrefixesOfANASInTheDatabase(t *testing.T) {
	t.Parallel()
	c := newCompany(t, salesInSQL, sixInSQL, `INSERT INTO nas (name, source, secret) VALUES ('router1', '127.0.0.0/30', '`+nasSecret+`')`)
	w := newOffice(t)
	s := w.answer(c.inOffice("hq", "127.0.0.1", ""))
	w.asks("1812", nasSecret, "Access-Request\nPacket-Src-IP-Address = 127.0.0.3\nUser-Name = \"user1@sales.example\"\nUser-Password = \"User@1234\"\nMessage-Authenticator = 0x00", `Access-Accept
		Message-Authenticator =* ANY
		Class =* ANY
		Framed-IP-Address =* ANY
		Framed-IPv6-Prefix =* ANY
		Delegated-IPv6-Prefix =* ANY
		DNS-Server-IPv6-Address == 2001:db8:20::54
		Acct-Interim-Interval == 600
		`)
	r := w.router("127.0.0.2")
	alices, link, site := r.sixes(alice, alicePassword, "1")
	const state = `SELECT string_agg(state || '/' || coalesce(prefix_length, 0), ' ' ORDER BY prefix_length NULLS FIRST) FROM leases WHERE account = $1`
	c.becomes("offered/0 offered/56 offered/64", state, alice)
	alices.tells(statusStart)
	c.becomes("bound/0 bound/56 bound/64", state, alice)
	c.becomes(link.String()+" "+site.String(), `SELECT ipv6_prefix || ' ' || delegated_prefix FROM sessions WHERE account = $1`, alice)
	c.becomes(alice, `SELECT account FROM who_had($1::inet, now())`, site.Addr().Next().String())
	if shown := s.session(alice); !slices.Equal(shown.IPv6, []netip.Prefix{link, site}) {
		t.Errorf("%+v", shown)
	}
	seen := map[netip.Prefix]bool{link: true}
	for _, user := range []string{"user2", "user3"} { // all that the pools have
		_, link, _ := r.sixes(user+"@sales.example", "User@1234", user)
		if seen[link] {
			t.Errorf("%v is given twice", link)
		}
		seen[link] = true
	}
	if p := r.asks(r.login("user4@sales.example", "User@1234")); p.code != accessAccept || !p.address().IsValid() || p.get(framedPrefix) != nil || p.get(delegatedPrefix) != nil {
		t.Errorf("one too many for the pools: %+v", p)
	}
	heard := r.ordered(w, obeys)
	c.sql(`INSERT INTO static_addresses (account, address) VALUES ('` + alice + `', '2001:db8:0:7::/64')`)
	if o := hears(t, heard, "a prefix of its own"); o.code != disconnectRequest || string(o.get(sessionID)) != alices.id {
		t.Errorf("the NAS is told %+v", o.packet)
	}
	c.becomes("disconnect its IPv6 prefix is now 2001:db8:0:7::/64", `SELECT kind || ' ' || reason FROM nas_orders WHERE account = $1 AND ok`, alice)
	const sessionTime = 46
	alices.tells(statusStop, number(sessionTime, 60))
	c.becomes("quarantine/0 quarantine/56 quarantine/64", state, alice)
	c.becomes(link.String()+" "+site.String(), `SELECT ipv6_prefix || ' ' || delegated_prefix FROM accounting WHERE account = $1 AND stopped_at IS NOT NULL`, alice)
	s.stop()
}
