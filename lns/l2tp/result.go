package l2tp

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// ResultCode is the value of the Result Code AVP in StopCCN and CDN (RFC 2661 section 4.4.2). What Result means
// depends on the message: use Words.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Result Code          |        Error Code (opt)       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Error Message (opt) ...
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type ResultCode struct {
	Result  uint16
	Error   uint16 // 0: no general error
	Message string // for people, UTF-8; "" if there is none
}

// Results of a StopCCN.
const (
	StopCCNGeneral       = 1 // general request to clear the control connection
	StopCCNError         = 2 // general error, see the error code
	StopCCNExists        = 3 // control channel already exists
	StopCCNNotAuthorized = 4 // requester is not authorized
	StopCCNVersion       = 5 // protocol version not supported; the error code is the highest one supported
	StopCCNShutdown      = 6 // requester is being shut down
	StopCCNStateMachine  = 7 // finite state machine error
)

// Results of a CDN.
const (
	CDNCarrierLost        = 1
	CDNError              = 2 // general error, see the error code
	CDNAdministrative     = 3
	CDNNoFacilitiesNow    = 4 // temporary condition
	CDNNoFacilities       = 5 // permanent condition
	CDNInvalidDestination = 6
	CDNNoCarrier          = 7
	CDNBusy               = 8
	CDNNoDialTone         = 9
	CDNTimeout            = 10 // not established within the time allotted
	CDNNoFraming          = 11
)

// General error codes.
const (
	ErrNone                = 0
	ErrNoControlConnection = 1
	ErrWrongLength         = 2
	ErrOutOfRange          = 3 // a value is out of range, or a reserved field is not 0
	ErrNoResources         = 4
	ErrInvalidSession      = 5
	ErrVendor              = 6 // vendor specific; the message should say more
	ErrTryAnother          = 7 // the LAC should try another LNS
	ErrUnknownMandatory    = 8 // unknown AVP with the M bit set
)

var stopWords = [...]string{
	StopCCNGeneral:       "general request to clear the control connection",
	StopCCNError:         "general error",
	StopCCNExists:        "control connection already exists",
	StopCCNNotAuthorized: "not authorized to establish a control connection",
	StopCCNVersion:       "protocol version not supported",
	StopCCNShutdown:      "sender is being shut down",
	StopCCNStateMachine:  "finite state machine error",
}

var cdnWords = [...]string{
	CDNCarrierLost:        "carrier lost",
	CDNError:              "general error",
	CDNAdministrative:     "administrative reasons",
	CDNNoFacilitiesNow:    "no facilities at the moment",
	CDNNoFacilities:       "no facilities",
	CDNInvalidDestination: "invalid destination",
	CDNNoCarrier:          "no carrier detected",
	CDNBusy:               "busy signal",
	CDNNoDialTone:         "no dial tone",
	CDNTimeout:            "call not established in time",
	CDNNoFraming:          "no appropriate framing detected",
}

var errorWords = [...]string{
	ErrNone:                "no general error",
	ErrNoControlConnection: "no control connection yet",
	ErrWrongLength:         "wrong length",
	ErrOutOfRange:          "value out of range or reserved field not zero",
	ErrNoResources:         "insufficient resources",
	ErrInvalidSession:      "invalid session id",
	ErrVendor:              "vendor specific error",
	ErrTryAnother:          "try another LNS",
	ErrUnknownMandatory:    "unknown AVP with the M bit set",
}

// String shows the numbers and the message: "result 2, error 8 (unknown AVP with the M bit set): text".
func (r ResultCode) String() string {
	return r.render("result " + strconv.Itoa(int(r.Result)))
}

// Words is String with the result in words. The same number means different things in a StopCCN and in a CDN; t says
// which of the two it was.
func (r ResultCode) Words(t MessageType) string {
	table := cdnWords[:]
	if t == TypeStopCCN {
		table = stopWords[:]
	}
	s := "result " + strconv.Itoa(int(r.Result))
	if w := word(table, r.Result); w != "" {
		s += " (" + w + ")"
	}
	return r.render(s)
}

func (r ResultCode) render(s string) string {
	if r.Error != ErrNone {
		s += ", error " + strconv.Itoa(int(r.Error))
		if w := word(errorWords[:], r.Error); w != "" {
			s += " (" + w + ")"
		}
	}
	if r.Message != "" {
		s += ": " + r.Message
	}
	return s
}

func word(table []string, i uint16) string {
	if int(i) < len(table) {
		return table[i]
	}
	return ""
}

// readResult reads the value of a Result Code AVP of at least 2 octets. Peers leave out the error code, and
// Apple's client sends the result in host byte order with stale octets behind it. No result above 255 is
// defined, so a low octet of 0 gives the swapped ones away.
func readResult(v []byte) ResultCode {
	r := ResultCode{Result: u16(v)}
	if r.Result > 0xff && r.Result&0xff == 0 {
		r.Result >>= 8
		return r
	}
	if len(v) >= 4 {
		r.Error = u16(v[2:])
		r.Message = strings.ToValidUTF8(text(v[4:]), "\ufffd")
	}
	return r
}

func (r ResultCode) write(e *encoder) {
	v := binary.BigEndian.AppendUint16(nil, r.Result)
	if r.Error != 0 || r.Message != "" {
		v = binary.BigEndian.AppendUint16(v, r.Error)
		v = append(v, r.Message...)
	}
	e.avp(attrResultCode, v)
}
