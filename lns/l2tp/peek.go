package l2tp

// PeekType is the type of the control message in payload, TypeZLB if there is none or it is broken.
func PeekType(payload []byte) MessageType {
	if a, _, ok := cutAVP(payload); ok && a.isMessageType() {
		return MessageType(u16(a.value))
	}
	return TypeZLB
}

// PeekSCCRQ reads from an SCCRQ what is needed to choose the secret for reading the rest: the host name, which is never
// hidden, and the assigned tunnel id, which is 0 if it is hidden or missing. ok is false if this is no SCCRQ.
func PeekSCCRQ(payload []byte) (hostName string, tunnel TunnelID, ok bool) {
	if PeekType(payload) != TypeSCCRQ {
		return "", 0, false
	}
	for {
		a, rest, more := cutAVP(payload)
		if !more {
			return hostName, tunnel, true
		}
		payload = rest
		switch {
		case a.vendor != 0 || a.hidden:
		case a.attribute == attrHostName:
			hostName = text(a.value)
		case a.attribute == attrAssignedTunnel && len(a.value) == 2:
			tunnel = TunnelID(u16(a.value))
		}
	}
}

// PeekAssigned reads the ids that the sender of a control message assigns in it to the tunnel or the call. An id that is
// hidden or missing is 0.
func PeekAssigned(payload []byte) (tunnel TunnelID, session SessionID) {
	for {
		a, rest, more := cutAVP(payload)
		if !more {
			return tunnel, session
		}
		payload = rest
		switch {
		case a.vendor != 0 || a.hidden || len(a.value) != 2:
		case a.attribute == attrAssignedTunnel:
			tunnel = TunnelID(u16(a.value))
		case a.attribute == attrAssignedSession:
			session = SessionID(u16(a.value))
		}
	}
}
