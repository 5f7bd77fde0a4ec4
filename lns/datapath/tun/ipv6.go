package tun

import (
	"encoding/binary"
	"net/netip"

	"lnsgate/lns/ppp"
)

// An IPv6 packet (RFC 8200 section 3).
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|Version| Traffic Class |           Flow Label                  |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         Payload Length        |  Next Header  |   Hop Limit   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                  Source, Destination: 16 octets each          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
const (
	ipv6HeaderLen = 40

	atPayloadLength = 4
	atNextHeader    = 6
	atHopLimit      = 7
	atSource6       = 8
	atDestination6  = 24

	protocolICMPv6 = 58

	extensionHopByHop    = 0
	extensionRouting     = 43
	extensionFragment    = 44
	extensionDestination = 60
	// mostExtensions is how many extension headers are looked behind.
	mostExtensions = 8
)

// isIPv6 says which of the two a packet is; not that it is sound.
func isIPv6(packet []byte) bool { return len(packet) > 0 && packet[0]>>4 == 6 }

// protocolOf is the number that goes in front of a packet (RFC 5072 section 2).
func protocolOf(packet []byte) ppp.Protocol {
	if isIPv6(packet) {
		return ppp.IPv6
	}
	return ppp.IPv4
}

// cutIPv6 checks that b begins with an IPv6 packet and cuts off what is behind it.
func cutIPv6(b []byte) (packet []byte, ok bool) {
	if len(b) < ipv6HeaderLen || b[0]>>4 != 6 {
		return nil, false
	}
	total := ipv6HeaderLen + int(binary.BigEndian.Uint16(b[atPayloadLength:]))
	if total > len(b) {
		return nil, false
	}
	return b[:total], true
}

func source6(packet []byte) netip.Addr { return netip.AddrFrom16([16]byte(packet[atSource6:])) }

func destination6(packet []byte) netip.Addr {
	return netip.AddrFrom16([16]byte(packet[atDestination6:]))
}

// payload6 finds what a packet carries behind its extension headers. It says false for fragments other than the first, and
// for what cannot be read.
func payload6(packet []byte) (protocol byte, payload []byte, ok bool) {
	next, rest := packet[atNextHeader], packet[ipv6HeaderLen:]
	for range mostExtensions {
		length := 8
		switch next {
		default:
			return next, rest, true
		case extensionHopByHop, extensionRouting, extensionDestination:
			if len(rest) >= 2 {
				length += int(rest[1]) * 8
			}
		case extensionFragment:
			if len(rest) < 8 || binary.BigEndian.Uint16(rest[2:])>>3 != 0 {
				return 0, nil, false
			}
		}
		if len(rest) < length {
			return 0, nil, false
		}
		next, rest = rest[0], rest[length:]
	}
	return 0, nil, false
}

// clamp lowers the segment size that a SYN of the session announces.
func (s *session) clamp(packet []byte) {
	switch {
	case !isIPv6(packet):
		if s.mss != 0 {
			clampMSS(packet, s.mss)
		}
	case s.mss6 != 0:
		if protocol, tcp, ok := payload6(packet); ok && protocol == protocolTCP {
			clampSegment(tcp, s.mss6)
		}
	}
}
