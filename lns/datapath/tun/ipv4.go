package tun

import "encoding/binary"

// An IPv4 packet (RFC 791 section 3.1). Only what is needed to carry it is looked at; checksums and options are for the
// hosts that follow.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|Version|  IHL  |Type of Service|          Total Length         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         Identification        |Flags|      Fragment Offset    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Time to Live |    Protocol   |         Header Checksum       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                       Source Address                          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                    Destination Address                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
const (
	minHeaderLen = 20

	atTotalLength    = 2
	atIdentification = 4
	atFragment       = 6
	atTTL            = 8
	atProtocol       = 9
	atChecksum       = 10
	atSource         = 12
	atDestination    = 16

	flagDontFragment  = 0x4000
	flagMoreFragments = 0x2000
	fragmentOffset    = 0x1FFF

	protocolICMP = 1
	protocolTCP  = 6
	protocolUDP  = 17
)

// cutIPv4 checks that b begins with an IPv4 packet and cuts off what is behind it, such as PPP padding.
func cutIPv4(b []byte) (packet []byte, ok bool) {
	if len(b) < minHeaderLen || b[0]>>4 != 4 {
		return nil, false
	}
	total := int(binary.BigEndian.Uint16(b[atTotalLength:]))
	if n := headerLen(b); n < minHeaderLen || total < n || total > len(b) {
		return nil, false
	}
	return b[:total], true
}

// headerLen is the length of the IPv4 header in octets, options included.
func headerLen(packet []byte) int { return int(packet[0]&0x0F) * 4 }

func source(packet []byte) uint32 { return binary.BigEndian.Uint32(packet[atSource:]) }

func destination(packet []byte) uint32 { return binary.BigEndian.Uint32(packet[atDestination:]) }

func fragmentField(packet []byte) uint16 { return binary.BigEndian.Uint16(packet[atFragment:]) }

// writeHeaderChecksum computes the checksum of the IPv4 header anew.
func writeHeaderChecksum(packet []byte) {
	header := packet[:headerLen(packet)]
	binary.BigEndian.PutUint16(header[atChecksum:], 0)
	binary.BigEndian.PutUint16(header[atChecksum:], ^sum(header, 0))
}

// sum adds b to a ones' complement sum, in 16-bit words (RFC 1071).
func sum(b []byte, start uint16) uint16 {
	total := uint64(start)
	for ; len(b) >= 2; b = b[2:] {
		total += uint64(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		total += uint64(b[0]) << 8
	}
	for total > 0xFFFF {
		total = total>>16 + total&0xFFFF
	}
	return uint16(total)
}

// replaceWord adapts a checksum to a 16-bit word that changes from one value to another (RFC 1624 equation 3).
func replaceWord(checksum, from, to uint16) uint16 {
	total := uint32(^checksum) + uint32(^from) + uint32(to)
	total = total>>16 + total&0xFFFF
	total = total>>16 + total&0xFFFF
	return ^uint16(total)
}
