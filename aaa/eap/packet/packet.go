package packet

import (
	"encoding/binary"
	"errors"
)

// ErrMalformed says that octets are not what they should be: lengths that do not add up, or a value that is not allowed.
var ErrMalformed = errors.New("malformed EAP")

// Codes (RFC 3748 section 4).
const (
	Request  = 1
	Response = 2
	Success  = 3
	Failure  = 4
)

// Type is what a Request or Response is about (RFC 3748 section 5).
type Type uint8

// The types.
const (
	Identity     Type = 1
	Notification Type = 2
	Nak          Type = 3 // Responses only
	MD5Challenge Type = 4
	GTC          Type = 6
	TLS          Type = 13
	TTLS         Type = 21
	PEAP         Type = 25
	MSCHAPv2     Type = 26
	Extensions   Type = 33 // the TLVs of PEAP
	Expanded     Type = 254
)

// HeaderSize is what every packet has: code, identifier and length.
const HeaderSize = 4

// Packet is an EAP packet (RFC 3748 section 4.1 and 4.2).
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     Code      |  Identifier   |            Length             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     Type      |  Type-Data ...       (Request and Response only)
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Packet struct {
	Code       uint8
	Identifier uint8
	Type       Type   // of a Request or Response
	Data       []byte // behind the type
}

// Parse reads a packet. Octets behind its own length are padding. Data is part of b.
func Parse(b []byte) (Packet, error) {
	if len(b) < HeaderSize {
		return Packet{}, ErrMalformed
	}
	p := Packet{Code: b[0], Identifier: b[1]}
	length := int(binary.BigEndian.Uint16(b[2:]))
	if length < HeaderSize || length > len(b) {
		return Packet{}, ErrMalformed
	}
	switch rest := b[HeaderSize:length:length]; {
	case p.Code == Success || p.Code == Failure:
		if len(rest) != 0 {
			return Packet{}, ErrMalformed
		}
	case p.Code != Request && p.Code != Response, len(rest) == 0:
		return Packet{}, ErrMalformed
	default:
		p.Type, p.Data = Type(rest[0]), rest[1:]
	}
	return p, nil
}

// Append writes the packet behind b. It must not have more than 65535 octets.
func (p Packet) Append(b []byte) []byte {
	at := len(b)
	b = append(b, p.Code, p.Identifier, 0, 0)
	if p.Code == Request || p.Code == Response {
		b = append(append(b, byte(p.Type)), p.Data...)
	}
	binary.BigEndian.PutUint16(b[at+2:], uint16(len(b)-at))
	return b
}

// End is the packet that ends a conversation. Its identifier is that of the last Response (RFC 3748 section 4.2).
func End(code, identifier uint8) []byte {
	return Packet{Code: code, Identifier: identifier}.Append(nil)
}

// Wishes are the types that a Nak asks for (RFC 3748 section 5.3.1). None, or a zero: the peer has no other.
func (p Packet) Wishes() []Type {
	var list []Type
	for _, t := range p.Data {
		if t != 0 {
			list = append(list, Type(t))
		}
	}
	return list
}
