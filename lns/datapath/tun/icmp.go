package tun

import "encoding/binary"

const (
	icmpHeaderLen = 8

	icmpUnreachable         = 3
	icmpFragmentationNeeded = 4
	icmpRedirect            = 5

	icmpTTL = 64
	// icmpQuote is how much of the packet an error carries back: its header and 8 octets at least, as much as fits
	// into 576 octets at most (RFC 1812 section 4.3.2.3).
	icmpQuote = 576 - minHeaderLen - icmpHeaderLen
	// icmpService is the type of service of ICMP errors: internetwork control (RFC 1812 section 4.3.2.5).
	icmpService = 0xC0
)

// appendTooBig appends an ICMP message that tells the sender of a packet how long packets to this destination may be
// (RFC 1191 section 4).
//
// It comes from the destination of the packet and not from the virtual template's own address: it enters this host
// through the virtual template, where the kernel takes a packet from one of the host's own addresses for a forgery and
// drops it. The sender looks only at the packet quoted.
func appendTooBig(b, packet []byte, mru int) []byte {
	start := len(b)
	quote := packet[:min(len(packet), icmpQuote)]
	b = append(b, 4<<4|minHeaderLen/4, icmpService)
	b = binary.BigEndian.AppendUint16(b, uint16(minHeaderLen+icmpHeaderLen+len(quote)))
	b = append(b, 0, 0, 0, 0, icmpTTL, protocolICMP, 0, 0)
	b = append(b, packet[atDestination:atDestination+4]...)
	b = append(b, packet[atSource:atSource+4]...)
	writeHeaderChecksum(b[start:])

	icmp := len(b)
	b = append(b, icmpUnreachable, icmpFragmentationNeeded, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(mru))
	b = append(b, quote...)
	binary.BigEndian.PutUint16(b[icmp+2:], ^sum(b[icmp:], 0))
	return b
}

// isRedirect says whether a packet is an ICMP Redirect (RFC 792).
func isRedirect(packet []byte) bool {
	if packet[atProtocol] != protocolICMP || fragmentField(packet)&fragmentOffset != 0 {
		return false
	}
	payload := packet[headerLen(packet):]
	return len(payload) > 0 && payload[0] == icmpRedirect
}

// deservesError says whether a packet may be answered with an ICMP error at all (RFC 1122 section 3.2.2): not when it is
// an ICMP error itself, not for fragments other than the first, and not when its source is not a single host.
func deservesError(packet []byte) bool {
	if fragmentField(packet)&fragmentOffset != 0 || !singleHost(source(packet)) || !singleHost(destination(packet)) {
		return false
	}
	if packet[atProtocol] != protocolICMP {
		return true
	}
	payload := packet[headerLen(packet):]
	return len(payload) > 0 && isQuery(payload[0])
}

// isQuery says whether an ICMP type is a question or its answer; all others count as errors.
func isQuery(icmpType byte) bool {
	switch icmpType {
	case 0, 8, 9, 10, 13, 14, 15, 16, 17, 18:
		return true
	}
	return false
}

// singleHost is false for 0.0.0.0/8, 127.0.0.0/8 and everything from 224.0.0.0 up.
func singleHost(address uint32) bool {
	first := address >> 24
	return first != 0 && first != 127 && first < 224
}

// limiter is a token bucket for ICMP errors (RFC 1812 section 4.3.2.8): 100 a second, 50 at once.
type limiter struct {
	tokens   int
	refilled int64 // when tokens were last added, in nanoseconds
}

const (
	limiterBurst    = 50
	limiterInterval = int64(1e9) / 100
)

// allow takes a token; now is in nanoseconds.
func (l *limiter) allow(now int64) bool {
	if l.refilled == 0 {
		l.tokens, l.refilled = limiterBurst, now
	}
	if gained := (now - l.refilled) / limiterInterval; gained > 0 {
		l.tokens = int(min(int64(l.tokens)+gained, limiterBurst))
		l.refilled += gained * limiterInterval
	}
	if l.tokens == 0 {
		return false
	}
	l.tokens--
	return true
}
