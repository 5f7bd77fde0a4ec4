package wire

import (
	"fmt"
	"net/netip"
)

// ParsePrefix reads an IPv6 prefix (RFC 3162 section 2.3, RFC 4818): a reserved octet, the length, and as many octets as its sender
// cares to send. Bits behind the length do not count.
func ParsePrefix(b []byte) (netip.Prefix, error) {
	if len(b) < 2 || len(b) > 18 {
		return netip.Prefix{}, fmt.Errorf("it has %d octets, not 2 to 18", len(b))
	}
	bits := int(b[1])
	switch {
	case bits > 128:
		return netip.Prefix{}, fmt.Errorf("a prefix of %d bits does not exist", bits)
	case bits > 8*(len(b)-2):
		return netip.Prefix{}, fmt.Errorf("a prefix of %d bits does not fit in %d octets", bits, len(b)-2)
	}
	var full [16]byte
	copy(full[:], b[2:])
	return netip.PrefixFrom(netip.AddrFrom16(full), bits).Masked(), nil
}
