package tun

import (
	"encoding/binary"
	"math/bits"
)

const (
	minTCPHeaderLen = 20
	udpHeaderLen    = 8

	atTCPOffset   = 12
	atTCPFlags    = 13
	atTCPChecksum = 16

	flagSYN = 0x02

	optionEnd        = 0
	optionNoOp       = 1
	optionMSS        = 2
	optionMSSLen     = 4
	optionHeaderLen  = 2
	bitsOfDataOffset = 4
)

// clampMSS lowers the maximum segment size that a TCP SYN announces (RFC 9293 section 3.7.1), so that neither side sends
// segments that do not fit into the tunnel. Whatever is not such a SYN is left alone, and so is a smaller value.
func clampMSS(packet []byte, limit uint16) {
	if packet[atProtocol] != protocolTCP || fragmentField(packet)&fragmentOffset != 0 {
		return
	}
	clampSegment(packet[headerLen(packet):], limit)
}

// clampSegment does so to a TCP segment.
func clampSegment(tcp []byte, limit uint16) {
	if len(tcp) < minTCPHeaderLen || tcp[atTCPFlags]&flagSYN == 0 {
		return
	}
	end := int(tcp[atTCPOffset]>>bitsOfDataOffset) * 4
	if end < minTCPHeaderLen || end > len(tcp) {
		return
	}
	at := findMSS(tcp[:end])
	if at == 0 {
		return
	}
	announced := binary.BigEndian.Uint16(tcp[at:])
	if announced <= limit {
		return
	}
	binary.BigEndian.PutUint16(tcp[at:], limit)
	from, to := announced, limit
	if at%2 != 0 { // the value lies across two words of the sum, which is the same as with its octets exchanged
		from, to = bits.ReverseBytes16(from), bits.ReverseBytes16(to)
	}
	checksum := binary.BigEndian.Uint16(tcp[atTCPChecksum:])
	binary.BigEndian.PutUint16(tcp[atTCPChecksum:], replaceWord(checksum, from, to))
}

// findMSS tells where in a TCP header the value of its MSS option is, or 0.
func findMSS(header []byte) int {
	for at := minTCPHeaderLen; at < len(header); {
		switch header[at] {
		case optionEnd:
			return 0
		case optionNoOp:
			at++
			continue
		}
		if len(header)-at < optionHeaderLen {
			return 0
		}
		length := int(header[at+1])
		if length < optionHeaderLen || length > len(header)-at {
			return 0
		}
		if header[at] == optionMSS && length == optionMSSLen {
			return at + optionHeaderLen
		}
		at += length
	}
	return 0
}
