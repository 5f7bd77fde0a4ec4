package l2tp

import "encoding/binary"

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
	Code      uint16 // RFC 3145 section 3.2, such as 16: the authentication failed
	Protocol  uint16 // PPP protocol number the code is about, 0 if none
	Direction uint8  // 0 global, 1 at the peer, 2 at the sender
	Message   string
}

func (m *StopCCN) set(a Attribute, v []byte) bool {
	switch a {
	case attrAssignedTunnel:
		m.AssignedTunnel = TunnelID(u16(v))
	case attrResultCode:
		m.Result = readResult(v)
	}
	return true
}

func (m *StopCCN) missing() string { return "" }
func (m *StopCCN) done() Message   { return *m }

func (m StopCCN) write(e *encoder) {
	e.u16(attrAssignedTunnel, uint16(m.AssignedTunnel))
	m.Result.write(e)
}

func (m *CDN) set(a Attribute, v []byte) bool {
	switch a {
	case attrAssignedSession:
		m.AssignedSession = SessionID(u16(v))
	case attrResultCode:
		m.Result = readResult(v)
	case attrQ931Cause:
		m.Q931 = &Q931Cause{Cause: u16(v), Message: v[2], Advisory: text(v[3:])}
	case attrDisconnectCause:
		m.DisconnectCause = &PPPDisconnectCause{
			Code: u16(v), Protocol: u16(v[2:]), Direction: v[4], Message: text(v[5:]),
		}
	}
	return true
}

func (m *CDN) missing() string { return "" }
func (m *CDN) done() Message   { return *m }

func (m CDN) write(e *encoder) {
	m.Result.write(e)
	e.u16(attrAssignedSession, uint16(m.AssignedSession))
	if q := m.Q931; q != nil {
		v := binary.BigEndian.AppendUint16(nil, q.Cause)
		e.avp(attrQ931Cause, append(append(v, q.Message), q.Advisory...))
	}
	if c := m.DisconnectCause; c != nil {
		v := binary.BigEndian.AppendUint16(nil, c.Code)
		v = binary.BigEndian.AppendUint16(v, c.Protocol)
		e.avp(attrDisconnectCause, append(append(v, c.Direction), c.Message...))
	}
}
