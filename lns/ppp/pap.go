package ppp

// The codes of PAP, RFC 1334 section 2.2.
const (
	PAPAuthenticateRequest Code = 1
	PAPAuthenticateAck     Code = 2
	PAPAuthenticateNak     Code = 3
)

var papNames = [...]string{
	PAPAuthenticateRequest: "Authenticate-Request",
	PAPAuthenticateAck:     "Authenticate-Ack",
	PAPAuthenticateNak:     "Authenticate-Nak",
}

// PAPRequest is the data of an Authenticate-Request (RFC 1334 section 2.2.1):
//
//	+-----------+-------------+-------------+--------------+
//	| ID length | peer id ... | pass length | password ... |
//	+-----------+-------------+-------------+--------------+
type PAPRequest struct {
	Name     []byte
	Password Secret
}

// ParsePAPRequest reads Packet.Data of an Authenticate-Request. Octets behind
// the password are padding. The error is ErrTruncated.
func ParsePAPRequest(data []byte) (PAPRequest, error) {
	name, rest, err := lengthPrefixed(data)
	if err != nil {
		return PAPRequest{}, err
	}
	password, _, err := lengthPrefixed(rest)
	if err != nil {
		return PAPRequest{}, err
	}
	return PAPRequest{Name: name, Password: password}, nil
}

// Append appends the data of an Authenticate-Request. Each field is cut to 255
// octets.
func (r PAPRequest) Append(b []byte) []byte {
	return appendLengthPrefixed(appendLengthPrefixed(b, r.Name), r.Password)
}

// ParsePAPMessage reads Packet.Data of an Authenticate-Ack or -Nak. Peers leave
// the length octet out when they have nothing to say, so no data is an empty
// message. The error is ErrTruncated.
func ParsePAPMessage(data []byte) ([]byte, error) {
	if len(data) == 0 {
		return nil, nil
	}
	message, _, err := lengthPrefixed(data)
	return message, err
}

// AppendPAPMessage appends the data of an Authenticate-Ack or -Nak. The message
// is cut to 255 octets.
func AppendPAPMessage(b []byte, message string) []byte {
	message = message[:min(len(message), 0xff)]
	return append(append(b, byte(len(message))), message...)
}

// lengthPrefixed takes a field off b that begins with an octet for its length.
func lengthPrefixed(b []byte) (field, rest []byte, err error) {
	if len(b) == 0 || len(b)-1 < int(b[0]) {
		return nil, nil, ErrTruncated
	}
	n := int(b[0]) + 1
	return b[1:n:n], b[n:], nil
}

func appendLengthPrefixed(b, field []byte) []byte {
	field = field[:min(len(field), 0xff)]
	return append(append(b, byte(len(field))), field...)
}
