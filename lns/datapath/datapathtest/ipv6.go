package datapathtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"

	"lnsgate/lns/datapath"
)

// The IPv6 world of the suite: a peer with a prefix on its link and one behind it, and a server.
const (
	link6     = "2001:db8:100:7::/64"
	behind6   = "2001:db8:200:700::/56"
	client6   = "2001:db8:100:7::99"
	site6     = "2001:db8:200:7ab::5"
	server6   = "2001:db8:1::80"
	stranger6 = "2001:db8:100:8::99"
)

// RunIPv6 checks that a data path keeps the contract for IPv6, which one that carries none does by saying so.
func RunIPv6(t *testing.T, newRig func(*testing.T) Rig) {
	if !newRig(t).DataPath().Capabilities().IPv6 {
		run(t, newRig, map[string]func(*testing.T, *bench){"refused": func(_ *testing.T, b *bench) { b.refuses(dual) }})
		return
	}
	run(t, newRig, map[string]func(*testing.T, *bench){
		"up":                    up6,
		"up/left to the engine": up6Neighbour,
		"up/dropped":            up6Drops,
		"up/segment size":       up6MSS,
		"up/filter":             up6Filter,
		"down":                  down6,
		"down/segment size":     down6MSS,
		"down/too big":          down6TooBig,
		"session/IPv6 alone":    session6Alone,
		"session/duplicates":    session6Duplicates,
		"session/bad specs":     session6BadSpecs,
	})
}

func dual(s *datapath.Spec) {
	s.IPv6 = []netip.Prefix{netip.MustParsePrefix(link6), netip.MustParsePrefix(behind6)}
}

func (b *bench) packet6(from, to string) []byte {
	b.port++
	return Packet{Source: from, Destination: to, Port: 5000 + b.port, Payload: 100}.Bytes6()
}

var ppp6 = []byte{0, 2, 0, 3, 0, 4, 0xFF, 3, 0, 0x57}

// expectSent6 waits for a datagram and compares all of it.
func (b *bench) expectSent6(header, packet []byte) {
	b.Helper()
	if _, got := b.Sent(); !bytes.Equal(got, join(header, packet)) {
		b.Fatalf("sent %x\nwant %x %x", got, header, packet)
	}
}

func up6(t *testing.T, b *bench) {
	s := b.add(dual)
	for _, header := range [][]byte{ppp6, {0, 2, 0, 3, 0, 4, 0, 0x57}, {0, 2, 0, 3, 0, 4, 0x57}} {
		for _, from := range []string{client6, site6} {
			packet := b.packet6(from, server6)
			if !b.receive(peer, header, packet) {
				t.Fatalf("%x was refused", header)
			}
			b.expectUp(packet)
		}
	}
	packet := b.packet6(client6, server6)
	b.receive(peer, ppp6, packet, make([]byte, 9)) // PPP padding
	b.expectUp(packet)
	b.marker(peer) // IPv4 beside it
	if n := s.Counters(); n.RxPackets < 7 || n.RxOctets < 7*148 {
		t.Errorf("counted %+v", n)
	}
}

func neighbourPacket(to string, kind byte) []byte {
	b := []byte{0x60, 0, 0, 0, 0, 8, 58, 255}
	b = append(append(b, netip.MustParseAddr("fe80::2").AsSlice()...), netip.MustParseAddr(to).AsSlice()...)
	return append(b, kind, 0, 0, 0, 0, 0, 0, 0)
}

func up6Neighbour(t *testing.T, b *bench) {
	b.add(dual)
	for kind, to := range map[byte]string{133: "ff02::2", 135: "fe80::1", 128: "fe80::1"} {
		if b.receive(peer, ppp6, neighbourPacket(to, kind)) {
			t.Errorf("type %d was consumed", kind)
		}
	}
	b.marker(peer)
}

func up6Drops(t *testing.T, b *bench) {
	s := b.add(dual)
	good := b.packet6(client6, server6)
	for i, c := range []struct {
		reason datapath.Reason
		packet []byte
	}{
		{datapath.SourceNotLeased, b.packet6(stranger6, server6)},
		{datapath.SourceNotLeased, b.packet6(server6, server6)},
		{datapath.SourceNotLeased, b.packet6("2001:db8:200:800::1", server6)},
		{datapath.SourceNotLeased, b.packet6("::1", server6)},
		{datapath.LinkScope, b.packet6("fe80::2", server6)},
		{datapath.LinkScope, b.packet6(client6, "ff02::fb")},
		{datapath.LinkScope, b.packet6("::", server6)},
		{datapath.LinkScope, neighbourPacket("fe80::1", 137)},
		{datapath.PacketMalformed, nil},
		{datapath.PacketMalformed, good[:39]},
		{datapath.PacketMalformed, good[:len(good)-1]},
		{datapath.PacketMalformed, join([]byte{0x40}, good[1:])},
	} {
		before, session := b.DataPath().Drops()[c.reason.String()], s.Counters().Drops
		if !b.receive(peer, ppp6, c.packet) {
			t.Errorf("%d: %s: left to the engine", i, c.reason)
		}
		if got := b.DataPath().Drops()[c.reason.String()] - before; got != 1 || s.Counters().Drops != session+1 {
			t.Errorf("%d: %s: counted %d times, for the session %d", i, c.reason, got, s.Counters().Drops-session)
		}
	}
	b.marker(peer)
}

func up6MSS(t *testing.T, b *bench) {
	b.add(func(s *datapath.Spec) { dual(s); s.MSS, s.MSS6 = 1400, 1340 })
	for _, announced := range []uint16{1440, 536} {
		b.port++
		syn := Packet{Source: client6, Destination: server6, Port: 6000 + b.port, SYN: true, MSS: announced}.Bytes6()
		b.receive(peer, ppp6, syn)
		got := b.FromPeers()
		if mss := binary.BigEndian.Uint16(got[62:]); mss != min(announced, 1340) || !SegmentSound6(got) {
			t.Errorf("%d became %d, checksum sound: %v", announced, mss, SegmentSound6(got))
		}
	}
}

func up6Filter(t *testing.T, b *bench) {
	filter, err := datapath.NewFilter("one server", datapath.Allow, []datapath.Rule{{Action: datapath.Deny, Prefix: netip.MustParsePrefix(server6 + "/128")}})
	if err != nil {
		t.Fatal(err)
	}
	b.add(func(s *datapath.Spec) { dual(s); s.Filter = filter })
	b.receive(peer, ppp6, b.packet6(client6, server6))
	if n := b.DataPath().Drops()[datapath.Filtered.String()]; n != 1 {
		t.Errorf("counted %d times", n)
	}
	packet := b.packet6(client6, "2001:db8:1::81")
	b.receive(peer, ppp6, packet)
	b.expectUp(packet)
}

func down6(t *testing.T, b *bench) {
	for _, c := range []struct {
		change func(*datapath.Spec)
		header []byte
	}{
		{nil, []byte{0x40, 2, 0, 160, 0, 5, 0, 6, 0xFF, 3, 0, 0x57}},
		{func(s *datapath.Spec) { s.PFC, s.ACFC = true, true }, []byte{0x40, 2, 0, 157, 0, 5, 0, 6, 0x57}},
	} {
		s := b.add(func(s *datapath.Spec) {
			dual(s)
			if c.change != nil {
				c.change(s)
			}
		})
		for _, to := range []string{client6, site6} {
			packet := b.packet6(server6, to)
			b.ToPeers(packet)
			b.expectSent6(c.header, packet)
		}
		s.Close()
	}
	s := b.add(nil) // IPv4 alone: nobody has the prefix any more
	before := b.DataPath().Drops()[datapath.DestinationUnknown.String()]
	b.ToPeers(b.packet6(server6, client6))
	packet := b.packet(server, client)
	b.ToPeers(packet)
	b.expectSent(peer, []byte{0x40, 2, 0, 140, 0, 5, 0, 6, 0xFF, 3, 0, 0x21}, packet)
	if n := b.DataPath().Drops()[datapath.DestinationUnknown.String()] - before; n < 1 {
		t.Errorf("counted %d times", n)
	}
	s.Close()
}

func down6MSS(t *testing.T, b *bench) {
	b.add(func(s *datapath.Spec) { dual(s); s.MSS6 = 1340 })
	b.ToPeers(Packet{Source: server6, Destination: client6, Port: 80, SYN: true, MSS: 1440}.Bytes6())
	_, datagram := b.Sent()
	if got := datagram[12:]; binary.BigEndian.Uint16(got[62:]) != 1340 || !SegmentSound6(got) {
		t.Errorf("got %x", got)
	}
}

func down6TooBig(t *testing.T, b *bench) {
	s := b.add(func(s *datapath.Spec) { dual(s); s.PeerMRU = 1300 })
	big := Packet{Source: server6, Destination: client6, Port: 7, Payload: 1300}.Bytes6()
	b.ToPeers(big)
	answer := b.FromPeers()
	if len(answer) != 1280 || answer[6] != 58 || answer[40] != 2 || answer[41] != 0 || !SegmentSound6(answer) {
		t.Fatalf("not a Packet Too Big: %x", answer)
	}
	if mtu := binary.BigEndian.Uint32(answer[44:]); mtu != 1300 {
		t.Errorf("MTU is %d", mtu)
	}
	if to, _ := netip.AddrFromSlice(answer[24:40]); to.String() != server6 || !bytes.Equal(answer[48:], big[:1280-48]) {
		t.Errorf("went to %s, quotes %x", to, answer[48:])
	}
	b.ToPeers(Packet{Source: server6, Destination: client6, Port: 7, Payload: 1300 - 48}.Bytes6())
	b.Sent()
	if s.Counters().Drops != 1 || b.DataPath().Drops()[datapath.TooBig.String()] != 1 {
		t.Error("not counted once")
	}
}

func session6Alone(t *testing.T, b *bench) {
	b.add(func(s *datapath.Spec) { dual(s); s.Address = netip.Addr{} })
	packet := b.packet6(client6, server6)
	b.receive(peer, ppp6, packet)
	b.expectUp(packet)
	for _, source := range []string{client, "0.0.0.0"} {
		if b.receive(peer, []byte{0, 2, 0, 3, 0, 4, 0xFF, 3, 0, 0x21}, b.packet(source, server)) {
			t.Errorf("IPv4 from %s was consumed", source)
		}
	}
	packet = b.packet6(server6, client6)
	b.ToPeers(packet)
	b.expectSent6([]byte{0x40, 2, 0, 160, 0, 5, 0, 6, 0xFF, 3, 0, 0x57}, packet)
}

func session6Duplicates(t *testing.T, b *bench) {
	first := b.add(dual)
	spec := Spec(b.Interface())
	spec.Key, spec.Address, spec.IPv6 = datapath.Key{Tunnel: 3, Session: 9}, netip.Addr{}, []netip.Prefix{netip.MustParsePrefix(behind6)}
	_, err := b.DataPath().Add(spec)
	var duplicate *datapath.DuplicateError
	if !errors.As(err, &duplicate) || duplicate.Prefix != spec.IPv6[0] || duplicate.Holder != (datapath.Key{Tunnel: 3, Session: 4}) {
		t.Errorf("the same prefix: %v", err)
	}
	first.Close()
	if _, err := b.DataPath().Add(spec); err != nil {
		t.Errorf("after Close: %v", err)
	}
}

func session6BadSpecs(t *testing.T, b *bench) {
	for name, change := range map[string]func(*datapath.Spec){
		"bits behind":    func(s *datapath.Spec) { s.IPv6[0] = netip.MustParsePrefix("2001:db8::1/64") },
		"IPv4":           func(s *datapath.Spec) { s.IPv6[0] = netip.MustParsePrefix("10.0.0.0/8") },
		"link-local":     func(s *datapath.Spec) { s.IPv6[0] = netip.MustParsePrefix("fe80::/64") },
		"everything":     func(s *datapath.Spec) { s.IPv6[0] = netip.MustParsePrefix("::/0") },
		"none":           func(s *datapath.Spec) { s.IPv6, s.Address = nil, netip.Addr{} },
		"small MRU":      func(s *datapath.Spec) { s.PeerMRU = 1279 },
		"MSS":            func(s *datapath.Spec) { s.MSS6 = -1 },
		"among the IPv4": func(s *datapath.Spec) { s.Routes = s.IPv6 },
	} {
		spec := Spec(b.Interface())
		dual(&spec)
		change(&spec)
		if _, err := b.DataPath().Add(spec); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
