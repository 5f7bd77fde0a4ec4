package l2tp

import (
	"errors"
	"strconv"
)

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
	Secret                   Secret // shared secret for hidden AVPs; nil: none configured
	TolerateUnknownMandatory bool   // skip unknown AVPs even if their M bit is set
}

// Parse reads the AVPs of a control message: ParseWith without tolerance for unknown mandatory AVPs.
func Parse(payload, secret []byte) (Message, error) {
	return ParseWith(payload, ParseOptions{Secret: secret})
}

// ParseWith reads the AVPs of a control message. The message shares no memory with the payload. Every error is a
// *MessageError. After a fault it reads on, so the error knows the ids that the peer assigned, wherever they stand.
func ParseWith(payload []byte, o ParseOptions) (Message, error) {
	if len(payload) == 0 {
		return ZLB{}, nil
	}
	first, rest, ok := cutAVP(payload)
	if !ok || !first.isMessageType() {
		return nil, &MessageError{Scope: ScopeTunnel, Result: ResultCode{StopCCNError, ErrOutOfRange,
			"the first AVP is not a Message Type AVP"}}
	}
	t := MessageType(u16(first.value))
	d := newDraft(t)
	if d == nil {
		return nil, unknownType(t, first.mandatory)
	}
	p := parser{options: o, kind: t, draft: d}
	p.readAll(rest)
	return p.finish()
}

// isMessageType: exactly the AVP that must open each message. Reserved bits and the M bit do not matter here.
func (a avp) isMessageType() bool {
	return a.vendor == 0 && a.attribute == attrMessageType && !a.hidden && len(a.value) == 2
}

// unknownType: with the M bit the tunnel must be cleared, without it the message is ignored (RFC 2661 section 4.4.1).
func unknownType(t MessageType, mandatory bool) error {
	e := &MessageError{Type: t, Result: ResultCode{StopCCNError, ErrUnknownMandatory,
		"unknown message type " + strconv.Itoa(int(t))}}
	if mandatory {
		e.Scope = ScopeTunnel
	}
	return e
}

// draft is a message being read.
type draft interface {
	// set takes the value of an attribute, whose length is right. It is false if the value is out of range. What does
	// not belong in the message is skipped.
	set(Attribute, []byte) bool
	// missing names an AVP without which the message is useless, or is "".
	missing() string
	// done is the finished message.
	done() Message
}

// vendorDraft is a draft that also knows AVPs of other vendors.
type vendorDraft interface{ setVendor(avp) }

func newDraft(t MessageType) draft {
	switch t {
	case TypeSCCRQ:
		return new(SCCRQ)
	case TypeSCCRP:
		return new(SCCRP)
	case TypeSCCCN:
		return new(SCCCN)
	case TypeStopCCN:
		return new(StopCCN)
	case TypeHello:
		return new(Hello)
	case TypeOCRQ:
		return new(OCRQ)
	case TypeOCRP:
		return new(OCRP)
	case TypeOCCN:
		return new(OCCN)
	case TypeICRQ:
		return new(ICRQ)
	case TypeICRP:
		return new(ICRP)
	case TypeICCN:
		return new(ICCN)
	case TypeCDN:
		return new(CDN)
	case TypeWEN:
		return new(WEN)
	case TypeSLI:
		return new(SLI)
	}
	return nil
}

// parser reads the AVPs behind the Message Type. It keeps the first fault only.
type parser struct {
	options ParseOptions
	kind    MessageType
	draft   draft
	vector  []byte // nil: no Random Vector yet
	fault   *MessageError
	tunnel  TunnelID
	session SessionID
}

func (p *parser) readAll(b []byte) {
	for len(b) > 0 {
		a, rest, ok := cutAVP(b)
		if !ok {
			p.fail(p.natural(), ErrWrongLength, "an AVP's length does not fit the message")
			return
		}
		p.read(a)
		b = rest
	}
}

func (p *parser) read(a avp) {
	if a.vendor != 0 {
		p.readVendor(a)
		return
	}
	d, known := a.attribute.define()
	if !known || a.reserved {
		p.unknown(a)
		return
	}
	if a.attribute == attrRandomVector && !a.hidden {
		p.vector = a.value
		return
	}
	// A broken AVP that is optional, by its M bit or by the RFC, is skipped (RFC 2661 section 7.1, Q-51).
	fatal := a.mandatory && d.mandatory
	if a.hidden {
		clear, err := unhide(a.attribute, p.options.Secret, p.vector, a.value)
		if err != nil {
			p.hiddenFault(a, err, fatal)
			return
		}
		a.value = clear
	}
	switch {
	case len(a.value) < d.min || len(a.value) > d.max:
		if fatal {
			p.fail(p.natural(), ErrWrongLength, "wrong length of AVP "+a.attribute.String())
		}
	case !p.set(a):
		if fatal {
			p.fail(p.natural(), ErrOutOfRange, "value out of range in AVP "+a.attribute.String())
		}
	}
}

func (p *parser) set(a avp) bool {
	switch a.attribute {
	case attrAssignedTunnel:
		p.tunnel = TunnelID(u16(a.value))
	case attrAssignedSession:
		p.session = SessionID(u16(a.value))
	}
	return p.draft.set(a.attribute, a.value)
}

// hiddenFault: no secret or no vector is a fault of the tunnel, broken contents one of the message.
func (p *parser) hiddenFault(a avp, err error, fatal bool) {
	if !fatal {
		return
	}
	scope, code := ScopeTunnel, uint16(ErrOutOfRange)
	if errors.Is(err, errUnhide) {
		scope, code = p.natural(), ErrWrongLength
	}
	p.fail(scope, code, a.attribute.String()+": "+err.Error())
}

// readVendor compares vendor and number: the numbers of other vendors repeat those of the RFC.
func (p *parser) readVendor(a avp) {
	v, ok := p.draft.(vendorDraft)
	if !ok || a.vendor != VendorBroadbandForum || a.reserved || !lineAttribute(a.attribute) {
		p.unknown(a)
		return
	}
	if a.hidden {
		clear, err := unhide(a.attribute, p.options.Secret, p.vector, a.value)
		if err != nil {
			return
		}
		a.value = clear
	}
	v.setVendor(a)
}

func (p *parser) unknown(a avp) {
	if !a.mandatory || p.options.TolerateUnknownMandatory {
		return
	}
	name := a.attribute.String()
	if a.vendor != 0 {
		name = "attribute " + strconv.Itoa(int(a.attribute)) + " of vendor " + strconv.Itoa(int(a.vendor))
	}
	p.fail(p.natural(), ErrUnknownMandatory, "unknown AVP with the M bit set: "+name)
}

// natural is the scope of the message itself.
func (p *parser) natural() Scope {
	if p.kind.OfCall() {
		return ScopeSession
	}
	return ScopeTunnel
}

// fail notes a fault. Messages that close something have none: what could be read must do.
func (p *parser) fail(s Scope, code uint16, text string) {
	if p.fault != nil || p.kind == TypeStopCCN || p.kind == TypeCDN {
		return
	}
	p.fault = &MessageError{Type: p.kind, Scope: s, Result: ResultCode{CDNError, code, text}}
}

func (p *parser) finish() (Message, error) {
	if name := p.draft.missing(); name != "" {
		p.fail(p.natural(), ErrOutOfRange, "AVP "+name+" is missing")
	}
	if p.fault != nil {
		p.fault.PeerTunnel, p.fault.PeerSession = p.tunnel, p.session
		return nil, p.fault
	}
	return p.draft.done(), nil
}
