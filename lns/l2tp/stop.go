package l2tp

// StopCCN closes a tunnel and every call in it (RFC 2661 section 6.4).
type StopCCN struct {
	AssignedTunnel TunnelID // the id the sender had assigned; 0 if the peer did not say
	Result         ResultCode
}

// Type is TypeStopCCN.
func (StopCCN) Type() MessageType { return TypeStopCCN }

// CDN closes one call (RFC 2661 section 6.12).
type CDN struct {
	AssignedSession SessionID // the id the sender had assigned; 0 if the peer did not say
	Result          ResultCode
	Q931            *Q931Cause          // nil: absent
	DisconnectCause *PPPDisconnectCause // RFC 3145; nil: absent
}

// Type is TypeCDN.
func (CDN) Type() MessageType { return TypeCDN }

// Q931Cause tells why the telephone network ended a call (RFC 2661 section 4.4.4).
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Cause Code           |   Cause Msg   | Advisory Msg...
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Q931Cause struct {
	Cause    uint16
	Message  uint8
	Advisory string
}

// PPPDisconnectCause tells the LAC why the PPP link ended (RFC 3145 section 3).
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|       Disconnect Code         |    Control Protocol Number    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Direction   |                    Message (opt) ...
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type PPPDisconnectCause struct {
	Code      uint16 // RFC 3145 section 3.2, such as 13: authentication failed
	Protocol  uint16 // PPP protocol number the code is about, 0 if none
	Direction uint8  // 0 global, 1 at the peer, 2 at the sender
	Message   string
}
