package datapath

import (
	"encoding/binary"
	"net/netip"
)

var linkLocal = netip.MustParsePrefix("fe80::/10")

// LinkScoped says whether an IPv6 packet is of one link only: from or to a link-local address, to a group, or from none. A
// router does not carry it any further. The packet must hold its header. It does not allocate.
func LinkScoped(packet []byte) bool {
	source, destination := packet[8:24], packet[24:40]
	return ofLink(source) || ofLink(destination) || destination[0] == 0xFF || source[0] == 0xFF || unset(source) || unset(destination)
}

func ofLink(address []byte) bool { return address[0] == 0xFE && address[1]&0xC0 == 0x80 }

func unset(address []byte) bool {
	return binary.BigEndian.Uint64(address) == 0 && binary.BigEndian.Uint64(address[8:]) == 0
}

// ForNeighbour says whether an IPv6 packet is one of those with which the two ends of a link find out about each other:
// router and neighbour discovery (RFC 4861), pings to a link-local address, DHCPv6. The engine answers them. The packet must
// hold its header. It does not allocate.
func ForNeighbour(packet []byte) bool {
	const icmp, udp, clientPort, serverPort = 58, 17, 546, 547
	const echoRequest, routerSolicitation, neighbourAdvertisement = 128, 133, 136
	if len(packet) < ipv6HeaderLen+8 || !LinkScoped(packet) {
		return false
	}
	payload := packet[ipv6HeaderLen:]
	switch packet[6] {
	case icmp:
		kind := payload[0]
		return routerSolicitation <= kind && kind <= neighbourAdvertisement || kind == echoRequest && ofLink(packet[24:40])
	case udp:
		port := binary.BigEndian.Uint16(payload[2:])
		return port == serverPort || port == clientPort
	}
	return false
}
