package datapathtest

import (
	"encoding/binary"
	"net/netip"
)

// Bytes6 is the packet over IPv6; its addresses must be such. DontFragment and ID have no place there.
func (p Packet) Bytes6() []byte {
	segment, protocol, at := p.udp(), byte(17), 6
	if p.SYN {
		segment, protocol, at = p.tcp(), 6, 16
	}
	b := []byte{0x60, 0, 0, 0, byte(len(segment) >> 8), byte(len(segment)), protocol, 64}
	b = append(b, netip.MustParseAddr(p.Source).AsSlice()...)
	b = append(b, netip.MustParseAddr(p.Destination).AsSlice()...)
	binary.BigEndian.PutUint16(segment[at:], segmentSum6(b, segment))
	return append(b, segment...)
}

// SegmentSound6 says whether the checksum of an IPv6 packet without extension headers is right.
func SegmentSound6(packet []byte) bool { return segmentSum6(packet, packet[40:]) == 0 }

// segmentSum6 is the checksum of a segment behind a header (RFC 8200 section 8.1).
func segmentSum6(header, segment []byte) uint16 {
	pseudo := append([]byte{}, header[8:40]...)
	pseudo = append(pseudo, 0, 0, byte(len(segment)>>8), byte(len(segment)), 0, 0, 0, header[6])
	return Checksum(append(pseudo, segment...))
}
