package capture

import (
	"encoding/binary"
	"net/netip"
)

const (
	protocolTCP = 6
	protocolUDP = 17
	timeToLive  = 64
	udpHeader   = 8
	ipv4Header  = 20
	ipv6Header  = 40
)

// appendUDP appends a datagram as it stood on the wire, with the headers of IP and UDP in front. Of the payload only what is shown
// follows; whole is how long it was. It returns the length on the wire too.
func appendUDP(b []byte, from, to netip.AddrPort, payload []byte, whole int) (_ []byte, onWire int) {
	length := udpHeader + whole
	source, target := from.Addr().Unmap().WithZone(""), to.Addr().Unmap().WithZone("")
	if target.Is4() && !source.Is4() {
		source = netip.IPv4Unspecified() // which of our addresses it left from is not known
	} else if target.Is6() && !source.Is6() {
		source = netip.IPv6Unspecified()
	}
	start := len(b)
	if target.Is4() {
		onWire = ipv4Header + length
		b = append(b, 0x45, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(onWire))
		b = append(b, 0, 0, 0, 0, timeToLive, protocolUDP, 0, 0)
		b = append(append(b, source.AsSlice()...), target.AsSlice()...)
		binary.BigEndian.PutUint16(b[start+10:], fold(sum(0, b[start:])))
	} else {
		onWire = ipv6Header + length
		b = append(b, 0x60, 0, 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(length))
		b = append(b, protocolUDP, timeToLive)
		b = append(append(b, source.AsSlice()...), target.AsSlice()...)
	}
	udp := len(b)
	b = binary.BigEndian.AppendUint16(b, from.Port())
	b = binary.BigEndian.AppendUint16(b, to.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(length))
	b = append(b, 0, 0)
	b = append(b, payload...)
	if len(payload) == whole {
		pseudo := sum(sum(uint32(protocolUDP)+uint32(length), source.AsSlice()), target.AsSlice())
		check := fold(sum(pseudo, b[udp:]))
		if check == 0 {
			check = 0xffff // zero would mean that there is none (RFC 768)
		}
		binary.BigEndian.PutUint16(b[udp+6:], check)
	}
	return b, onWire
}

// sum adds octets to an Internet checksum (RFC 1071).
func sum(s uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

func fold(s uint32) uint16 {
	for s>>16 != 0 {
		s = s&0xffff + s>>16
	}
	return ^uint16(s)
}

// headersOf is how many octets of a user's packet are headers: of IP, and of TCP or UDP behind it.
func headersOf(packet []byte) int {
	if len(packet) == 0 {
		return 0
	}
	at, protocol := 0, byte(0)
	switch packet[0] >> 4 {
	case 4:
		if len(packet) < ipv4Header {
			return 0
		}
		at, protocol = int(packet[0]&15)*4, packet[9]
		if fragment := binary.BigEndian.Uint16(packet[6:]) & 0x1fff; fragment != 0 {
			protocol = 0
		}
	case 6:
		if len(packet) < ipv6Header {
			return 0
		}
		at, protocol = ipv6Header, packet[6]
	}
	switch {
	case protocol == protocolUDP:
		at += udpHeader
	case protocol == protocolTCP && len(packet) > at+12:
		at += int(packet[at+12]>>4) * 4
	}
	return min(at, len(packet))
}
