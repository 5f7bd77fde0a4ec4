package ppp

import "encoding/binary"

// The option types of LCP: RFC 1661 section 6, RFC 1570, RFC 1990 and the IANA
// register.
const (
	LCPMRU                   uint8 = 1
	LCPACCM                  uint8 = 2
	LCPAuthentication        uint8 = 3
	LCPQuality               uint8 = 4
	LCPMagic                 uint8 = 5
	LCPPFC                   uint8 = 7
	LCPACFC                  uint8 = 8
	LCPFCS                   uint8 = 9
	LCPCallback              uint8 = 13
	LCPMRRU                  uint8 = 17
	LCPSSNHF                 uint8 = 18
	LCPEndpointDiscriminator uint8 = 19
)

// DefaultMRU is the maximum receive unit of a side that does not name one, and
// MinimumMRU the smallest that we take from a peer; both in octets of the PPP
// packet behind the protocol number (RFC 1661 section 6.1).
const (
	DefaultMRU = 1500
	MinimumMRU = 128
)

// MRU reads a Maximum-Receive-Unit, in octets; ok is false if its length is not
// that of the option.
func (o Option) MRU() (mru uint16, ok bool) {
	if len(o.Value) != 2 {
		return 0, false
	}
	return binary.BigEndian.Uint16(o.Value), true
}

// AppendMRU appends a Maximum-Receive-Unit option.
func AppendMRU(b []byte, mru uint16) []byte {
	return append(b, LCPMRU, 4, byte(mru>>8), byte(mru))
}

// ACCM reads an Async-Control-Character-Map.
func (o Option) ACCM() (accm uint32, ok bool) { return o.uint32() }

// Magic reads a Magic-Number.
func (o Option) Magic() (magic uint32, ok bool) { return o.uint32() }

// AppendMagic appends a Magic-Number option.
func AppendMagic(b []byte, magic uint32) []byte {
	return binary.BigEndian.AppendUint32(append(b, LCPMagic, 6), magic)
}

// The algorithms of an Authentication-Protocol option that names CHAP.
const (
	AlgorithmMD5      uint8 = 5    // RFC 1994
	AlgorithmMSCHAP   uint8 = 0x80 // RFC 2433
	AlgorithmMSCHAPv2 uint8 = 0x81 // RFC 2759
)

// Authentication reads an Authentication-Protocol option (RFC 1661 section
// 6.2). The algorithm counts for CHAP only and is 0 for all others. A CHAP
// option without its algorithm is not ok.
func (o Option) Authentication() (p Protocol, algorithm uint8, ok bool) {
	if len(o.Value) < 2 {
		return 0, 0, false
	}
	p = Protocol(binary.BigEndian.Uint16(o.Value))
	if p != CHAP {
		return p, 0, true
	}
	if len(o.Value) != 3 {
		return p, 0, false
	}
	return p, o.Value[2], true
}

// AppendAuthentication appends an Authentication-Protocol option; the algorithm
// is written for CHAP only.
func AppendAuthentication(b []byte, p Protocol, algorithm uint8) []byte {
	if p == CHAP {
		return append(b, LCPAuthentication, 5, byte(p>>8), byte(p), algorithm)
	}
	return append(b, LCPAuthentication, 4, byte(p>>8), byte(p))
}

func (o Option) uint32() (uint32, bool) {
	if len(o.Value) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(o.Value), true
}
