package datapath

import "encoding/binary"

// AsksByDHCP says that an IPv4 packet, whole and with a header that fits it, is a question to a DHCP server on the link: a
// datagram to UDP port 67 of the limited broadcast address (RFC 2131 section 4.4.3). A data path leaves it to the engine,
// and carries it nowhere. It does not allocate.
func AsksByDHCP(packet []byte) bool {
	if len(packet) < 28 || binary.BigEndian.Uint32(packet[16:]) != 0xffffffff {
		return false
	}
	n := int(packet[0]&0x0f) * 4
	return packet[9] == 17 && binary.BigEndian.Uint16(packet[6:])&0x3fff == 0 && // no fragment
		len(packet) >= n+8 && binary.BigEndian.Uint16(packet[n+2:]) == 67
}
