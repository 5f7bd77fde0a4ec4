package datapathtest

import (
	"encoding/binary"
	"net/netip"
)

// Packet describes an IPv4 packet for a test.
type Packet struct {
	Source, Destination string
	// Port makes flows different: source and destination port of UDP and TCP.
	Port uint16
	// SYN makes a TCP SYN that announces MSS, else it is UDP with Payload octets.
	SYN     bool
	MSS     uint16
	Payload int
	// DontFragment sets DF.
	DontFragment bool
	// ID is the identification; the kernel replaces zero.
	ID uint16
}

// Bytes is the packet as it travels, with correct checksums.
func (p Packet) Bytes() []byte {
	segment := p.udp()
	protocol := byte(17)
	if p.SYN {
		segment, protocol = p.tcp(), 6
	}
	b := []byte{0x45, 0}
	b = binary.BigEndian.AppendUint16(b, uint16(20+len(segment)))
	b = binary.BigEndian.AppendUint16(b, p.ID)
	fragment := uint16(0)
	if p.DontFragment {
		fragment = 0x4000
	}
	b = binary.BigEndian.AppendUint16(b, fragment)
	b = append(b, 64, protocol, 0, 0)
	b = append(b, netip.MustParseAddr(p.Source).AsSlice()...)
	b = append(b, netip.MustParseAddr(p.Destination).AsSlice()...)
	binary.BigEndian.PutUint16(b[10:], Checksum(b))

	pseudo := append([]byte{}, b[12:20]...)
	pseudo = append(pseudo, 0, protocol, byte(len(segment)>>8), byte(len(segment)))
	at := 6 // where the checksum is
	if p.SYN {
		at = 16
	}
	binary.BigEndian.PutUint16(segment[at:], Checksum(append(pseudo, segment...)))
	return append(b, segment...)
}

func (p Packet) udp() []byte {
	b := binary.BigEndian.AppendUint16(nil, p.Port)
	b = binary.BigEndian.AppendUint16(b, p.Port)
	b = binary.BigEndian.AppendUint16(b, uint16(8+p.Payload))
	b = append(b, 0, 0)
	for i := range p.Payload {
		b = append(b, byte(i*7+i>>8))
	}
	return b
}

func (p Packet) tcp() []byte {
	b := binary.BigEndian.AppendUint16(nil, p.Port)
	b = binary.BigEndian.AppendUint16(b, p.Port)
	b = append(b, 0, 0, 0, 1, 0, 0, 0, 0, 6<<4, 0x02, 0xFF, 0xFF, 0, 0, 0, 0, 2, 4)
	return binary.BigEndian.AppendUint16(b, p.MSS)
}

// Checksum is the Internet checksum of b (RFC 1071). Over octets that hold their own checksum it is zero.
func Checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum>>16 != 0 {
		sum = sum>>16 + sum&0xFFFF
	}
	return ^uint16(sum)
}

// SegmentSound says whether the TCP or UDP checksum of an IPv4 packet without options is right.
func SegmentSound(packet []byte) bool {
	segment := packet[20:]
	pseudo := append([]byte{}, packet[12:20]...)
	pseudo = append(pseudo, 0, packet[9], byte(len(segment)>>8), byte(len(segment)))
	return Checksum(append(pseudo, segment...)) == 0
}
