package l2tp

import "errors"

// Scope says how much of a peer's work a faulty message takes with it (RFC 2661 section 4.2).
type Scope uint8

const (
	ScopeIgnore  Scope = iota // drop the message, nothing else
	ScopeSession              // close the call with a CDN
	ScopeTunnel               // close the tunnel with a StopCCN
)

// String is "ignore", "session" or "tunnel".
func (s Scope) String() string {
	switch s {
	case ScopeSession:
		return "session"
	case ScopeTunnel:
		return "tunnel"
	}
	return "ignore"
}

// MessageError is what is wrong with a control message, and what the peer must be told about it.
type MessageError struct {
	Type        MessageType // TypeZLB if the message does not even say
	Scope       Scope
	Result      ResultCode // for the CDN or StopCCN that Scope asks for; its Message says what is wrong
	PeerTunnel  TunnelID   // Assigned Tunnel ID of the message, 0 if unknown
	PeerSession SessionID  // Assigned Session ID of the message, 0 if unknown
}

// Error says which message it was and what is wrong with it.
func (e *MessageError) Error() string {
	return "l2tp: " + e.Type.String() + ": " + e.Result.Message
}

// ParseOptions says how to read a control message.
type ParseOptions struct {
	Secret                   []byte // shared secret for hidden AVPs; nil: none configured
	TolerateUnknownMandatory bool   // skip unknown AVPs even if their M bit is set
}

// Parse reads the AVPs of a control message: ParseWith without tolerance for unknown mandatory AVPs.
func Parse(payload, secret []byte) (Message, error) {
	return ParseWith(payload, ParseOptions{Secret: secret})
}

// ParseWith reads the AVPs of a control message. The message shares no memory with the payload. Every error is a
// *MessageError.
func ParseWith(payload []byte, o ParseOptions) (Message, error) {
	return nil, errors.New("l2tp: not read yet")
}

// AppendOptions says how to write a control message.
type AppendOptions struct {
	Secret       []byte // shared secret
	Hide         bool   // hide every AVP that may be hidden; needs Secret and RandomVector
	RandomVector []byte // fresh random octets, 16 advised
}

// Append appends the AVPs of a control message, without its header. The Message Type AVP comes first and is never
// hidden. A ZLB appends nothing. Values longer than an AVP can hold are cut.
func Append(b []byte, m Message, o AppendOptions) []byte {
	return b
}

// PeekType is the type of the control message in payload, TypeZLB if it has none or is broken.
func PeekType(payload []byte) MessageType {
	return TypeZLB
}

// PeekSCCRQ reads from an SCCRQ what is needed to choose the secret for reading the rest: the host name and the
// assigned tunnel id. The id is 0 if it is hidden or missing. ok is false if this is no SCCRQ.
func PeekSCCRQ(payload []byte) (hostName string, tunnel TunnelID, ok bool) {
	return "", 0, false
}
