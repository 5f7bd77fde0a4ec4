package neighbour

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"lnsgate/lns/neighbour/dhcp6"
)

var (
	start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ours  = netip.MustParseAddr("fe80::1")
	peer  = netip.MustParseAddr("fe80::a8bb:ccff:fedd:ee01")
	duid  = []byte{0, 2, 0, 0, 0, 9, 1, 2, 3}
	whole = Config{
		Local: ours, Peer: peer, Link: netip.MustParsePrefix("2001:db8:100:7::/64"), Delegated: netip.MustParsePrefix("2001:db8:200:700::/56"),
		DNS: []netip.Addr{netip.MustParseAddr("2001:db8::53"), netip.MustParseAddr("2001:db8::54")}, MTU: 1400, DUID: duid,
	}
)

func solicitation(source, destination netip.Addr, change func(*packet)) []byte {
	p := packet{source: source, destination: destination, protocol: protocolICMPv6, hops: linkHops, payload: []byte{typeRouterSolicitation, 0, 0, 0, 0, 0, 0, 0}}
	if change != nil {
		change(&p)
	}
	return p.bytes(2)
}

func mustParse(t *testing.T, b []byte) packet {
	t.Helper()
	p, ok := parse(b)
	if !ok || !p.sound() || p.hops != linkHops {
		t.Fatalf("not a sound packet: % x", b)
	}
	return p
}

func TestRFC4861Section6_2_6_RouterSolicitationIsAnswered(t *testing.T) {
	for _, source := range []netip.Addr{peer, unspecified} {
		got := NewRouter(whole, Spent{}, start).Receive(solicitation(source, allRouters, nil), start)
		if len(got) != 1 {
			t.Fatalf("%d answers to %v", len(got), source)
		}
		p := mustParse(t, got[0])
		a, ok := parseAdvert(p.payload)
		if !ok || p.source != ours || p.destination != allNodes {
			t.Fatalf("%+v", p)
		}
		if a.prefix != whole.Link || !a.autonomous || a.managed || !a.other || a.lifetime != routerLifetime || a.mtu != 1400 ||
			len(a.dns) != 2 || a.dns[1] != whole.DNS[1] || a.valid != validForever || a.preferred != preferredForever {
			t.Errorf("%+v", a)
		}
	}
}

func TestRFC4191Section2_3_RouteInformation(t *testing.T) {
	c := whole
	for _, r := range []string{"2001:db8:9::/48", "::/0", "2001:db8:a::1/128", "2001:db8:b::/64"} {
		c.Routes = append(c.Routes, netip.MustParsePrefix(r))
	}
	b := mustParse(t, NewRouter(c, Spent{}, start).Advance(start)[0]).payload
	option := []byte{24, 2, 48, 0, 0, 0, 0x23, 0x28, 0x20, 0x01, 0x0d, 0xb8, 0, 9, 0, 0} // 9,000 seconds
	if !bytes.Contains(b, option) || !bytes.Contains(b, []byte{24, 1, 0, 0, 0, 0, 0x23, 0x28, 24, 3, 128, 0}) {
		t.Errorf("% x", b)
	}
	if a, ok := parseAdvert(b); !ok || !slices.Equal(a.routes, c.Routes) {
		t.Errorf("%+v", a)
	}
	for range 30 {
		c.Routes = append(c.Routes, netip.MustParsePrefix("2001:db8:a::1/128"))
	}
	packet := NewRouter(c, Spent{}, start).Advance(start)[0]
	if a, ok := parseAdvert(mustParse(t, packet).payload); !ok || len(a.routes) != maxRoutes || len(packet) > 1280 {
		t.Errorf("%d routes in %d octets", len(a.routes), len(packet))
	}
	for _, bad := range [][]byte{{24, 1, 64, 0, 0, 0, 0, 9}, {24, 2, 129, 0, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8}} {
		if _, ok := readRoute(bad); ok {
			t.Errorf("% x is read", bad)
		}
	}
}

func TestRFC4861Section6_1_1_BrokenSolicitationsAreNot(t *testing.T) {
	for name, b := range map[string][]byte{
		"crossed a router":  solicitation(peer, allRouters, func(p *packet) { p.hops = 254 }),
		"code":              solicitation(peer, allRouters, func(p *packet) { p.payload[1] = 1 }),
		"short":             solicitation(peer, allRouters, func(p *packet) { p.payload = p.payload[:4] }),
		"option of nothing": solicitation(peer, allRouters, func(p *packet) { p.payload = append(p.payload, 1, 0, 0, 0, 0, 0, 0, 0) }),
		"option too long":   solicitation(peer, allRouters, func(p *packet) { p.payload = append(p.payload, 1, 2, 0, 0, 0, 0, 0, 0) }),
		"to somebody else":  solicitation(peer, peer, nil),
		"from a group":      solicitation(allNodes, allRouters, nil),
	} {
		if got := NewRouter(whole, Spent{}, start).Receive(b, start); got != nil {
			t.Errorf("%s: answered", name)
		}
	}
	bad := solicitation(peer, allRouters, nil)
	bad[headerLen+2] ^= 1
	if NewRouter(whole, Spent{}, start).Receive(bad, start) != nil {
		t.Error("a wrong checksum is answered")
	}
}

func TestRFC4861Section6_2_4_AdvertisesByItself(t *testing.T) {
	r := NewRouter(whole, Spent{}, start)
	now, sent := start, []time.Duration{}
	for range 5 {
		if r.Deadline().After(now) && r.Advance(now) != nil {
			t.Fatal("before its time")
		}
		now = r.Deadline()
		if len(r.Advance(now)) != 1 {
			t.Fatal("nothing at the deadline")
		}
		sent = append(sent, now.Sub(start))
	}
	want := []time.Duration{0, initialInterval, 2 * initialInterval, 2*initialInterval + steadyInterval, 2*initialInterval + 2*steadyInterval}
	for i := range want {
		if sent[i] != want[i] {
			t.Fatalf("sent at %v, want %v", sent, want)
		}
	}
}

func TestAnswersAreBounded(t *testing.T) {
	r := NewRouter(whole, Spent{}, start)
	n := 0
	for range 1000 {
		n += len(r.Receive(solicitation(peer, allRouters, nil), start))
	}
	if n != answersAtOnce {
		t.Errorf("%d answers at once", n)
	}
	if len(r.Receive(solicitation(peer, allRouters, nil), start.Add(answerEvery))) != 1 {
		t.Error("no answer a second later")
	}
}

func TestRFC4861Section7_2_4_NeighbourSolicitation(t *testing.T) {
	ask := func(source, target netip.Addr) []byte {
		to := target.As16()
		return icmp(source, ours, append([]byte{typeNeighbourSolicitation, 0, 0, 0, 0, 0, 0, 0}, to[:]...))
	}
	for _, c := range []struct {
		name           string
		source, target netip.Addr
		to             netip.Addr // invalid: no answer
		flags          byte
	}{
		{"are you there", peer, ours, peer, 0xe0},
		{"may I have your address", unspecified, ours, allNodes, 0xa0},
		{"somebody else", peer, peer, netip.Addr{}, 0},
	} {
		got := NewRouter(whole, Spent{}, start).Receive(ask(c.source, c.target), start)
		if !c.to.IsValid() {
			if got != nil {
				t.Errorf("%s: answered", c.name)
			}
			continue
		}
		p := mustParse(t, got[0])
		if p.destination != c.to || p.payload[0] != typeNeighbourAdvert || p.payload[4] != c.flags || netip.AddrFrom16([16]byte(p.payload[8:])) != ours {
			t.Errorf("%s: %+v", c.name, p)
		}
	}
}

func TestRFC4443Section4_2_Echo(t *testing.T) {
	got := NewRouter(whole, Spent{}, start).Receive(icmp(peer, ours, []byte{typeEchoRequest, 0, 0, 0, 1, 2, 3, 4, 'h', 'i'}), start)
	if len(got) != 1 {
		t.Fatal("no answer")
	}
	if p := mustParse(t, got[0]); p.destination != peer || p.payload[0] != typeEchoReply || string(p.payload[8:]) != "hi" || p.payload[5] != 2 {
		t.Errorf("%+v", p)
	}
}

// say has a client's message answered; nil when it is not.
func say(t *testing.T, cfg Config, m dhcp6.Message) *dhcp6.Message {
	t.Helper()
	got := NewRouter(cfg, Spent{}, start).Receive(datagram(peer, allServers, clientPort, serverPort, m.Bytes()), start)
	if got == nil {
		return nil
	}
	p := mustParse(t, got[0])
	_, to, data, ok := p.udp()
	answer, err := dhcp6.Parse(data)
	if !ok || to != clientPort || p.destination != peer || err != nil || answer.Transaction != m.Transaction || string(answer.Server) != string(duid) {
		t.Fatalf("%+v %v %+v", p, err, answer)
	}
	return &answer
}

func TestRFC8415Section18_3_ServerAnswers(t *testing.T) {
	client := []byte{0, 3, 0, 1, 9, 9}
	pd := []dhcp6.Identity{{ID: [4]byte{7}}}
	old := dhcp6.Grant{Prefix: netip.MustParsePrefix("2001:db8:f00::/56"), Valid: time.Hour}
	addressed := whole
	addressed.Address = netip.MustParseAddr("2001:db8:100:7::99")
	none := whole
	none.Delegated = netip.Prefix{}
	for _, c := range []struct {
		name   string
		cfg    Config
		in     dhcp6.Message
		kind   dhcp6.Type // 0: no answer
		prefix netip.Prefix
		status dhcp6.Status
		dns    int
	}{
		{"solicit", whole, dhcp6.Message{Type: dhcp6.Solicit, Client: client, Prefixes: pd}, dhcp6.Advertise, whole.Delegated, 0, 2},
		{"solicit in a hurry", whole, dhcp6.Message{Type: dhcp6.Solicit, Client: client, Prefixes: pd, RapidCommit: true}, dhcp6.Reply, whole.Delegated, 0, 2},
		{"solicit without a name", whole, dhcp6.Message{Type: dhcp6.Solicit, Prefixes: pd}, 0, netip.Prefix{}, 0, 0},
		{"request", whole, dhcp6.Message{Type: dhcp6.Request, Client: client, Server: duid, Prefixes: pd}, dhcp6.Reply, whole.Delegated, 0, 2},
		{"request to another", whole, dhcp6.Message{Type: dhcp6.Request, Client: client, Server: client, Prefixes: pd}, 0, netip.Prefix{}, 0, 0},
		{"request to nobody", whole, dhcp6.Message{Type: dhcp6.Request, Client: client, Prefixes: pd}, 0, netip.Prefix{}, 0, 0},
		{"nothing to delegate", none, dhcp6.Message{Type: dhcp6.Request, Client: client, Server: duid, Prefixes: pd}, dhcp6.Reply, netip.Prefix{}, dhcp6.NoPrefixAvail, 2},
		{"renew", whole, dhcp6.Message{Type: dhcp6.Renew, Client: client, Server: duid, Prefixes: pd}, dhcp6.Reply, whole.Delegated, 0, 2},
		{"rebind", whole, dhcp6.Message{Type: dhcp6.Rebind, Client: client, Prefixes: pd}, dhcp6.Reply, whole.Delegated, 0, 2},
		{"release", whole, dhcp6.Message{Type: dhcp6.Release, Client: client, Server: duid, Prefixes: pd}, dhcp6.Reply, netip.Prefix{}, 0, 0},
		{"information", whole, dhcp6.Message{Type: dhcp6.InformationRequest}, dhcp6.Reply, netip.Prefix{}, 0, 2},
		{"information with a wish", whole, dhcp6.Message{Type: dhcp6.InformationRequest, Prefixes: pd}, 0, netip.Prefix{}, 0, 0},
		{"a server's own words", whole, dhcp6.Message{Type: dhcp6.Reply, Client: client, Server: duid}, 0, netip.Prefix{}, 0, 0},
		{"a prefix of before", whole, dhcp6.Message{Type: dhcp6.Rebind, Client: client, Prefixes: []dhcp6.Identity{{ID: [4]byte{7}, Grants: []dhcp6.Grant{old}}}}, dhcp6.Reply, whole.Delegated, 0, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.in.Transaction = [3]byte{1, 2, 3}
			got := say(t, c.cfg, c.in)
			if c.kind == 0 {
				if got != nil {
					t.Fatalf("answered with %+v", got)
				}
				return
			}
			if got == nil || got.Type != c.kind || len(got.DNS) != c.dns {
				t.Fatalf("%+v", got)
			}
			if len(got.Prefixes) == 0 {
				if c.prefix.IsValid() || c.status != 0 {
					t.Fatalf("%+v", got)
				}
				return
			}
			ia := got.Prefixes[0]
			if ia.ID != [4]byte{7} || ia.Status != c.status || c.prefix.IsValid() && (ia.Grants[0].Prefix != c.prefix || ia.Grants[0].Valid != validForever) {
				t.Errorf("%+v", ia)
			}
			for _, g := range ia.Grants {
				if g.Prefix != c.prefix && (g.Prefix != old.Prefix || g.Valid != 0 || g.Preferred != 0) {
					t.Errorf("%+v", g)
				}
			}
		})
	}
	na := []dhcp6.Identity{{ID: [4]byte{5}}}
	if got := say(t, whole, dhcp6.Message{Type: dhcp6.Solicit, Client: client, Addresses: na}); got.Addresses[0].Status != dhcp6.NoAddrsAvail {
		t.Errorf("%+v", got)
	}
	if got := say(t, addressed, dhcp6.Message{Type: dhcp6.Solicit, Client: client, Addresses: na}); got.Addresses[0].Grants[0].Prefix.Addr() != addressed.Address {
		t.Errorf("%+v", got)
	}
}

func TestRFC8415Section18_3_3_Confirm(t *testing.T) {
	for text, want := range map[string]dhcp6.Status{"2001:db8:100:7::5/128": dhcp6.Success, "2001:db8:101::5/128": dhcp6.NotOnLink} {
		got := say(t, whole, dhcp6.Message{Type: dhcp6.Confirm, Client: []byte{1, 2, 3, 4}, Addresses: []dhcp6.Identity{{Grants: []dhcp6.Grant{{Prefix: netip.MustParsePrefix(text)}}}}})
		if got == nil || got.Status != want {
			t.Errorf("%s: %+v", text, got)
		}
	}
	if got := say(t, whole, dhcp6.Message{Type: dhcp6.Confirm, Client: []byte{1, 2, 3, 4}}); got != nil {
		t.Errorf("nothing to confirm is answered with %+v", got)
	}
}

// TestHostLearnsFromRouter runs both ends on a link that loses the first packets.
func TestHostLearnsFromRouter(t *testing.T) {
	for _, lost := range []int{0, 1, 2, 3} {
		h := NewHost(HostConfig{Local: peer, Delegated: true, DUID: []byte{0, 3, 0, 1, 1, 2}}, start)
		r := NewRouter(whole, Spent{}, start)
		drop := lost
		for now := start; now.Before(start.Add(time.Minute)) && !h.Done(); now = now.Add(time.Second) {
			for _, b := range h.Advance(now) {
				if drop--; drop >= 0 {
					continue
				}
				for _, answer := range r.Receive(b, now) {
					h.Receive(answer)
				}
			}
		}
		got := h.Learnt()
		if got.Router != ours || got.Link != whole.Link || got.Delegated != whole.Delegated || got.MTU != 1400 || len(got.DNS) != 2 ||
			got.Address != netip.MustParseAddr("2001:db8:100:7:a8bb:ccff:fedd:ee01") {
			t.Errorf("%d lost: %+v", lost, got)
		}
	}
}

func TestHostGivesUp(t *testing.T) {
	h := NewHost(HostConfig{Local: peer, Delegated: true, DUID: []byte{1, 1, 1}}, start)
	n := 0
	for !h.Done() && n < 100 {
		n += len(h.Advance(h.Deadline()))
	}
	if n != solicitations+delegationTries {
		t.Errorf("%d questions", n)
	}
}

func TestPacketsCutAtEveryOctet(t *testing.T) {
	m := dhcp6.Message{Type: dhcp6.Solicit, Client: duid, Prefixes: []dhcp6.Identity{{}}}
	for _, b := range [][]byte{solicitation(peer, allRouters, nil), datagram(peer, allServers, clientPort, serverPort, m.Bytes())} {
		for n := range b {
			if NewRouter(whole, Spent{}, start).Receive(b[:n], start) != nil {
				t.Errorf("%d of %d octets are answered", n, len(b))
			}
		}
	}
}

// reseal gives a packet of any octets the checksum that it needs to be read further.
func reseal(b []byte) {
	if p, ok := parse(b); ok {
		at := map[uint8]int{protocolICMPv6: 2, protocolUDP: 6}[p.protocol]
		if at > 0 && len(p.payload) >= at+2 {
			p.payload[at], p.payload[at+1] = 0, 0
			binary.BigEndian.PutUint16(p.payload[at:], checksum(p.source, p.destination, p.protocol, p.payload))
		}
	}
}

func FuzzReceive(f *testing.F) {
	m := dhcp6.Message{Type: dhcp6.Rebind, Client: duid, Prefixes: []dhcp6.Identity{{Grants: []dhcp6.Grant{{Prefix: whole.Delegated}}}}, Addresses: []dhcp6.Identity{{}}}
	f.Add(solicitation(peer, allRouters, nil))
	f.Add(datagram(peer, allServers, clientPort, serverPort, m.Bytes()))
	f.Add(NewRouter(whole, Spent{}, start).advertise())
	f.Add(icmp(peer, ours, append([]byte{typeNeighbourSolicitation, 0, 0, 0, 0, 0, 0, 0}, make([]byte, 16)...)))
	f.Fuzz(func(t *testing.T, b []byte) {
		reseal(b)
		for _, answer := range NewRouter(whole, Spent{}, start).Receive(b, start) {
			if p, ok := parse(answer); !ok || !p.sound() || len(answer) > 4096 {
				t.Fatalf("answer % x", answer)
			}
		}
		NewHost(HostConfig{Local: peer, Delegated: true, DUID: duid}, start).Receive(b)
	})
}

func TestANewLinkIsNoNewBudget(t *testing.T) {
	r := NewRouter(whole, Spent{}, start)
	for range answersAtOnce {
		if r.Receive(solicitation(peer, allRouters, nil), start) == nil {
			t.Fatal("no answer")
		}
	}
	if again := NewRouter(whole, r.Spent(), start); again.Receive(solicitation(peer, allRouters, nil), start) != nil {
		t.Error("the link came up anew, and so did the budget")
	}
}

// A prefix that a client would like to have is not one that is taken back from it, and bits behind a prefix mean nothing.
func TestWishesAreNotTakenBack(t *testing.T) {
	client := []byte{0, 3, 0, 1, 9, 9}
	wish := dhcp6.Grant{Prefix: netip.MustParsePrefix("2001:db8:f00::/56")}
	same := dhcp6.Grant{Prefix: netip.PrefixFrom(whole.Delegated.Addr().Next(), whole.Delegated.Bits())}
	for _, c := range []struct {
		in   dhcp6.Message
		want int
	}{
		{dhcp6.Message{Type: dhcp6.Solicit, Client: client}, 1},
		{dhcp6.Message{Type: dhcp6.Request, Client: client, Server: duid}, 1},
		{dhcp6.Message{Type: dhcp6.Renew, Client: client, Server: duid}, 2},
	} {
		c.in.Prefixes = []dhcp6.Identity{{ID: [4]byte{7}, Grants: []dhcp6.Grant{wish, same}}}
		got := say(t, whole, c.in)
		if got == nil || len(got.Prefixes[0].Grants) != c.want || got.Prefixes[0].Grants[0].Prefix != whole.Delegated || got.Prefixes[0].Grants[0].Valid == 0 {
			t.Errorf("message %d: %+v", c.in.Type, got)
		}
	}
}
