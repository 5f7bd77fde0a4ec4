package radiusserver

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"

	"layeh.com/radius"

	"lnsgate/aaa/radius/wire"
)

// Attributes of requests and records by their numbers (RFC 2865, 2866, 2869, 3162, 5176).
const (
	typeUserName            radius.Type = 1
	typeUserPassword        radius.Type = 2
	typeCHAPPassword        radius.Type = 3
	typeNASIPAddress        radius.Type = 4
	typeNASPort             radius.Type = 5
	typeServiceType         radius.Type = 6
	typeFramedProtocol      radius.Type = 7
	typeFramedIPAddress     radius.Type = 8
	typeFramedMTU           radius.Type = 12
	typeReplyMessage        radius.Type = 18
	typeState               radius.Type = 24
	typeClass               radius.Type = 25
	typeVendorSpecific      radius.Type = 26
	typeSessionTimeout      radius.Type = 27
	typeCalledStationID     radius.Type = 30
	typeCallingStationID    radius.Type = 31
	typeNASIdentifier       radius.Type = 32
	typeProxyState          radius.Type = 33
	typeAcctStatusType      radius.Type = 40
	typeAcctDelayTime       radius.Type = 41
	typeAcctInputOctets     radius.Type = 42
	typeAcctOutputOctets    radius.Type = 43
	typeAcctSessionID       radius.Type = 44
	typeAcctSessionTime     radius.Type = 46
	typeAcctInputPackets    radius.Type = 47
	typeAcctOutputPackets   radius.Type = 48
	typeAcctTerminateCause  radius.Type = 49
	typeAcctInputGigawords  radius.Type = 52
	typeAcctOutputGigawords radius.Type = 53
	typeEventTimestamp      radius.Type = 55
	typeCHAPChallenge       radius.Type = 60
	typeNASPortType         radius.Type = 61
	typeEAPMessage          radius.Type = 79
	typeMessageAuth         radius.Type = 80
	typeNASPortID           radius.Type = 87
	typeCUI                 radius.Type = 89
	typeNASIPv6Address      radius.Type = 95
	typeErrorCause          radius.Type = 101
)

// text reads an attribute that should be text, as text: octets that are none become U+FFFD. Nothing is kept of the rest of
// the packet.
func text(p *radius.Packet, t radius.Type) string {
	return strings.ToValidUTF8(strings.TrimRight(string(p.Get(t)), "\x00"), "\uFFFD")
}

// number reads an attribute of four octets. One of another length is as good as none.
func number(p *radius.Packet, t radius.Type) (uint32, bool) {
	value := p.Get(t)
	if len(value) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(value), true
}

// sum reads a counter of two attributes, 2^32 of the second.
func sum(p *radius.Packet, low, high radius.Type) uint64 {
	a, _ := number(p, low)
	b, _ := number(p, high)
	return uint64(b)<<32 | uint64(a)
}

// address reads an address of the right size.
func address(p *radius.Packet, four, six radius.Type) netip.Addr {
	if a, ok := netip.AddrFromSlice(p.Get(four)); ok && a.Is4() {
		return a
	}
	if a, ok := netip.AddrFromSlice(p.Get(six)); ok && six != 0 && a.Is6() {
		return a.Unmap()
	}
	return netip.Addr{}
}

// eapOf puts the EAP packet of a request together (RFC 3579 section 3.1).
func eapOf(p *radius.Packet) []byte { return bytes.Join(wire.All(p, typeEAPMessage), nil) }

// hasProof says whether an Access-Request shows something of a user: a password, a response or EAP, and is thereby no shorter
// than a no.
func hasProof(octets []byte) bool {
	for b := octets[wire.HeaderLength:]; len(b) > 0; b = b[b[1]:] {
		switch kind, length := radius.Type(b[0]), int(b[1])-2; {
		case kind == typeUserPassword && length >= leastPassword, kind == typeCHAPPassword && length == chapPasswordLength, kind == typeEAPMessage:
			return true
		case kind == typeVendorSpecific && length >= 4+2+mschapResponseLength && binary.BigEndian.Uint32(b[2:]) == uint32(wire.Microsoft):
			return true
		}
	}
	return false
}
