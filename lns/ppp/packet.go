package ppp

import (
	"encoding/binary"
	"fmt"
)

// Code is the kind of a control packet. LCP and the network control protocols
// share the numbers below; PAP, CHAP and EAP have their own, see CodeName.
type Code uint8

// The codes of RFC 1661 section 5 and RFC 1570. Network control protocols know
// the first seven.
const (
	ConfigureRequest Code = 1
	ConfigureAck     Code = 2
	ConfigureNak     Code = 3
	ConfigureReject  Code = 4
	TerminateRequest Code = 5
	TerminateAck     Code = 6
	CodeReject       Code = 7
	ProtocolReject   Code = 8
	EchoRequest      Code = 9
	EchoReply        Code = 10
	DiscardRequest   Code = 11
	Identification   Code = 12
	TimeRemaining    Code = 13
)

var codeNames = [...]string{
	ConfigureRequest: "Configure-Request",
	ConfigureAck:     "Configure-Ack",
	ConfigureNak:     "Configure-Nak",
	ConfigureReject:  "Configure-Reject",
	TerminateRequest: "Terminate-Request",
	TerminateAck:     "Terminate-Ack",
	CodeReject:       "Code-Reject",
	ProtocolReject:   "Protocol-Reject",
	EchoRequest:      "Echo-Request",
	EchoReply:        "Echo-Reply",
	DiscardRequest:   "Discard-Request",
	Identification:   "Identification",
	TimeRemaining:    "Time-Remaining",
}

// String is the name that LCP gives to the code, or its number.
func (c Code) String() string {
	if int(c) < len(codeNames) && codeNames[c] != "" {
		return codeNames[c]
	}
	return fmt.Sprintf("code %d", uint8(c))
}

// CodeName is the name of a code in the language of its protocol: code 2 is a
// Configure-Ack in LCP, a Response in CHAP and an Authenticate-Ack in PAP.
func CodeName(p Protocol, c Code) string {
	var names []string
	switch p {
	case PAP:
		names = papNames[:]
	case CHAP:
		names = chapNames[:]
	case EAP:
		names = eapNames[:]
	default:
		return c.String()
	}
	if int(c) < len(names) && names[c] != "" {
		return names[c]
	}
	return fmt.Sprintf("code %d", uint8(c))
}

// HeaderSize is the size of what stands in front of Packet.Data, in octets.
const HeaderSize = 4

// Packet is a control packet. LCP, the network control protocols, PAP, CHAP and
// EAP all have this shape (RFC 1661 section 5):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     Code      |  Identifier   |            Length             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|    Data ...
//	+-+-+-+-+
type Packet struct {
	Code       Code
	Identifier uint8
	Data       []byte
}

// ParsePacket reads a control packet. Octets behind Length are padding and cut
// off. The errors are ErrTruncated and ErrLength. Data is a view into b.
func ParsePacket(b []byte) (Packet, error) {
	if len(b) < HeaderSize {
		return Packet{}, ErrTruncated
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n < HeaderSize || n > len(b) {
		return Packet{}, ErrLength
	}
	return Packet{Code: Code(b[0]), Identifier: b[1], Data: b[HeaderSize:n:n]}, nil
}

// Append appends the packet with its header. Data longer than the length field
// can say (65531 octets) is cut.
func (p Packet) Append(b []byte) []byte {
	data := p.Data[:min(len(p.Data), 0xffff-HeaderSize)]
	b = append(b, byte(p.Code), p.Identifier)
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)+HeaderSize))
	return append(b, data...)
}
