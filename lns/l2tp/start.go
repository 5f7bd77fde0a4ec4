package l2tp

// Version10 is the only protocol version there is: 1, revision 0 (RFC 2661 section 4.4.3).
const Version10 = 0x0100

// DefaultReceiveWindow is what a peer without a Receive Window Size AVP can take (RFC 2661 section 4.4.3).
const DefaultReceiveWindow = 4

// Bits of the Framing Capabilities and Framing Type AVPs.
const (
	FramingSync  = 1
	FramingAsync = 2
)

// Bits of the Bearer Capabilities and Bearer Type AVPs.
const (
	BearerDigital = 1
	BearerAnalog  = 2
)

// SCCRQ asks for a tunnel (RFC 2661 section 6.1).
type SCCRQ struct {
	ProtocolVersion uint16 // version in the high octet; written as Version10 if 0
	HostName        string // without the NUL that some clients append
	Framing         uint32 // FramingSync, FramingAsync
	Bearer          uint32 // BearerDigital, BearerAnalog; 0 is not written
	TieBreaker      []byte // 8 octets, or nil
	Firmware        uint16 // 0 is not written
	Vendor          string // "" is not written
	AssignedTunnel  TunnelID
	ReceiveWindow   uint16 // 0: absent, or a 0 that the RFC forbids; both mean DefaultReceiveWindow
	Challenge       []byte // nil: the peer need not prove itself
}

// Type is TypeSCCRQ.
func (SCCRQ) Type() MessageType { return TypeSCCRQ }

// SCCRP accepts an SCCRQ (RFC 2661 section 6.2). Fields as in SCCRQ.
type SCCRP struct {
	ProtocolVersion   uint16
	HostName          string
	Framing           uint32
	Bearer            uint32
	Firmware          uint16
	Vendor            string
	AssignedTunnel    TunnelID
	ReceiveWindow     uint16
	Challenge         []byte
	ChallengeResponse []byte // 16 octets if the SCCRQ carried a challenge, else nil
}

// Type is TypeSCCRP.
func (SCCRP) Type() MessageType { return TypeSCCRP }

// SCCCN confirms the tunnel (RFC 2661 section 6.3).
type SCCCN struct {
	ChallengeResponse []byte // 16 octets if the SCCRP carried a challenge, else nil
}

// Type is TypeSCCCN.
func (SCCCN) Type() MessageType { return TypeSCCCN }

func (m *SCCRQ) set(a Attribute, v []byte) bool {
	switch a {
	case attrProtocolVersion:
		m.ProtocolVersion = u16(v)
	case attrHostName:
		m.HostName = text(v)
	case attrFramingCaps:
		m.Framing = u32(v)
	case attrBearerCaps:
		m.Bearer = u32(v)
	case attrTieBreaker:
		m.TieBreaker = octets(v)
	case attrFirmware:
		m.Firmware = u16(v)
	case attrVendorName:
		m.Vendor = text(v)
	case attrAssignedTunnel:
		m.AssignedTunnel = TunnelID(u16(v))
		return m.AssignedTunnel != 0
	case attrReceiveWindow:
		m.ReceiveWindow = u16(v)
	case attrChallenge:
		m.Challenge = octets(v)
	}
	return true
}

func (m *SCCRQ) missing() string {
	return missingOfStart(m.ProtocolVersion, m.HostName, m.AssignedTunnel)
}
func (m *SCCRQ) done() Message { return *m }

func (m SCCRQ) write(e *encoder) {
	e.u16(attrProtocolVersion, versionOr10(m.ProtocolVersion))
	e.text(attrHostName, m.HostName)
	e.u32(attrFramingCaps, m.Framing)
	e.mayU32(attrBearerCaps, m.Bearer)
	e.mayBytes(attrTieBreaker, m.TieBreaker)
	e.mayU16(attrFirmware, m.Firmware)
	e.mayText(attrVendorName, m.Vendor)
	e.u16(attrAssignedTunnel, uint16(m.AssignedTunnel))
	e.mayU16(attrReceiveWindow, m.ReceiveWindow)
	e.mayBytes(attrChallenge, m.Challenge)
}

func (m *SCCRP) set(a Attribute, v []byte) bool {
	switch a {
	case attrProtocolVersion:
		m.ProtocolVersion = u16(v)
	case attrHostName:
		m.HostName = text(v)
	case attrFramingCaps:
		m.Framing = u32(v)
	case attrBearerCaps:
		m.Bearer = u32(v)
	case attrFirmware:
		m.Firmware = u16(v)
	case attrVendorName:
		m.Vendor = text(v)
	case attrAssignedTunnel:
		m.AssignedTunnel = TunnelID(u16(v))
		return m.AssignedTunnel != 0
	case attrReceiveWindow:
		m.ReceiveWindow = u16(v)
	case attrChallenge:
		m.Challenge = octets(v)
	case attrChallengeResponse:
		m.ChallengeResponse = octets(v)
	}
	return true
}

func (m *SCCRP) missing() string {
	return missingOfStart(m.ProtocolVersion, m.HostName, m.AssignedTunnel)
}
func (m *SCCRP) done() Message { return *m }

func (m SCCRP) write(e *encoder) {
	e.u16(attrProtocolVersion, versionOr10(m.ProtocolVersion))
	e.text(attrHostName, m.HostName)
	e.u32(attrFramingCaps, m.Framing)
	e.mayU32(attrBearerCaps, m.Bearer)
	e.mayU16(attrFirmware, m.Firmware)
	e.mayText(attrVendorName, m.Vendor)
	e.u16(attrAssignedTunnel, uint16(m.AssignedTunnel))
	e.mayU16(attrReceiveWindow, m.ReceiveWindow)
	e.mayBytes(attrChallenge, m.Challenge)
	e.mayBytes(attrChallengeResponse, m.ChallengeResponse)
}

func (m *SCCCN) set(a Attribute, v []byte) bool {
	if a == attrChallengeResponse {
		m.ChallengeResponse = octets(v)
	}
	return true
}

func (m *SCCCN) missing() string { return "" }
func (m *SCCCN) done() Message   { return *m }

func (m SCCCN) write(e *encoder) { e.mayBytes(attrChallengeResponse, m.ChallengeResponse) }

func missingOfStart(version uint16, host string, tunnel TunnelID) string {
	switch {
	case tunnel == 0:
		return attrAssignedTunnel.String()
	case version == 0:
		return attrProtocolVersion.String()
	case host == "":
		return attrHostName.String()
	}
	return ""
}

func versionOr10(v uint16) uint16 {
	if v == 0 {
		return Version10
	}
	return v
}
