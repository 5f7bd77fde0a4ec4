package tun

import "encoding/binary"

const (
	icmp6TooBig   = 2
	icmp6Echo     = 128 // from here on types are no errors (RFC 4443 section 2.1)
	icmp6Redirect = 137

	icmp6HeaderLen = 8
	// icmp6Most is how long an error may be: the least that every link carries (RFC 4443 section 2.4).
	icmp6Most = 1280
)

// appendTooBig6 appends an ICMPv6 message that tells the sender of a packet how long packets to this destination may be
// (RFC 4443 section 3.2). It comes from the destination of the packet, as that of IPv4 does.
func appendTooBig6(b, packet []byte, mru int) []byte {
	start := len(b)
	quote := packet[:min(len(packet), icmp6Most-ipv6HeaderLen-icmp6HeaderLen)]
	b = append(b, 6<<4, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(icmp6HeaderLen+len(quote)))
	b = append(b, protocolICMPv6, icmpTTL)
	b = append(b, packet[atDestination6:ipv6HeaderLen]...)
	b = append(b, packet[atSource6:atDestination6]...)
	icmp := len(b)
	b = append(b, icmp6TooBig, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(mru))
	b = append(b, quote...)
	pseudo := sum(b[start+atSource6:icmp], uint16(protocolICMPv6))
	pseudo = sum([]byte{byte((len(b) - icmp) >> 8), byte(len(b) - icmp)}, pseudo)
	binary.BigEndian.PutUint16(b[icmp+2:], ^sum(b[icmp:], pseudo))
	return b
}

// isRedirect6 says whether a packet is an ICMPv6 Redirect (RFC 4861 section 4.5).
func isRedirect6(packet []byte) bool {
	return packet[atNextHeader] == protocolICMPv6 && len(packet) > ipv6HeaderLen && packet[ipv6HeaderLen] == icmp6Redirect
}

// deservesError6 says whether a packet may be answered with an error (RFC 4443 section 2.4): not when it is an error itself,
// not for fragments other than the first, and not when its source is not a single host.
func deservesError6(packet []byte) bool {
	source := source6(packet)
	if source.IsMulticast() || source.IsUnspecified() || source.IsLoopback() {
		return false
	}
	protocol, payload, ok := payload6(packet)
	return ok && (protocol != protocolICMPv6 || len(payload) > 0 && payload[0] >= icmp6Echo && payload[0] != icmp6Redirect)
}
