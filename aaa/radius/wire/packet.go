package wire

import (
	"encoding/binary"
	"errors"

	"layeh.com/radius"
)

// Sizes in octets (RFC 2865 section 3).
const (
	HeaderLength        = 20   // code, identifier, length, authenticator
	MaxLength           = 4096 // of a packet
	AuthenticatorLength = 16
	MaxValue            = 253 // of one attribute
)

// Types of attributes that this package itself writes or looks for.
const (
	typeVendorSpecific       = 26
	typeProxyState           = 33
	typeEAPMessage           = 79
	typeMessageAuthenticator = 80
)

// CodeProtocolError is the answer of a server that cannot work with a request (RFC 7930 section 4).
const CodeProtocolError radius.Code = 52

// Why a datagram is no good. They are told apart with errors.Is.
var (
	// ErrLength: shorter than it says, or than a header, or longer than a packet may be.
	ErrLength = errors.New("wrong packet length")
	// ErrAttributes: the lengths of the attributes do not add up.
	ErrAttributes = errors.New("malformed attributes")
	// ErrAuthenticator: the Request or Response Authenticator is not made with our secret.
	ErrAuthenticator = errors.New("wrong authenticator")
	// ErrMessageAuthenticator: the Message-Authenticator is not made with our secret, or there are two.
	ErrMessageAuthenticator = errors.New("wrong Message-Authenticator")
	// ErrTooLong: a packet does not fit in MaxLength, or a value in MaxValue.
	ErrTooLong = errors.New("too long for RADIUS")
)

// Verified is what a check found in a datagram.
type Verified struct {
	Octets     []byte // the packet without padding; it is a part of the datagram
	Signed     bool   // it has a Message-Authenticator, which is right
	EAP        bool   // it has an EAP-Message
	ProxyState bool   // it has a Proxy-State
}

// Code returns the kind of packet.
func (v Verified) Code() radius.Code { return radius.Code(v.Octets[0]) }

// scan checks the lengths of a datagram and looks at what it holds. The second result is where the value of the
// Message-Authenticator begins, or 0.
func scan(datagram []byte) (Verified, int, error) {
	if len(datagram) < HeaderLength {
		return Verified{}, 0, ErrLength
	}
	length := int(binary.BigEndian.Uint16(datagram[2:]))
	if length < HeaderLength || length > MaxLength || length > len(datagram) {
		return Verified{}, 0, ErrLength
	}
	v, at := Verified{Octets: datagram[:length:length]}, 0
	for offset := HeaderLength; offset < length; {
		size := attributeSize(v.Octets[offset:])
		if size == 0 {
			return Verified{}, 0, ErrAttributes
		}
		switch v.Octets[offset] {
		case typeProxyState:
			v.ProxyState = true
		case typeEAPMessage:
			v.EAP = true
		case typeMessageAuthenticator:
			if at != 0 || size != 2+AuthenticatorLength {
				return Verified{}, 0, ErrMessageAuthenticator
			}
			at = offset + 2
		}
		offset += size
	}
	return v, at, nil
}

// attributeSize is the length of the attribute in front of b, or 0 when there is none.
func attributeSize(b []byte) int {
	if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
		return 0
	}
	return int(b[1])
}

// Parse makes a packet of checked octets. Values are copied, so the datagram may be used again. The packet has the secret
// of the key and the authenticator that stands in the octets; who wants to decrypt salted attributes of a reply puts that
// of the request in its place (RFC 2868 section 3.5).
func (k *Key) Parse(v Verified) *radius.Packet {
	octets := append([]byte(nil), v.Octets...)
	p := &radius.Packet{Code: v.Code(), Identifier: octets[1], Secret: k.secret}
	copy(p.Authenticator[:], octets[4:HeaderLength])
	count := 0
	for b := octets[HeaderLength:]; len(b) > 0; b = b[b[1]:] {
		count++
	}
	all := make([]radius.AVP, count)
	p.Attributes = make(radius.Attributes, count)
	rest := octets[HeaderLength:]
	for i := range all {
		size := rest[1]
		all[i] = radius.AVP{Type: radius.Type(rest[0]), Attribute: rest[2:size:size]}
		p.Attributes[i], rest = &all[i], rest[size:]
	}
	return p
}

// appendPacket writes the packet: the header with the given authenticator, a Message-Authenticator of zeroes when
// signed, and all attributes but those that take its place.
func appendPacket(dst []byte, p *radius.Packet, authenticator []byte, signed bool) ([]byte, error) {
	start := len(dst)
	dst = append(dst, byte(p.Code), p.Identifier, 0, 0)
	dst = append(dst, authenticator...)
	if signed {
		dst = append(dst, typeMessageAuthenticator, 2+AuthenticatorLength)
		dst = append(dst, zeroes[:]...)
	}
	for _, a := range p.Attributes {
		if a.Type < 0 || a.Type > 255 || a.Type == typeMessageAuthenticator {
			continue
		}
		if len(a.Attribute) > MaxValue {
			return dst[:start], ErrTooLong
		}
		dst = append(dst, byte(a.Type), byte(2+len(a.Attribute)))
		dst = append(dst, a.Attribute...)
	}
	if len(dst)-start > MaxLength {
		return dst[:start], ErrTooLong
	}
	binary.BigEndian.PutUint16(dst[start+2:], uint16(len(dst)-start))
	return dst, nil
}

// All returns the values of every attribute of a type, in order.
func All(p *radius.Packet, t radius.Type) [][]byte {
	var values [][]byte
	for _, a := range p.Attributes {
		if a.Type == t {
			values = append(values, a.Attribute)
		}
	}
	return values
}
