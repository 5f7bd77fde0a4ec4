package datapathtest

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"lnsgate/lns/datapath"
)

func downForms(t *testing.T, b *bench) {
	for _, c := range []struct {
		change func(*datapath.Spec)
		header []byte
	}{
		{nil, []byte{0x40, 2, 0, 140, 0, 5, 0, 6, 0xFF, 3, 0, 0x21}},
		{func(s *datapath.Spec) { s.PFC = true }, []byte{0x40, 2, 0, 139, 0, 5, 0, 6, 0xFF, 3, 0x21}},
		{func(s *datapath.Spec) { s.ACFC = true }, []byte{0x40, 2, 0, 138, 0, 5, 0, 6, 0, 0x21}},
		{func(s *datapath.Spec) { s.PFC, s.ACFC = true, true }, []byte{0x40, 2, 0, 137, 0, 5, 0, 6, 0x21}},
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
	counted := func() uint64 { return b.DataPath().Drops()[datapath.DestinationUnknown.String()] }
	for end := time.Now().Add(patience); counted() == 0 && time.Now().Before(end); {
		runtime.Gosched() // another queue may be slower
	}
	if n := counted(); n != 1 {
		t.Errorf("counted %d times", n)
	}
}

func downRoutes(t *testing.T, b *bench) {
	if !b.DataPath().Capabilities().Routes {
		b.refuses(func(s *datapath.Spec) { s.Routes = []netip.Prefix{netip.MustParsePrefix("10.20.5.0/24")} })
		return
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
		b.refuses(func(s *datapath.Spec) { s.MSS = 1320 })
		return
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
		b.refuses(func(s *datapath.Spec) { s.Sequencing = true })
		return
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
