package peers

import (
	"encoding/binary"
	"fmt"
)

// PPP protocol numbers.
const (
	IPv4   = 0x0021
	IPv6   = 0x0057
	IPCP   = 0x8021
	BCP    = 0x8031
	IPV6CP = 0x8057
	CCP    = 0x80fd
	ACSCP  = 0x8235
	LCP    = 0xc021
	PAP    = 0xc023
	CHAP   = 0xc223
)

// PPP codes (RFC 1661 section 5, RFC 1570).
const (
	ConfigureRequest = 1
	ConfigureAck     = 2
	ConfigureNak     = 3
	ConfigureReject  = 4
	TerminateRequest = 5
	TerminateAck     = 6
	CodeReject       = 7
	ProtocolReject   = 8
	EchoRequest      = 9
	EchoReply        = 10
	Identification   = 12
)

// Frame is one PPP packet in a session.
type Frame struct {
	Protocol uint16
	Code, ID uint8
	Data     []byte // behind the Length field; of an IP packet, all of it
}

// Packet is the frame without its PPP header.
func (f Frame) Packet() []byte {
	if f.Protocol == IPv4 || f.Protocol == IPv6 {
		return f.Data
	}
	return append([]byte{f.Code, f.ID, byte((4 + len(f.Data)) >> 8), byte(4 + len(f.Data))}, f.Data...)
}

// String is for transcripts.
func (f Frame) String() string {
	if f.Protocol == IPv4 || f.Protocol == IPv6 {
		return fmt.Sprintf("%#04x %d octets", f.Protocol, len(f.Data))
	}
	return fmt.Sprintf("%#04x code %d id %d % x", f.Protocol, f.Code, f.ID, f.Data)
}

// readFrame reads what stands behind the L2TP header of a data message.
func readFrame(b []byte) (Frame, bool) {
	if len(b) >= 2 && b[0] == 0xff && b[1] == 0x03 {
		b = b[2:]
	}
	var f Frame
	switch {
	case len(b) >= 1 && b[0]&1 == 1:
		f.Protocol, b = uint16(b[0]), b[1:]
	case len(b) >= 2:
		f.Protocol, b = binary.BigEndian.Uint16(b), b[2:]
	default:
		return f, false
	}
	if f.Protocol < 0x8000 {
		f.Data = b
		return f, true
	}
	if len(b) < 4 {
		return f, false
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n < 4 || n > len(b) {
		return f, false
	}
	f.Code, f.ID, f.Data = b[0], b[1], b[4:n]
	return f, true
}

// readData reads a data message: its session, and what it carries. It knows every shape of the header.
func readData(b []byte) (tunnel, session uint16, payload []byte, ok bool) {
	if len(b) < 6 || b[0]&0x80 != 0 || b[1]&0x0f != 2 {
		return 0, 0, nil, false
	}
	flags, at := binary.BigEndian.Uint16(b), 2
	if flags&0x4000 != 0 {
		if n := int(binary.BigEndian.Uint16(b[2:])); n > len(b) || n < 8 {
			return 0, 0, nil, false
		} else {
			b = b[:n]
		}
		at = 4
	}
	if len(b) < at+4 {
		return 0, 0, nil, false
	}
	tunnel, session = binary.BigEndian.Uint16(b[at:]), binary.BigEndian.Uint16(b[at+2:])
	at += 4
	if flags&0x0800 != 0 {
		at += 4
	}
	if len(b) < at {
		return 0, 0, nil, false
	}
	return tunnel, session, b[at:], true
}

// ReadData reads what a data message carries.
func ReadData(b []byte) (Frame, bool) {
	_, _, payload, ok := readData(b)
	if !ok {
		return Frame{}, false
	}
	return readFrame(payload)
}

// Option is one PPP option.
type Option struct {
	Type  uint8
	Value []byte
}

// Opt makes an option.
func Opt(kind uint8, value ...byte) Option { return Option{kind, value} }

func appendOptions(b []byte, list []Option) []byte {
	for _, o := range list {
		b = append(append(b, o.Type, byte(2+len(o.Value))), o.Value...)
	}
	return b
}

// ReadOptions reads a list of options; a broken one gives what stands before the break.
func ReadOptions(b []byte) (list []Option) {
	for len(b) >= 2 && int(b[1]) >= 2 && int(b[1]) <= len(b) {
		list = append(list, Option{b[0], b[2:b[1]]})
		b = b[b[1]:]
	}
	return list
}
