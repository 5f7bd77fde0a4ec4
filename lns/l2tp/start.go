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
