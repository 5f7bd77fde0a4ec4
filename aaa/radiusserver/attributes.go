package radiusserver

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
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

// userAddress is what a session has of IPv4. Some NASes tell 0.0.0.0 as long as there is none, or what they were told: that they or the
// user are to choose (RFC 2865 section 5.8).
func userAddress(p *radius.Packet) netip.Addr {
	a := address(p, wire.TypeFramedIPAddress, 0)
	if a.IsUnspecified() || a == chosenByNAS || a == chosenByUser {
		return netip.Addr{}
	}
	return a
}

var (
	chosenByNAS  = netip.AddrFrom4([4]byte{255, 255, 255, 254})
	chosenByUser = netip.AddrFrom4([4]byte{255, 255, 255, 255})
)

// sixesOf is what a session has of IPv6. An address that was given by DHCPv6 is a prefix of all its bits.
func sixesOf(p *radius.Packet) (six aaa.RecordIPv6) {
	six.Prefix = prefix(p, wire.TypeFramedIPv6Prefix)
	if a := address(p, 0, wire.TypeFramedIPv6Address); !six.Prefix.IsValid() && a.Is6() {
		six.Prefix = netip.PrefixFrom(a, a.BitLen())
	}
	six.Delegated = prefix(p, wire.TypeDelegatedIPv6Prefix)
	if id := p.Get(wire.TypeFramedInterfaceID); len(id) == 8 {
		six.InterfaceID = binary.BigEndian.Uint64(id)
	}
	return six
}

// prefix reads a prefix. One that is malformed is as good as none.
func prefix(p *radius.Packet, t radius.Type) netip.Prefix {
	found, err := wire.ParsePrefix(p.Get(t))
	if err != nil {
		return netip.Prefix{}
	}
	return found
}

// eapOf puts the EAP packet of a request together (RFC 3579 section 3.1).
func eapOf(p *radius.Packet) []byte { return bytes.Join(wire.All(p, wire.TypeEAPMessage), nil) }

// hasProof says whether an Access-Request shows something of a user: a password, a response or EAP, and is thereby no shorter
// than a no.
func hasProof(octets []byte) bool {
	for b := octets[wire.HeaderLength:]; len(b) > 0; b = b[b[1]:] {
		switch kind, length := radius.Type(b[0]), int(b[1])-2; {
		case kind == wire.TypeUserPassword && length >= leastPassword, kind == wire.TypeCHAPPassword && length == chapPasswordLength, kind == wire.TypeEAPMessage:
			return true
		case kind == wire.TypeVendorSpecific && length >= 4+2+mschapResponseLength && binary.BigEndian.Uint32(b[2:]) == uint32(wire.Microsoft):
			return true
		}
	}
	return false
}
