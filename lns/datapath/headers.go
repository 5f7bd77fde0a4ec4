package datapath

import "encoding/binary"

// headers is what a filter looks at in a packet.
type headers struct {
	six      bool
	far      address
	protocol Protocol
	// port is that of the far end, or the message type of ICMP.
	port uint16
	// established says that a TCP segment has ACK or RST.
	established bool
	// fragment says that it is not the first of its packet, so that port and established are not known.
	fragment bool
}

const (
	ipv4HeaderLen = 20
	ipv6HeaderLen = 40
	// mostExtensions is how many extension headers of IPv6 are looked behind.
	mostExtensions = 8
)

// The least that the first packet must hold of what it carries.
const (
	tcpHeaderLen  = 20
	udpHeaderLen  = 8
	sctpHeaderLen = 12
	icmpHeaderLen = 4 // type, code and checksum: all messages have these
)

// read finds what the rules ask about. It says false when the headers are cut short, contradict themselves, or lead the
// packet elsewhere than its destination says.
func (h *headers) read(way Direction, packet []byte) bool {
	if len(packet) == 0 {
		return false
	}
	switch packet[0] >> 4 {
	case 4:
		return h.readIPv4(way, packet)
	case 6:
		return h.readIPv6(way, packet)
	}
	return false
}

// readIPv4 reads the header of RFC 791 section 3.1.
func (h *headers) readIPv4(way Direction, packet []byte) bool {
	header := int(packet[0]&0x0F) * 4
	if header < ipv4HeaderLen || len(packet) < header || !soundOptions(packet[ipv4HeaderLen:header]) {
		return false
	}
	h.far = addressOf(packet[16:20])
	if way == Down {
		h.far = addressOf(packet[12:16])
	}
	h.protocol = Protocol(packet[9])
	const offset = 0x1FFF
	return h.readPayload(way, packet[header:], binary.BigEndian.Uint16(packet[6:])&offset)
}

// soundOptions says whether IPv4 options can be read to their end and hold no source route.
func soundOptions(options []byte) bool {
	const end, noOperation, looseRoute, strictRoute = 0, 1, 131, 137
	for len(options) > 0 {
		switch options[0] {
		case end:
			return true
		case noOperation:
			options = options[1:]
			continue
		case looseRoute, strictRoute:
			return false
		}
		if len(options) < 2 || options[1] < 2 || int(options[1]) > len(options) {
			return false
		}
		options = options[options[1]:]
	}
	return true
}

// readIPv6 reads the header of RFC 8200 section 3 and the extension headers behind it.
func (h *headers) readIPv6(way Direction, packet []byte) bool {
	if len(packet) < ipv6HeaderLen {
		return false
	}
	h.six = true
	h.far = addressOf(packet[24:40])
	if way == Down {
		h.far = addressOf(packet[8:24])
	}
	next, rest := packet[6], packet[ipv6HeaderLen:]
	for range mostExtensions + 1 {
		if !isExtension(next) {
			h.protocol = Protocol(next)
			return h.readPayload(way, rest, 0)
		}
		if len(rest) < 8 {
			return false
		}
		length := 8 + int(rest[1])*8
		switch next {
		case extensionRouting:
			if rest[3] != 0 { // segments left: the packet goes on from its destination
				return false
			}
		case extensionFragment:
			length = 8
			if offset := binary.BigEndian.Uint16(rest[2:]) >> 3; offset != 0 {
				h.protocol = Protocol(rest[0])
				return !isExtension(rest[0]) && h.readPayload(way, rest[length:], offset)
			}
		}
		if len(rest) < length {
			return false
		}
		next, rest = rest[0], rest[length:]
	}
	return false
}

// The extension headers that all begin with the number of the next one and their length (RFC 8200 section 4, RFC 6275,
// RFC 7401, RFC 5533), and the one for fragments, whose length is fixed. Whatever is behind any other is not looked at.
const (
	extensionHopByHop    = 0
	extensionRouting     = 43
	extensionFragment    = 44
	extensionDestination = 60
	extensionMobility    = 135
	extensionHIP         = 139
	extensionShim6       = 140
)

func isExtension(protocol byte) bool {
	switch protocol {
	case extensionHopByHop, extensionRouting, extensionFragment, extensionDestination, extensionMobility, extensionHIP,
		extensionShim6:
		return true
	}
	return false
}

// readPayload reads ports, type and flags of what begins at an offset, in units of 8 octets, of the packet as it was before
// it was fragmented.
func (h *headers) readPayload(way Direction, payload []byte, offset uint16) bool {
	if offset != 0 {
		h.fragment = true
		return h.protocol != TCP || int(offset)*8 >= tcpHeaderLen
	}
	switch h.protocol {
	case TCP:
		return h.readPorts(way, payload, tcpHeaderLen) && h.readFlags(payload)
	case UDP:
		return h.readPorts(way, payload, udpHeaderLen)
	case SCTP:
		return h.readPorts(way, payload, sctpHeaderLen)
	case ICMP, ICMPv6:
		if len(payload) < icmpHeaderLen {
			return false
		}
		h.port = uint16(payload[0])
	}
	return true
}

func (h *headers) readPorts(way Direction, payload []byte, least int) bool {
	if len(payload) < least {
		return false
	}
	h.port = binary.BigEndian.Uint16(payload[2:])
	if way == Down {
		h.port = binary.BigEndian.Uint16(payload)
	}
	return true
}

// readFlags reads the flags of a TCP segment (RFC 9293 section 3.1).
func (h *headers) readFlags(payload []byte) bool {
	const reset, acknowledgment = 0x04, 0x10
	h.established = payload[13]&(reset|acknowledgment) != 0
	return true
}
