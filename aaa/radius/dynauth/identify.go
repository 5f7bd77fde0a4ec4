package dynauth

import (
	"encoding/binary"
	"net/netip"

	"lnsgate/aaa/radius/dialect"
)

// identifies says whether an attribute names sessions (RFC 5176 section 3). Class does not: in a Disconnect it is for the last
// record, in a CoA it is to be set (section 3.6, note 4).
func identifies(kind byte) bool {
	switch kind {
	case typeUserName, typeNASPort, typeFramedIPAddress, typeCalledStationID, typeCallingStationID, typeAcctSessionID,
		typeAcctMultiSessionID, typeNASPortType, typeNASPortID, typeCUI, typeFramedInterfaceID, typeFramedIPv6Prefix:
		return true
	}
	return false
}

// name takes one attribute that names sessions; all of them together must fit a session. A value of zero would match any
// session in aaa.Match, so it is never put there.
func (o *order) name(kind byte, value []byte) *refusal {
	if o.named[kind] {
		return refuse(InvalidRequest, "attribute %d is there twice", kind)
	}
	if len(value) == 0 {
		return refuse(InvalidValue, "attribute %d is empty", kind)
	}
	switch kind {
	case typeNASPortType:
		return o.portType(value)
	case typeNASPort:
		if len(value) != 4 {
			return refuse(InvalidValue, "a NAS-Port of %d octets", len(value))
		}
		o.port(dialect.OfPort(binary.BigEndian.Uint32(value)))
	case typeNASPortID:
		tunnel, session, _ := dialect.OfPortID(string(value))
		o.port(tunnel, session)
	case typeFramedIPAddress:
		a, ok := netip.AddrFromSlice(value)
		if !ok || !a.Is4() {
			return refuse(InvalidValue, "a Framed-IP-Address of %d octets", len(value))
		}
		o.match.Address = a
	case typeUserName:
		o.match.UserName = string(value)
	case typeCallingStationID:
		o.match.CallingNumber = string(value)
	case typeCalledStationID:
		o.match.CalledNumber = string(value)
	case typeAcctSessionID:
		o.match.Session = string(value)
	case typeCUI:
		o.match.CUI = value
	default: // sessions of ours have no such thing
		o.impossible = true
	}
	o.named[kind] = true
	return nil
}

// portType narrows nothing by itself: all ports are virtual.
func (o *order) portType(value []byte) *refusal {
	if len(value) != 4 {
		return refuse(InvalidValue, "a NAS-Port-Type of %d octets", len(value))
	}
	o.impossible = o.impossible || binary.BigEndian.Uint32(value) != portVirtual
	return nil
}

// port narrows to one session. Two ports that differ fit none.
func (o *order) port(tunnel, session uint16) {
	m := &o.match
	other := m.LocalTunnel != 0 && (m.LocalTunnel != tunnel || m.LocalSession != session)
	if tunnel == 0 || session == 0 || other {
		o.impossible = true
		return
	}
	m.LocalTunnel, m.LocalSession = tunnel, session
}
