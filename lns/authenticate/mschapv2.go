package authenticate

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// What a peer is told. The failure text is the same whatever the cause, so that nobody learns which names exist.
const (
	SuccessText = "Welcome"
	FailureText = "Authentication failed"
)

// The error codes of RFC 2759 section 6, which Windows shows to its user.
const (
	ErrorRestrictedLogonHours  = 646
	ErrorAccountDisabled       = 647
	ErrorPasswordExpired       = 648
	ErrorNoDialinPermission    = 649
	ErrorAuthenticationFailure = 691
	ErrorChangingPassword      = 709
)

var errorTexts = map[int]string{
	ErrorRestrictedLogonHours:  "Logon is not allowed at this hour",
	ErrorAccountDisabled:       "The account is disabled",
	ErrorPasswordExpired:       "The password has expired",
	ErrorNoDialinPermission:    "The account may not dial in",
	ErrorAuthenticationFailure: FailureText,
	ErrorChangingPassword:      "The password could not be changed",
}

// ErrorMessage is the message of an MS-CHAPv2 Failure packet (RFC 2759 section 6):
//
//	E=eeeeeeeeee R=r C=cccccccccccccccccccccccccccccccc V=vvvvvvvvvv M=<msg>
type ErrorMessage struct {
	Code      int      // one of the Error constants, or another number
	Retry     bool     // the peer may answer the challenge below
	Challenge [16]byte // for the next try
	Version   int      // of the change-password protocol, 3
	Text      string   // for the user; "" = the words for Code
}

// String returns the message as it goes onto the wire.
func (m ErrorMessage) String() string {
	retry := 0
	if m.Retry {
		retry = 1
	}
	return fmt.Sprintf("E=%d R=%d C=%X V=%d M=%s", m.Code, retry, m.Challenge, m.Version, m.Words())
}

// Words returns the text, or what the code means if there is none.
func (m ErrorMessage) Words() string {
	if m.Text != "" {
		return m.Text
	}
	if text, known := errorTexts[m.Code]; known {
		return text
	}
	return FailureText
}

// ParseErrorMessage reads the message of a Failure packet. The text may have spaces and stands last; the other fields
// may be missing, as servers leave out what they do not use. It reports false if there is no error code.
func ParseErrorMessage(message string) (ErrorMessage, bool) {
	var m ErrorMessage
	found := false
	rest := message
	for rest != "" && !strings.HasPrefix(rest, "M=") {
		var field string
		field, rest, _ = strings.Cut(rest, " ")
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "E":
			code, err := strconv.Atoi(value)
			m.Code, found = code, err == nil
		case "R":
			m.Retry = value == "1"
		case "C":
			if octets, err := hex.DecodeString(value); err == nil && len(octets) == len(m.Challenge) {
				copy(m.Challenge[:], octets)
			}
		case "V":
			m.Version, _ = strconv.Atoi(value)
		}
	}
	m.Text = strings.TrimPrefix(rest, "M=")
	if !found {
		return ErrorMessage{}, false
	}
	return m, true
}

// authenticatorResponseLength is that of "S=" and 40 hexadecimal digits.
const authenticatorResponseLength = 2 + 40

// successMessage makes the message of a Success packet (RFC 2759 section 5): S=<40 HEX>, one space, M=<text>. A reply
// that already has a text is kept as it is, because a RADIUS server's word goes to the peer unchanged; the other gets the
// one given. It reports false if the reply is no authenticator response.
func successMessage(reply, text string) (string, bool) {
	if len(reply) < authenticatorResponseLength || !strings.HasPrefix(reply, "S=") {
		return "", false
	}
	response, rest := reply[:authenticatorResponseLength], reply[authenticatorResponseLength:]
	if _, err := hex.DecodeString(response[2:]); err != nil {
		return "", false
	}
	switch {
	case strings.Trim(rest, " \x00") == "":
		rest = " M=" + text
	case !strings.HasPrefix(rest, " M="):
		return "", false
	}
	return shown(strings.ToUpper(response) + rest), true
}

// failureReply takes a server's whole failure message as that of a Failure packet, as it is. One that allows another try is
// said all the same, although the link ends with it: the peer then asks its user for another password, and dials again.
func failureReply(reply string) (string, bool) {
	_, ok := ParseErrorMessage(reply)
	return shown(reply), ok
}
