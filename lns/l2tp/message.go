package l2tp

import "strconv"

// MessageType is the value of the Message Type AVP (RFC 2661 section 3.2).
type MessageType uint16

// The control messages of RFC 2661. TypeZLB is not on the wire: it stands for a control message without any AVP, the
// bare acknowledgement.
const (
	TypeZLB     MessageType = 0
	TypeSCCRQ   MessageType = 1
	TypeSCCRP   MessageType = 2
	TypeSCCCN   MessageType = 3
	TypeStopCCN MessageType = 4
	TypeHello   MessageType = 6
	TypeOCRQ    MessageType = 7
	TypeOCRP    MessageType = 8
	TypeOCCN    MessageType = 9
	TypeICRQ    MessageType = 10
	TypeICRP    MessageType = 11
	TypeICCN    MessageType = 12
	TypeCDN     MessageType = 14
	TypeWEN     MessageType = 15
	TypeSLI     MessageType = 16
)

// String is the RFC's short name, such as "SCCRQ".
func (t MessageType) String() string {
	switch t {
	case TypeZLB:
		return "ZLB"
	case TypeSCCRQ:
		return "SCCRQ"
	case TypeSCCRP:
		return "SCCRP"
	case TypeSCCCN:
		return "SCCCN"
	case TypeStopCCN:
		return "StopCCN"
	case TypeHello:
		return "HELLO"
	case TypeOCRQ:
		return "OCRQ"
	case TypeOCRP:
		return "OCRP"
	case TypeOCCN:
		return "OCCN"
	case TypeICRQ:
		return "ICRQ"
	case TypeICRP:
		return "ICRP"
	case TypeICCN:
		return "ICCN"
	case TypeCDN:
		return "CDN"
	case TypeWEN:
		return "WEN"
	case TypeSLI:
		return "SLI"
	}
	return "message type " + strconv.Itoa(int(t))
}

// OfCall reports whether messages of this type belong to one call and not to the tunnel as a whole.
func (t MessageType) OfCall() bool { return t >= TypeOCRQ && t <= TypeSLI }

// Message is one control message: ZLB, SCCRQ, SCCRP, SCCCN, StopCCN, Hello, ICRQ, ICRP, ICCN, OCRQ, OCRP, OCCN, CDN,
// WEN or SLI, always as a value and never as a pointer.
type Message interface {
	// Type is the message's type.
	Type() MessageType
}

// ZLB is a control message without AVPs. It only acknowledges (RFC 2661 section 5.8).
type ZLB struct{}

// Type is TypeZLB.
func (ZLB) Type() MessageType { return TypeZLB }

// Hello is the keep-alive of a tunnel (RFC 2661 section 6.5).
type Hello struct{}

// Type is TypeHello.
func (Hello) Type() MessageType { return TypeHello }

func (*Hello) set(Attribute, []byte) bool { return true }
func (*Hello) missing() string            { return "" }
func (m *Hello) done() Message            { return *m }
