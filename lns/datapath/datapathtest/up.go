package datapathtest

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"lnsgate/lns/datapath"
)

func upForms(t *testing.T, b *bench) {
	b.add(nil)
	for _, header := range [][]byte{
		{0, 2, 0, 3, 0, 4, 0xFF, 3, 0, 0x21},
		{0, 2, 0, 3, 0, 4, 0, 0x21},
		{0, 2, 0, 3, 0, 4, 0x21},
		{0, 2, 0, 3, 0, 4, 0xFF, 3, 0x21},
		{2, 2, 0, 3, 0, 4, 0, 3, 9, 9, 9, 0xFF, 3, 0, 0x21},            // offset
		{1, 2, 0, 3, 0, 4, 0xFF, 3, 0, 0x21},                           // priority
		{8, 2, 0, 3, 0, 4, 0, 1, 0, 0, 0xFF, 3, 0, 0x21},               // sequence
		{0xA, 2, 0, 3, 0, 4, 0, 2, 0, 0, 0, 1, 0xEE, 0xFF, 3, 0, 0x21}, // sequence and offset
	} {
		packet := b.packet(client, server)
		if !b.receive(peer, header, packet) {
			t.Fatalf("%x was refused", header)
		}
		b.expectUp(packet)
	}
	packet := b.packet(client, server)
	header := []byte{0x40, 2, 0, 0, 0, 3, 0, 4, 0xFF, 3, 0, 0x21}
	binary.BigEndian.PutUint16(header[2:], uint16(len(header)+len(packet)))
	b.receive(peer, header, packet, []byte("behind the length"))
	b.expectUp(packet)
	packet = b.packet(client, server)
	b.receive(peer, []byte{0, 2, 0, 3, 0, 4, 0xFF, 3, 0, 0x21}, packet, make([]byte, 9)) // PPP padding
	b.expectUp(packet)
}

// The buffers are used again while packets wait for others.
func upKept(t *testing.T, b *bench) {
	b.add(nil)
	var sent [][]byte
	for batch := range 5 {
		var datagrams [][]byte
		for range 20 + batch {
			packet := b.packet(client, server)
			sent = append(sent, packet)
			datagrams = append(datagrams, join([]byte{0, 2, 0, 3, 0, 4, 0xFF, 3, 0, 0x21}, packet))
		}
		for _, d := range datagrams {
			if !b.in.Receive(peer, d) {
				t.Fatal("a good packet was refused")
			}
		}
		b.in.Keep()
		for _, d := range datagrams {
			clear(d)
		}
	}
	b.in.Flush()
	for _, packet := range sent {
		b.expectUp(packet)
	}
}

func upNotOurs(t *testing.T, b *bench) {
	b.add(nil)
	for name, datagram := range map[string][]byte{
		"control":         {0xC8, 2, 0, 12, 0, 3, 0, 0, 0, 0, 0, 0},
		"lcp":             {0, 2, 0, 3, 0, 4, 0xFF, 3, 0xC0, 0x21, 9, 1, 0, 8, 0, 0, 0, 0},
		"ipcp":            {0, 2, 0, 3, 0, 4, 0x80, 0x21, 1, 1, 0, 4},
		"ipv6":            append([]byte{0, 2, 0, 3, 0, 4, 0, 0x57, 0x60}, make([]byte, 39)...),
		"DHCP question":   append([]byte{0, 2, 0, 3, 0, 4, 0, 0x21}, Packet{Source: client, Destination: "255.255.255.255", Port: 67, Payload: 300}.Bytes()...),
		"unknown session": append([]byte{0, 2, 0, 3, 0, 5, 0, 0x21}, b.packet(client, server)...),
		"unknown tunnel":  append([]byte{0, 2, 0, 4, 0, 4, 0, 0x21}, b.packet(client, server)...),
	} {
		if b.receive(peer, datagram) {
			t.Errorf("%s was consumed", name)
		}
	}
	if b.receive(moved, []byte{0, 2, 0, 3, 0, 4, 0xFF, 3, 0xC0, 0x21, 10, 1, 0, 8, 0, 0, 0, 0}) {
		t.Error("LCP of a peer that may have moved was consumed")
	}
	b.marker(peer)
}

func upDrops(t *testing.T, b *bench) {
	s := b.add(nil)
	good := b.packet(client, server)
	ppp := []byte{0, 2, 0, 3, 0, 4, 0xFF, 3, 0, 0x21}
	for i, c := range []struct {
		reason   datapath.Reason
		from     datapath.Path
		datagram []byte
		session  bool // counted for the session, too
	}{
		{datapath.HeaderMalformed, peer, []byte{}, false},
		{datapath.HeaderMalformed, peer, ppp[:5], false},
		{datapath.HeaderMalformed, peer, []byte{0, 3, 0, 3, 0, 4, 0, 0x21}, false},
		{datapath.PeerMismatch, stranger, join(ppp, good), true},
		{datapath.PeerMismatch, moved, join(ppp, good), true},
		{datapath.FrameMalformed, peer, ppp[:6], true},
		{datapath.FrameMalformed, peer, ppp[:9], true},
		{datapath.PacketMalformed, peer, ppp, true},
		{datapath.PacketMalformed, peer, join(ppp, good[:19]), true},
		{datapath.PacketMalformed, peer, join(ppp, good[:len(good)-1]), true},
		{datapath.PacketMalformed, peer, join(ppp, []byte{0x44}, good[1:]), true},
		{datapath.PacketMalformed, peer, join(ppp, []byte{0x65}, good[1:]), true},
		{datapath.SourceNotLeased, peer, join(ppp, b.packet("10.10.1.11", server)), true},
	} {
		before, session := b.DataPath().Drops()[c.reason.String()], s.Counters().Drops
		if !b.receive(c.from, c.datagram) {
			t.Errorf("%d: %s: left to the engine", i, c.reason)
		}
		if got := b.DataPath().Drops()[c.reason.String()] - before; got != 1 {
			t.Errorf("%d: %s: counted %d times", i, c.reason, got)
		}
		if got := s.Counters().Drops - session; c.session && got != 1 {
			t.Errorf("%d: %s: counted %d times for the session", i, c.reason, got)
		}
	}
	b.marker(peer)
}

func upRoutes(t *testing.T, b *bench) {
	if !b.DataPath().Capabilities().Routes {
		b.refuses(func(s *datapath.Spec) { s.Routes = []netip.Prefix{netip.MustParsePrefix("10.20.5.0/24")} })
		return
	}
	b.add(func(s *datapath.Spec) { s.Routes = []netip.Prefix{netip.MustParsePrefix("10.20.5.0/24")} })
	packet := b.packet(behind, server)
	b.receive(peer, []byte{0, 2, 0, 3, 0, 4, 0x21}, packet)
	b.expectUp(packet)
	b.receive(peer, []byte{0, 2, 0, 3, 0, 4, 0x21}, b.packet("10.20.6.5", server))
	if n := b.DataPath().Drops()[datapath.SourceNotLeased.String()]; n != 1 {
		t.Errorf("a source beside the route was counted %d times", n)
	}
}

func upSequence(t *testing.T, b *bench) {
	if !b.DataPath().Capabilities().Sequencing {
		b.refuses(func(s *datapath.Spec) { s.Sequencing = true })
		return
	}
	b.add(nil)
	for _, c := range []struct {
		ns      uint16
		carried bool
	}{
		{10, true}, {10, false}, {9, false}, {11, true}, {11, false}, {20, true}, {15, false},
		{20 + 32767, true}, {20, false}, {19, true}, {18, false}, {19, false}, {20, true}, // half the numbers ahead, twice
	} {
		packet := b.packet(client, server)
		b.receive(peer, []byte{8, 2, 0, 3, 0, 4, byte(c.ns >> 8), byte(c.ns), 0, 0, 0x21}, packet)
		if c.carried {
			b.expectUp(packet)
		}
	}
	// PPP control frames take part in the sequence.
	if !b.receive(peer, []byte{8, 2, 0, 3, 0, 4, 0, 20, 0, 0, 0xC0, 0x21, 9, 1, 0, 8, 0, 0, 0, 0}) {
		t.Error("a repeated control frame went to the engine")
	}
	if b.receive(peer, []byte{8, 2, 0, 3, 0, 4, 0, 21, 0, 0, 0xC0, 0x21, 9, 1, 0, 8, 0, 0, 0, 0}) {
		t.Error("a fresh control frame did not go to the engine")
	}
	b.marker(peer) // without a number
}

func upMSS(t *testing.T, b *bench) {
	if !b.DataPath().Capabilities().ClampMSS {
		b.refuses(func(s *datapath.Spec) { s.MSS = 1320 })
		return
	}
	b.add(func(s *datapath.Spec) { s.MSS = 1320 })
	for _, announced := range []uint16{1460, 536} {
		b.port++
		syn := Packet{Source: client, Destination: server, Port: 6000 + b.port, SYN: true, MSS: announced}.Bytes()
		b.receive(peer, []byte{0, 2, 0, 3, 0, 4, 0x21}, syn)
		got := b.FromPeers()
		if mss := binary.BigEndian.Uint16(got[42:]); mss != min(announced, 1320) || !SegmentSound(got) {
			t.Errorf("%d became %d, checksum sound: %v", announced, mss, SegmentSound(got))
		}
	}
}
