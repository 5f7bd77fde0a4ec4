package packet

import "encoding/binary"

// Op is what an EAP-MSCHAPv2 packet is (draft-kamath-pppext-eap-mschapv2 section 2).
type Op uint8

// The codes.
const (
	OpChallenge Op = 1
	OpResponse  Op = 2
	OpSuccess   Op = 3
	OpFailure   Op = 4
)

// Sizes in octets.
const (
	chapHeader     = 4  // op code, identifier, length
	ResponseLength = 49 // of the value of an MS-CHAPv2 response (RFC 2759 section 4)
)

// CHAP is the Type-Data of EAP-MSCHAPv2.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|    OpCode     | MS-CHAPv2-ID  |           MS-Length           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Value-Size   |  Value ...    (Challenge and Response only)
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Name, or Message ...
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type CHAP struct {
	Op         Op
	Identifier uint8
	Value      []byte // of Challenge and Response
	Text       string // the name in Challenge and Response, the message in Success and Failure
}

// Append writes it. Value has at most 255 octets.
func (c CHAP) Append(b []byte) []byte {
	at := len(b)
	b = append(b, byte(c.Op), c.Identifier, 0, 0)
	if c.Op == OpChallenge || c.Op == OpResponse {
		b = append(append(b, byte(len(c.Value))), c.Value...)
	}
	b = append(b, c.Text...)
	binary.BigEndian.PutUint16(b[at+2:], uint16(len(b)-at))
	return b
}

// ParseCHAP reads the Type-Data of a packet. A peer acknowledges Success and Failure by the op code alone, whatever follows. The
// length counts as far as it says that something is missing: there are peers that count it otherwise.
func ParseCHAP(data []byte) (CHAP, error) {
	if len(data) == 0 {
		return CHAP{}, ErrMalformed
	}
	c := CHAP{Op: Op(data[0])}
	if len(data) < chapHeader {
		if c.Op != OpSuccess && c.Op != OpFailure {
			return CHAP{}, ErrMalformed
		}
		return c, nil
	}
	c.Identifier = data[1]
	if int(binary.BigEndian.Uint16(data[2:])) > len(data) {
		return CHAP{}, ErrMalformed
	}
	rest := data[chapHeader:]
	if c.Op == OpChallenge || c.Op == OpResponse {
		if len(rest) == 0 || int(rest[0]) > len(rest)-1 {
			return CHAP{}, ErrMalformed
		}
		n := 1 + int(rest[0])
		c.Value, rest = rest[1:n], rest[n:]
	}
	c.Text = string(rest)
	return c, nil
}
