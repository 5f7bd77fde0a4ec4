package datapathtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"
	"time"

	"lnsgate/lns/datapath"
)

// Run checks that a data path keeps the contract. newRig makes a rig that lives as long as the test it is given.
func Run(t *testing.T, newRig func(*testing.T) Rig) {
	for name, test := range map[string]func(*testing.T, *bench){
		"up/every form of header":               upForms,
		"up/not user data":                      upNotOurs,
		"up/dropped and counted":                upDrops,
		"up/routes":                             upRoutes,
		"up/old sequence numbers":               upSequence,
		"up/segment size":                       upMSS,
		"down/every form of header":             downForms,
		"down/unknown destinations are dropped": downUnknown,
		"down/routes, the longest wins":         downRoutes,
		"down/too big, must not be fragmented":  downTooBig,
		"down/too big, fragmented":              downFragments,
		"down/segment size":                     downMSS,
		"down/sequence numbers are shared":      downSequence,
		"session/path":                          sessionPath,
		"session/counters and close":            sessionClose,
		"session/duplicates":                    sessionDuplicates,
		"session/bad specs":                     sessionBadSpecs,
	} {
		t.Run(name, func(t *testing.T) {
			rig := newRig(t)
			test(t, &bench{T: t, Rig: rig, in: rig.DataPath().Ingress()})
		})
	}
}

// bench is a test with its rig and an ingress.
type bench struct {
	*testing.T
	Rig
	in   datapath.Ingress
	port uint16
}

func (b *bench) add(change func(*datapath.Spec)) datapath.Session {
	b.Helper()
	spec := Spec(b.Interface())
	if change != nil {
		change(&spec)
	}
	s, err := b.DataPath().Add(spec)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// packet is a UDP packet in a flow of its own, so that nothing merges it with another.
func (b *bench) packet(from, to string) []byte {
	b.port++
	return Packet{Source: from, Destination: to, Port: 5000 + b.port, Payload: 100, ID: b.port}.Bytes()
}

// receive hands over a datagram with a copy of these octets.
func (b *bench) receive(from datapath.Path, parts ...[]byte) bool {
	defer b.in.Flush()
	return b.in.Receive(from, bytes.Join(parts, nil))
}

// expectUp waits for a packet from the virtual template and compares all of it.
func (b *bench) expectUp(want []byte) {
	b.Helper()
	if got := b.FromPeers(); !bytes.Equal(got, want) {
		b.Fatalf("came out: %x\nwant      %x", got, want)
	}
}

// marker sends a good packet, so that it can be seen that nothing came out before it.
func (b *bench) marker(from datapath.Path) {
	b.Helper()
	good := b.packet(client, server)
	if !b.receive(from, []byte{0, 2, 0, 3, 0, 4, 0xFF, 3, 0, 0x21}, good) {
		b.Fatal("a good packet was refused")
	}
	b.expectUp(good)
}

// expectSent waits for a datagram and compares its header and packet. The kernel fills in identification and checksum of
// packets that it sends, so those are not compared.
func (b *bench) expectSent(to datapath.Path, header, packet []byte) {
	b.Helper()
	path, got := b.Sent()
	if path != to {
		b.Errorf("sent to %v, want %v", path, to)
	}
	if len(got) != len(header)+len(packet) || !bytes.Equal(got[:len(header)], header) {
		b.Fatalf("sent %x\nwant %x %x", got, header, packet)
	}
	if !bytes.Equal(got[len(header)+12:], packet[12:]) {
		b.Fatalf("sent %x\nwant %x", got[len(header):], packet)
	}
}

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

func upNotOurs(t *testing.T, b *bench) {
	b.add(nil)
	for name, datagram := range map[string][]byte{
		"control":         {0xC8, 2, 0, 12, 0, 3, 0, 0, 0, 0, 0, 0},
		"lcp":             {0, 2, 0, 3, 0, 4, 0xFF, 3, 0xC0, 0x21, 9, 1, 0, 8, 0, 0, 0, 0},
		"ipcp":            {0, 2, 0, 3, 0, 4, 0x80, 0x21, 1, 1, 0, 4},
		"ipv6":            append([]byte{0, 2, 0, 3, 0, 4, 0, 0x57, 0x60}, make([]byte, 39)...),
		"unknown session": append([]byte{0, 2, 0, 3, 0, 5, 0, 0x21}, b.packet(client, server)...),
		"unknown tunnel":  append([]byte{0, 2, 0, 4, 0, 4, 0, 0x21}, b.packet(client, server)...),
	} {
		if b.receive(peer, datagram) {
			t.Errorf("%s was consumed", name)
		}
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
		t.Skip("this data path says it has no routes")
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
		t.Skip("this data path says it has no sequence numbers")
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
		t.Skip("this data path says it does not clamp")
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

func downForms(t *testing.T, b *bench) {
	for _, c := range []struct {
		change func(*datapath.Spec)
		header []byte
	}{
		{nil, []byte{0x40, 2, 0, 140, 0, 5, 0, 6, 0xFF, 3, 0, 0x21}},
		{func(s *datapath.Spec) { s.OmitLength = true }, []byte{0, 2, 0, 5, 0, 6, 0xFF, 3, 0, 0x21}},
		{func(s *datapath.Spec) { s.PFC = true }, []byte{0x40, 2, 0, 139, 0, 5, 0, 6, 0xFF, 3, 0x21}},
		{func(s *datapath.Spec) { s.ACFC = true }, []byte{0x40, 2, 0, 138, 0, 5, 0, 6, 0, 0x21}},
		{func(s *datapath.Spec) { s.PFC, s.ACFC, s.OmitLength = true, true, true }, []byte{0, 2, 0, 5, 0, 6, 0x21}},
	} {
		s := b.add(c.change)
		packet := b.packet(server, client)
		b.ToPeers(packet)
		b.expectSent(peer, c.header, packet)
		s.Close()
	}
}

func downUnknown(t *testing.T, b *bench) {
	b.add(nil)
	b.ToPeers(b.packet(server, "10.10.1.99"))
	packet := b.packet(server, client)
	b.ToPeers(packet)
	b.expectSent(peer, []byte{0x40, 2, 0, 140, 0, 5, 0, 6, 0xFF, 3, 0, 0x21}, packet)
	if n := b.DataPath().Drops()[datapath.DestinationUnknown.String()]; n != 1 {
		t.Errorf("counted %d times", n)
	}
}

func downRoutes(t *testing.T, b *bench) {
	if !b.DataPath().Capabilities().Routes {
		t.Skip("this data path says it has no routes")
	}
	wide := b.add(func(s *datapath.Spec) { s.Routes = []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16")} })
	narrow := b.add(func(s *datapath.Spec) {
		s.Key, s.PeerSession, s.Address = datapath.Key{Tunnel: 3, Session: 9}, 7, netip.MustParseAddr("10.10.1.11")
		s.Routes = []netip.Prefix{netip.MustParsePrefix("10.20.5.0/24")}
	})
	expect := func(to string, session byte) {
		t.Helper()
		packet := b.packet(server, to)
		b.ToPeers(packet)
		b.expectSent(peer, []byte{0x40, 2, 0, 140, 0, 5, 0, session, 0xFF, 3, 0, 0x21}, packet)
	}
	expect(behind, 7)
	expect("10.20.6.1", 6)
	expect("10.10.1.11", 7)
	narrow.Close()
	expect(behind, 6)
	wide.Close()
	b.ToPeers(b.packet(server, behind))
	b.add(nil)
	expect(client, 6)
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func downTooBig(t *testing.T, b *bench) {
	s := b.add(func(s *datapath.Spec) { s.PeerMRU = 600 })
	big := Packet{Source: server, Destination: client, Port: 7, Payload: 1000, DontFragment: true, ID: 7}.Bytes()
	b.ToPeers(big)
	answer := b.FromPeers()
	if len(answer) < 28+28 || answer[9] != 1 || answer[20] != 3 || answer[21] != 4 {
		t.Fatalf("not a fragmentation needed: %x", answer)
	}
	if mtu := binary.BigEndian.Uint16(answer[26:]); mtu != 600 {
		t.Errorf("next-hop MTU is %d", mtu)
	}
	if to, _ := netip.AddrFromSlice(answer[16:20]); to.String() != server {
		t.Errorf("went to %s", to)
	}
	if len(answer) > 576 || Checksum(answer[:20]) != 0 || Checksum(answer[20:]) != 0 {
		t.Errorf("%d octets, checksums %x %x", len(answer), Checksum(answer[:20]), Checksum(answer[20:]))
	}
	if quote := answer[28:]; !bytes.Equal(quote[12:28], big[12:28]) {
		t.Errorf("quotes %x", quote)
	}
	fits := Packet{Source: server, Destination: client, Port: 7, Payload: 600 - 28, DontFragment: true, ID: 8}.Bytes()
	b.ToPeers(fits)
	b.expectSent(peer, []byte{0x40, 2, 0x02, 0x64, 0, 5, 0, 6, 0xFF, 3, 0, 0x21}, fits)
	if s.Counters().Drops != 1 || b.DataPath().Drops()[datapath.TooBig.String()] != 1 {
		t.Error("not counted once")
	}
}

func downFragments(t *testing.T, b *bench) {
	b.add(func(s *datapath.Spec) { s.PeerMRU = 600 })
	big := Packet{Source: server, Destination: client, Port: 7, Payload: 1300, ID: 7}.Bytes()
	b.ToPeers(big)
	payload := make([]byte, len(big)-20)
	for covered, more := 0, true; more; {
		_, datagram := b.Sent()
		p := datagram[12:]
		if len(p) > 600 || int(binary.BigEndian.Uint16(p[2:])) != len(p) || Checksum(p[:20]) != 0 {
			t.Fatalf("bad fragment of %d octets: %x", len(p), p[:20])
		}
		field := binary.BigEndian.Uint16(p[6:])
		if at := int(field&0x1FFF) * 8; at != covered {
			t.Fatalf("fragment at %d, want %d", at, covered)
		}
		covered += copy(payload[covered:], p[20:])
		more = field&0x2000 != 0
	}
	if !bytes.Equal(payload, big[20:]) {
		t.Error("the fragments do not make up the packet")
	}
}

func downMSS(t *testing.T, b *bench) {
	if !b.DataPath().Capabilities().ClampMSS {
		t.Skip("this data path says it does not clamp")
	}
	b.add(func(s *datapath.Spec) { s.MSS = 1320 })
	b.ToPeers(Packet{Source: server, Destination: client, Port: 80, SYN: true, MSS: 1460}.Bytes())
	_, datagram := b.Sent()
	if got := datagram[12:]; binary.BigEndian.Uint16(got[42:]) != 1320 || !SegmentSound(got) {
		t.Errorf("got %x", got)
	}
}

func downSequence(t *testing.T, b *bench) {
	if !b.DataPath().Capabilities().Sequencing {
		t.Skip("this data path says it has no sequence numbers")
	}
	s := b.add(func(s *datapath.Spec) { s.Sequencing, s.FirstNs = true, 65534 })
	expect := func(high, low byte) {
		t.Helper()
		packet := b.packet(server, client)
		b.ToPeers(packet)
		b.expectSent(peer, []byte{0x48, 2, 0, 144, 0, 5, 0, 6, high, low, 0, 0, 0xFF, 3, 0, 0x21}, packet)
	}
	expect(0xFF, 0xFE)
	expect(0xFF, 0xFF)
	if ns := s.NextNs(); ns != 0 {
		t.Errorf("NextNs is %d", ns)
	}
	expect(0, 1)
}

func sessionPath(t *testing.T, b *bench) {
	s := b.add(nil)
	b.marker(peer)
	s.SetPath(moved)
	b.marker(moved)
	b.receive(peer, []byte{0, 2, 0, 3, 0, 4, 0x21}, b.packet(client, server))
	if n := b.DataPath().Drops()[datapath.PeerMismatch.String()]; n != 1 {
		t.Errorf("the old path was counted %d times", n)
	}
	packet := b.packet(server, client)
	b.ToPeers(packet)
	b.expectSent(moved, []byte{0x40, 2, 0, 140, 0, 5, 0, 6, 0xFF, 3, 0, 0x21}, packet)
}

func sessionClose(t *testing.T, b *bench) {
	s := b.add(nil)
	if s.Counters() != (datapath.Counters{}) {
		t.Errorf("a new session has %+v", s.Counters())
	}
	start := time.Now().Truncate(time.Second)
	b.marker(peer)
	packet := b.packet(server, client)
	b.ToPeers(packet)
	b.expectSent(peer, []byte{0x40, 2, 0, 140, 0, 5, 0, 6, 0xFF, 3, 0, 0x21}, packet)
	// What is sent next has been counted: a second datagram is only sent after the first one was.
	packet = b.packet(server, client)
	b.ToPeers(packet)
	b.expectSent(peer, []byte{0x40, 2, 0, 140, 0, 5, 0, 6, 0xFF, 3, 0, 0x21}, packet)
	got := s.Counters()
	if got.RxPackets != 1 || got.RxOctets != 128 || got.TxPackets < 1 || got.TxOctets != 128*got.TxPackets {
		t.Errorf("counted %+v", got)
	}
	if got.LastRx.Before(start) || got.LastTx.Before(start) {
		t.Errorf("last packets at %v and %v, test began at %v", got.LastRx, got.LastTx, start)
	}
	last := s.Close()
	if last.RxPackets != 1 || s.Close() != last {
		t.Errorf("last figures %+v, then %+v", last, s.Close())
	}
	if b.receive(peer, []byte{0, 2, 0, 3, 0, 4, 0x21}, b.packet(client, server)) {
		t.Error("a closed session still takes packets")
	}
	b.ToPeers(b.packet(server, client))
	b.add(nil)
	packet = b.packet(server, client)
	b.ToPeers(packet)
	for { // the packet for the closed session may have found the new one
		_, datagram := b.Sent()
		if bytes.Equal(datagram[len(datagram)-len(packet)+20:], packet[20:]) {
			break
		}
	}
}

func sessionDuplicates(t *testing.T, b *bench) {
	route := []netip.Prefix{netip.MustParsePrefix("10.20.5.0/24")}
	first := b.add(func(s *datapath.Spec) { s.Routes = route })
	other := func(change func(*datapath.Spec)) error {
		spec := Spec(b.Interface())
		spec.Key, spec.Address = datapath.Key{Tunnel: 3, Session: 9}, netip.MustParseAddr("10.10.1.11")
		change(&spec)
		s, err := b.DataPath().Add(spec)
		if err == nil {
			s.Close()
		}
		return err
	}
	var duplicate *datapath.DuplicateError
	if err := other(func(s *datapath.Spec) { s.Key = datapath.Key{Tunnel: 3, Session: 4} }); !errors.As(err, &duplicate) ||
		duplicate.Address.IsValid() || duplicate.Prefix.IsValid() {
		t.Errorf("the same key: %v", err)
	}
	if err := other(func(s *datapath.Spec) { s.Address = netip.MustParseAddr(client) }); !errors.As(err, &duplicate) ||
		duplicate.Address.String() != client || duplicate.Holder != (datapath.Key{Tunnel: 3, Session: 4}) {
		t.Errorf("the same address: %v", err)
	}
	if err := other(func(s *datapath.Spec) { s.Routes = route }); !errors.As(err, &duplicate) || duplicate.Prefix != route[0] {
		t.Errorf("the same route: %v", err)
	}
	first.Close()
	if err := other(func(s *datapath.Spec) { s.Address, s.Routes = netip.MustParseAddr(client), route }); err != nil {
		t.Errorf("after Close: %v", err)
	}
}

func sessionBadSpecs(t *testing.T, b *bench) {
	for name, change := range map[string]func(*datapath.Spec){
		"no key":       func(s *datapath.Spec) { s.Key = datapath.Key{} },
		"no peer ids":  func(s *datapath.Spec) { s.PeerTunnel = 0 },
		"no path":      func(s *datapath.Spec) { s.Path = datapath.Path{} },
		"no interface": func(s *datapath.Spec) { s.Interface = "" },
		"unknown":      func(s *datapath.Spec) { s.Interface = "vt99" },
		"no address":   func(s *datapath.Spec) { s.Address = netip.Addr{} },
		"tiny MRU":     func(s *datapath.Spec) { s.PeerMRU = 67 },
		"MSS":          func(s *datapath.Spec) { s.MSS = 1 << 16 },
		"route":        func(s *datapath.Spec) { s.Routes = []netip.Prefix{netip.MustParsePrefix("10.20.5.1/24")} },
	} {
		spec := Spec(b.Interface())
		change(&spec)
		if _, err := b.DataPath().Add(spec); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if !b.DataPath().Capabilities().IPv6 {
		spec := Spec(b.Interface())
		spec.Address = netip.MustParseAddr("2001:db8::1")
		if _, err := b.DataPath().Add(spec); !errors.Is(err, datapath.ErrNotSupported) {
			t.Errorf("IPv6: %v", err)
		}
	}
}
