package neighbour

import (
	"encoding/binary"
	"net/netip"
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
	headerLen    = 40
	udpHeaderLen = 8

	protocolUDP    = 17
	protocolICMPv6 = 58

	// linkHops is the hop limit of what must not have crossed a router (RFC 4861 section 6.1).
	linkHops = 255
)

// Addresses with a meaning for all links.
var (
	allNodes    = netip.MustParseAddr("ff02::1")
	allRouters  = netip.MustParseAddr("ff02::2")
	allServers  = netip.MustParseAddr("ff02::1:2") // DHCPv6 servers and relays
	unspecified = netip.IPv6Unspecified()
)

// The UDP ports of DHCPv6 (RFC 8415 section 7.2).
const (
	clientPort = 546
	serverPort = 547
)

// packet is a packet taken apart.
type packet struct {
	source, destination netip.Addr
	protocol            uint8
	hops                uint8
	payload             []byte
}

// parse reads a packet without extension headers; nobody puts any into what is read here. The payload is a view.
func parse(b []byte) (p packet, ok bool) {
	if len(b) < headerLen || b[0]>>4 != 6 {
		return p, false
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	if n > len(b)-headerLen {
		return p, false
	}
	return packet{
		source: netip.AddrFrom16([16]byte(b[8:24])), destination: netip.AddrFrom16([16]byte(b[24:40])),
		protocol: b[6], hops: b[7], payload: b[headerLen : headerLen+n],
	}, true
}

// sound says whether the checksum of an ICMPv6 message or of a UDP datagram is right (RFC 8200 section 8.1).
func (p packet) sound() bool { return checksum(p.source, p.destination, p.protocol, p.payload) == 0 }

// bytes writes a packet, and the checksum at an offset of its payload.
func (p packet) bytes(checksumAt int) []byte {
	b := make([]byte, headerLen, headerLen+len(p.payload))
	b[0] = 6 << 4
	binary.BigEndian.PutUint16(b[4:], uint16(len(p.payload)))
	b[6], b[7] = p.protocol, p.hops
	source, destination := p.source.As16(), p.destination.As16()
	copy(b[8:], source[:])
	copy(b[24:], destination[:])
	b = append(b, p.payload...)
	payload := b[headerLen:]
	payload[checksumAt], payload[checksumAt+1] = 0, 0
	sum := checksum(p.source, p.destination, p.protocol, payload)
	if sum == 0 && p.protocol == protocolUDP {
		sum = 0xffff // zero would say that there is none (RFC 768)
	}
	binary.BigEndian.PutUint16(payload[checksumAt:], sum)
	return b
}

// checksum is that of RFC 1071 over the pseudo header of RFC 8200 section 8.1 and the payload.
func checksum(source, destination netip.Addr, protocol uint8, payload []byte) uint16 {
	s, d := source.As16(), destination.As16()
	total := uint64(len(payload)) + uint64(protocol)
	for _, b := range [][]byte{s[:], d[:], payload} {
		for ; len(b) >= 2; b = b[2:] {
			total += uint64(binary.BigEndian.Uint16(b))
		}
		if len(b) == 1 {
			total += uint64(b[0]) << 8
		}
	}
	for total > 0xffff {
		total = total>>16 + total&0xffff
	}
	return ^uint16(total)
}

// icmp makes an ICMPv6 packet from a message whose checksum is still zero.
func icmp(source, destination netip.Addr, message []byte) []byte {
	return packet{source: source, destination: destination, protocol: protocolICMPv6, hops: linkHops, payload: message}.bytes(2)
}

// datagram makes a UDP packet.
func datagram(source, destination netip.Addr, from, to uint16, data []byte) []byte {
	b := make([]byte, udpHeaderLen, udpHeaderLen+len(data))
	binary.BigEndian.PutUint16(b, from)
	binary.BigEndian.PutUint16(b[2:], to)
	binary.BigEndian.PutUint16(b[4:], uint16(udpHeaderLen+len(data)))
	return packet{source: source, destination: destination, protocol: protocolUDP, hops: linkHops, payload: append(b, data...)}.bytes(6)
}

// udp reads a UDP header. The data is a view.
func (p packet) udp() (from, to uint16, data []byte, ok bool) {
	b := p.payload
	if len(b) < udpHeaderLen {
		return 0, 0, nil, false
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	if n < udpHeaderLen || n > len(b) {
		return 0, 0, nil, false
	}
	return binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]), b[udpHeaderLen:n], true
}
