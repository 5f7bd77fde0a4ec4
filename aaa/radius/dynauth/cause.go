package dynauth

import "fmt"

// Cause is an Error-Cause (RFC 5176 section 3.5): why a request was not carried out.
type Cause uint32

// The causes that this server sends.
const (
	UnsupportedAttribute Cause = 401 // what a session cannot change, or a Disconnect not hold
	MissingAttribute     Cause = 402 // no session is named, or nothing is to be changed
	OtherNAS             Cause = 403 // it is for another node
	InvalidRequest       Cause = 404 // it contradicts itself
	UnsupportedService   Cause = 405 // a Service-Type that is not ours
	InvalidValue         Cause = 407
	SessionNotFound      Cause = 503
	ResourcesUnavailable Cause = 506 // it could not be done now
)

// String returns the cause in words.
func (c Cause) String() string {
	switch c {
	case UnsupportedAttribute:
		return "unsupported attribute"
	case MissingAttribute:
		return "missing attribute"
	case OtherNAS:
		return "not this NAS"
	case InvalidRequest:
		return "invalid request"
	case UnsupportedService:
		return "unsupported service"
	case InvalidValue:
		return "invalid attribute value"
	case SessionNotFound:
		return "no such session"
	case ResourcesUnavailable:
		return "resources unavailable"
	}
	return fmt.Sprintf("error cause %d", uint32(c))
}

// refusal is why a request gets a NAK.
type refusal struct {
	cause  Cause
	detail string // for the log
}

func refuse(cause Cause, format string, args ...any) *refusal {
	return &refusal{cause, fmt.Sprintf(format, args...)}
}
