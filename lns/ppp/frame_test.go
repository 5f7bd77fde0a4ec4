package ppp

import (
	"bytes"
	"errors"
	"testing"
)

func TestRFC1661Section2_ParseFrame(t *testing.T) {
	for _, c := range []struct {
		name   string
		in     []byte
		proto  Protocol
		packet []byte
		err    error
	}{
		{"in full", []byte{0xff, 0x03, 0xc0, 0x21, 1, 2}, LCP, []byte{1, 2}, nil},
		{"without address and control", []byte{0xc0, 0x21, 1, 2}, LCP, []byte{1, 2}, nil},
		{"short protocol", []byte{0x21, 0x45}, IPv4, []byte{0x45}, nil},
		{"short protocol behind FF 03", []byte{0xff, 0x03, 0x57, 0x60}, IPv6, []byte{0x60}, nil},
		{"long protocol of a user packet", []byte{0x00, 0x21, 0x45}, IPv4, []byte{0x45}, nil},
		{"nothing behind the protocol", []byte{0x80, 0x21}, IPCP, nil, nil},
		{"unknown protocol", []byte{0x82, 0x35, 9}, ACSCP, []byte{9}, nil},
		{"empty", nil, 0, nil, ErrTruncated},
		{"address and control alone", []byte{0xff, 0x03}, 0, nil, ErrTruncated},
		{"half a protocol", []byte{0xc0}, 0, nil, ErrTruncated},
		{"even low octet", []byte{0xc0, 0x22, 1}, 0, nil, ErrProtocol},
		{"other control octet", []byte{0xff, 0x04, 0xc0, 0x21}, 0xff, []byte{0x04, 0xc0, 0x21}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, packet, err := ParseFrame(c.in)
			if p != c.proto || !bytes.Equal(packet, c.packet) || !errors.Is(err, c.err) {
				t.Errorf("%v % x %v", p, packet, err)
			}
		})
	}
}

func TestAppendFrameHeader(t *testing.T) {
	for _, c := range []struct {
		p    Protocol
		f    Framing
		want []byte
	}{
		{IPv4, Framing{}, []byte{0xff, 0x03, 0x00, 0x21}},
		{IPv4, Framing{PFC: true}, []byte{0xff, 0x03, 0x21}},
		{IPv4, Framing{ACFC: true}, []byte{0x00, 0x21}},
		{IPv4, Framing{PFC: true, ACFC: true}, []byte{0x21}},
		{IPCP, Framing{PFC: true, ACFC: true}, []byte{0x80, 0x21}},
		{CHAP, Framing{}, []byte{0xff, 0x03, 0xc2, 0x23}},
		{LCP, Framing{}, []byte{0xff, 0x03, 0xc0, 0x21}},
		{LCP, Framing{PFC: true, ACFC: true}, []byte{0xff, 0x03, 0xc0, 0x21}}, // RFC 1661 section 6.6
	} {
		got := AppendFrameHeader([]byte{7}, c.p, c.f)
		if got[0] != 7 || !bytes.Equal(got[1:], c.want) {
			t.Errorf("%v %+v: % x, want % x", c.p, c.f, got[1:], c.want)
		}
		if p, rest, err := ParseFrame(got[1:]); p != c.p || len(rest) != 0 || err != nil {
			t.Errorf("read back as %v, %d octets left, %v", p, len(rest), err)
		}
	}
}

func TestNothingIsAllocatedOnTheWay(t *testing.T) {
	frame := []byte{0xff, 0x03, 0xc0, 0x21, 1, 1, 0, 10, 5, 6, 1, 2, 3, 4}
	room := make([]byte, 0, 64)
	sum := 0
	if n := testing.AllocsPerRun(100, func() {
		_, b, err := ParseFrame(frame)
		if err != nil {
			t.Fatal(err)
		}
		p, err := ParsePacket(b)
		if err != nil || Options(p.Data).Check() != nil {
			t.Fatal(err)
		}
		for o := range Options(p.Data).All() {
			magic, _ := o.Magic()
			sum += int(magic)
		}
		sum += len(p.Append(AppendFrameHeader(room, LCP, Framing{})))
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestProtocolNames(t *testing.T) {
	for p, want := range map[Protocol]string{
		LCP: "LCP", PAP: "PAP", CHAP: "CHAP", EAP: "EAP", IPCP: "IPCP", IPv6CP: "IPv6CP", CCP: "CCP", ECP: "ECP",
		MPLSCP: "MPLSCP", BCP: "BCP", ACSCP: "ACSCP", LQR: "LQR", CBCP: "CBCP", IPXCP: "IPXCP", IPv4: "IPv4", IPv6: "IPv6",
		VJC: "VJ compressed TCP", VJU: "VJ uncompressed TCP", Bridging: "bridging", Multilink: "multilink",
		Compressed: "compressed datagram", MPLS: "MPLS", 0x1235: "protocol 0x1235",
	} {
		if p.String() != want || !p.Valid() {
			t.Errorf("0x%04x: %q, valid %v", uint16(p), p.String(), p.Valid())
		}
	}
	for _, p := range []Protocol{0, 0xc022, 0x0121, 0xff03} {
		if p.Valid() {
			t.Errorf("0x%04x counts as a protocol number", uint16(p))
		}
	}
}
