package l2tp

// ICRQ announces an incoming call (RFC 2661 section 6.6).
type ICRQ struct {
	AssignedSession SessionID
	CallSerial      uint32 // for administrators at both ends
	BearerType      uint32 // BearerDigital, BearerAnalog; 0 is not written
	PhysicalChannel uint32 // for logs; 0 is not written
	CallingNumber   string
	CalledNumber    string
	SubAddress      string
	Line            *AccessLine // RFC 5515; nil: the LAC says nothing about the line
}

// Type is TypeICRQ.
func (ICRQ) Type() MessageType { return TypeICRQ }

// ICRP accepts an ICRQ (RFC 2661 section 6.7).
type ICRP struct {
	AssignedSession SessionID
}

// Type is TypeICRP.
func (ICRP) Type() MessageType { return TypeICRP }

// ICCN says that the call is connected (RFC 2661 section 6.8).
type ICCN struct {
	TxSpeed            uint32 // bits per second from the LAC to the caller
	RxSpeed            uint32 // bits per second from the caller to the LAC; 0: as TxSpeed, and then not written
	FramingType        uint32 // FramingSync, FramingAsync
	InitialReceivedLCP []byte // options of the caller's first LCP Configure-Request; nil: the LAC did no LCP
	LastSentLCP        []byte // options of the LAC's last LCP Configure-Request
	LastReceivedLCP    []byte // options of the caller's last LCP Configure-Request
	ProxyAuth          ProxyAuth
	PrivateGroup       string
	SequencingRequired bool // the LNS must number its data messages
}

// Type is TypeICCN.
func (ICCN) Type() MessageType { return TypeICCN }

// Values of ProxyAuth.Type (RFC 2661 section 4.4.5).
const (
	ProxyAuthText     = 1 // user name and password as text
	ProxyAuthCHAP     = 2
	ProxyAuthPAP      = 3
	ProxyAuthNone     = 4
	ProxyAuthMSCHAPv1 = 5
)

// ProxyAuth is what the caller told the LAC when the LAC asked who is there (RFC 2661 section 4.4.5). The response of
// PAP is the password in clear.
type ProxyAuth struct {
	Present   bool   // the LAC sent a Proxy Authen Type; the other fields count only then
	Type      uint16 // ProxyAuthText ... ProxyAuthMSCHAPv1
	Name      string
	Challenge []byte
	ID        uint8
	Response  Secret
}

func (m *ICRQ) set(a Attribute, v []byte) bool {
	switch a {
	case attrAssignedSession:
		m.AssignedSession = SessionID(u16(v))
		return m.AssignedSession != 0
	case attrCallSerial:
		m.CallSerial = u32(v)
	case attrBearerType:
		m.BearerType = u32(v)
	case attrPhysicalChannel:
		m.PhysicalChannel = u32(v)
	case attrCallingNumber:
		m.CallingNumber = text(v)
	case attrCalledNumber:
		m.CalledNumber = text(v)
	case attrSubAddress:
		m.SubAddress = text(v)
	}
	return true
}

func (m *ICRQ) missing() string { return missingSession(m.AssignedSession) }
func (m *ICRQ) done() Message   { return *m }

func (m ICRQ) write(e *encoder) {
	e.u16(attrAssignedSession, uint16(m.AssignedSession))
	e.u32(attrCallSerial, m.CallSerial)
	e.mayU32(attrBearerType, m.BearerType)
	e.mayU32(attrPhysicalChannel, m.PhysicalChannel)
	e.mayText(attrCallingNumber, m.CallingNumber)
	e.mayText(attrCalledNumber, m.CalledNumber)
	e.mayText(attrSubAddress, m.SubAddress)
	if m.Line != nil {
		m.Line.write(e)
	}
}

func (m *ICRP) set(a Attribute, v []byte) bool {
	if a == attrAssignedSession {
		m.AssignedSession = SessionID(u16(v))
		return m.AssignedSession != 0
	}
	return true
}

func (m *ICRP) missing() string { return missingSession(m.AssignedSession) }
func (m *ICRP) done() Message   { return *m }

func (m ICRP) write(e *encoder) { e.u16(attrAssignedSession, uint16(m.AssignedSession)) }

func (m *ICCN) set(a Attribute, v []byte) bool {
	switch a {
	case attrTxSpeed:
		m.TxSpeed = u32(v)
	case attrRxSpeed:
		m.RxSpeed = u32(v)
	case attrFramingType:
		m.FramingType = u32(v)
	case attrInitialReceivedLCP:
		m.InitialReceivedLCP = octets(v)
	case attrLastSentLCP:
		m.LastSentLCP = octets(v)
	case attrLastReceivedLCP:
		m.LastReceivedLCP = octets(v)
	case attrPrivateGroup:
		m.PrivateGroup = text(v)
	case attrSequencingRequired:
		m.SequencingRequired = true
	default:
		m.ProxyAuth.set(a, v)
	}
	return true
}

func (p *ProxyAuth) set(a Attribute, v []byte) {
	switch a {
	case attrProxyAuthType:
		p.Present, p.Type = true, u16(v)
	case attrProxyAuthName:
		p.Name = string(v)
	case attrProxyAuthChallenge:
		p.Challenge = octets(v)
	case attrProxyAuthID:
		p.ID = v[1]
	case attrProxyAuthResponse:
		p.Response = octets(v)
	}
}

func (m *ICCN) missing() string { return "" }
func (m *ICCN) done() Message   { return *m }

func (m ICCN) write(e *encoder) {
	e.u32(attrTxSpeed, m.TxSpeed)
	e.u32(attrFramingType, m.FramingType)
	e.mayBytes(attrInitialReceivedLCP, m.InitialReceivedLCP)
	e.mayBytes(attrLastSentLCP, m.LastSentLCP)
	e.mayBytes(attrLastReceivedLCP, m.LastReceivedLCP)
	if m.ProxyAuth.Present {
		m.ProxyAuth.write(e)
	}
	e.mayText(attrPrivateGroup, m.PrivateGroup)
	writeLine(e, m.TxSpeed, m.RxSpeed, m.SequencingRequired)
}

// write leaves out what the type does not need (RFC 2661 section 4.4.5).
func (p ProxyAuth) write(e *encoder) {
	e.u16(attrProxyAuthType, p.Type)
	if p.Type == ProxyAuthNone {
		return
	}
	e.text(attrProxyAuthName, p.Name)
	e.mayBytes(attrProxyAuthChallenge, p.Challenge)
	if p.Type != ProxyAuthText {
		e.u16(attrProxyAuthID, uint16(p.ID))
	}
	e.mayBytes(attrProxyAuthResponse, p.Response)
}

// writeLine ends an ICCN or OCCN. Some peers refuse an Rx Connect Speed that says nothing new.
func writeLine(e *encoder, tx, rx uint32, sequencing bool) {
	if rx != tx {
		e.mayU32(attrRxSpeed, rx)
	}
	if sequencing {
		e.avp(attrSequencingRequired, nil)
	}
}

func missingSession(id SessionID) string {
	if id == 0 {
		return attrAssignedSession.String()
	}
	return ""
}
