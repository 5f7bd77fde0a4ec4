package order

import (
	"encoding/binary"
	"fmt"

	"layeh.com/radius"

	"lnsgate/aaa/foreign"
)

// Causes that mean more to us than their words (RFC 5176 section 3.5).
const (
	unsupportedAttribute = 401
	invalidValue         = 407
	sessionNotFound      = 503
)

// causes are the Error-Causes of RFC 5176 section 3.5.
var causes = map[uint32]string{
	201:                  "what was left of the session is removed",
	202:                  "invalid EAP packet",
	unsupportedAttribute: "unsupported attribute",
	402:                  "missing attribute",
	403:                  "the NAS is called otherwise",
	404:                  "invalid request",
	405:                  "unsupported service",
	406:                  "unsupported extension",
	invalidValue:         "invalid attribute value",
	501:                  "forbidden by the administrator of the NAS",
	502:                  "the proxy has no way to the NAS",
	sessionNotFound:      "session not found",
	504:                  "the session cannot be removed",
	505:                  "other proxy processing error",
	506:                  "resources unavailable",
	507:                  "request initiated",
	508:                  "several sessions at once are not supported",
}

// causeOf is the Error-Cause of a NAK; 0 = it says none.
func causeOf(p *radius.Packet) uint32 {
	if value, there := p.Lookup(typeErrorCause); there && len(value) == 4 {
		return binary.BigEndian.Uint32(value)
	}
	return 0
}

// answers says which codes answer a request.
func answers(request, reply radius.Code) bool {
	switch request {
	case radius.CodeDisconnectRequest:
		return reply == radius.CodeDisconnectACK || reply == radius.CodeDisconnectNAK
	case radius.CodeCoARequest:
		return reply == radius.CodeCoAACK || reply == radius.CodeCoANAK
	}
	return false
}

// answerOf is what a reply means.
func answerOf(p *radius.Packet) foreign.Answer {
	if p.Code == radius.CodeDisconnectACK || p.Code == radius.CodeCoAACK {
		return foreign.Answer{Done: true, OK: true, Text: "acknowledged"}
	}
	cause := causeOf(p)
	words := causes[cause]
	switch {
	case cause == 0:
		words = "refused, and the NAS does not say why"
	case words == "":
		words = fmt.Sprintf("refused: error cause %d", cause)
	default:
		words = fmt.Sprintf("refused: %s (%d)", words, cause)
	}
	return foreign.Answer{Done: true, Text: words, Lost: cause == sessionNotFound}
}
