package ppp

// The codes of CHAP, RFC 1994 section 4. MS-CHAPv2 uses the same.
const (
	CHAPChallenge Code = 1
	CHAPResponse  Code = 2
	CHAPSuccess   Code = 3
	CHAPFailure   Code = 4
)

var chapNames = [...]string{
	CHAPChallenge: "Challenge",
	CHAPResponse:  "Response",
	CHAPSuccess:   "Success",
	CHAPFailure:   "Failure",
}

// CHAPValue is the data of a Challenge or a Response (RFC 1994 section 4.1):
//
//	+------------+-----------+----------+
//	| value size | value ... | name ... |
//	+------------+-----------+----------+
//
// The data of Success and Failure is the message itself and needs no reader.
type CHAPValue struct {
	Value []byte
	Name  []byte
}

// ParseCHAPValue reads Packet.Data of a Challenge or a Response. The error is
// ErrTruncated. An empty value is no error here.
func ParseCHAPValue(data []byte) (CHAPValue, error) {
	value, name, err := lengthPrefixed(data)
	if err != nil {
		return CHAPValue{}, err
	}
	return CHAPValue{Value: value, Name: name}, nil
}

// Append appends the data of a Challenge or a Response. The value is cut to 255
// octets.
func (v CHAPValue) Append(b []byte) []byte {
	return append(appendLengthPrefixed(b, v.Value), v.Name...)
}
