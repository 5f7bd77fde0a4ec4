package ppp

// The codes of EAP, RFC 3748 section 4.
const (
	EAPRequest  Code = 1
	EAPResponse Code = 2
	EAPSuccess  Code = 3
	EAPFailure  Code = 4
)

var eapNames = [...]string{
	EAPRequest:  "Request",
	EAPResponse: "Response",
	EAPSuccess:  "Success",
	EAPFailure:  "Failure",
}

// The types of an EAP Request or Response, RFC 3748 section 5.
const (
	EAPIdentity     uint8 = 1
	EAPNotification uint8 = 2
	EAPNak          uint8 = 3
	EAPMD5Challenge uint8 = 4
)

// EAPPacket is an EAP packet. Type and Data belong to Request and Response;
// Success and Failure have neither, and their Type is 0.
type EAPPacket struct {
	Code       Code
	Identifier uint8
	Type       uint8
	Data       []byte
}

// ParseEAP reads an EAP packet. Octets behind its length are padding. The
// errors are ErrTruncated and ErrLength. Data is a view into b.
func ParseEAP(b []byte) (EAPPacket, error) {
	p, err := ParsePacket(b)
	if err != nil {
		return EAPPacket{}, err
	}
	e := EAPPacket{Code: p.Code, Identifier: p.Identifier}
	if !e.hasType() {
		return e, nil
	}
	if len(p.Data) == 0 {
		return EAPPacket{}, ErrTruncated
	}
	e.Type, e.Data = p.Data[0], p.Data[1:]
	return e, nil
}

// Append appends the packet with its header. Data that the length field cannot
// say is cut.
func (e EAPPacket) Append(b []byte) []byte {
	if !e.hasType() {
		return Packet{Code: e.Code, Identifier: e.Identifier}.Append(b)
	}
	data := e.Data[:min(len(e.Data), 0xffff-HeaderSize-1)]
	n := HeaderSize + 1 + len(data)
	b = append(b, byte(e.Code), e.Identifier, byte(n>>8), byte(n), e.Type)
	return append(b, data...)
}

func (e EAPPacket) hasType() bool { return e.Code == EAPRequest || e.Code == EAPResponse }
