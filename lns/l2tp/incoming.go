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
// PAP is the password in clear: treat it as a secret.
type ProxyAuth struct {
	Present   bool   // the LAC sent a Proxy Authen Type; the other fields count only then
	Type      uint16 // ProxyAuthText ... ProxyAuthMSCHAPv1
	Name      string
	Challenge []byte
	ID        uint8
	Response  []byte
}
