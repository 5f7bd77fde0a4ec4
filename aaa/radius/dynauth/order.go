package dynauth

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/dialect"
	"lnsgate/aaa/radius/wire"
)

// Attributes by their numbers (RFC 2865, 2866, 2869, 3162, 4372, 5176).
const (
	typeUserName           = 1
	typeNASIPAddress       = 4
	typeNASPort            = 5
	typeServiceType        = 6
	typeFramedProtocol     = 7
	typeFramedIPAddress    = 8
	typeReplyMessage       = 18
	typeState              = 24
	typeClass              = 25
	typeVendorSpecific     = 26
	typeCalledStationID    = 30
	typeCallingStationID   = 31
	typeNASIdentifier      = 32
	typeProxyState         = 33
	typeAcctSessionID      = 44
	typeAcctTerminateCause = 49
	typeAcctMultiSessionID = 50
	typeEventTimestamp     = 55
	typeNASPortType        = 61
	typeMessageAuth        = 80
	typeNASPortID          = 87
	typeCUI                = 89
	typeNASIPv6Address     = 95
	typeFramedInterfaceID  = 96
	typeFramedIPv6Prefix   = 97
	typeErrorCause         = 101
)

// Values.
const (
	serviceFramed = 2
	protocolPPP   = 1
	portVirtual   = 5
)

// order is a request that was understood.
type order struct {
	disconnect bool
	match      aaa.Match
	impossible bool // it names what no session of ours has
	change     aaa.Change
	text       string // Reply-Message

	named map[byte]bool // attributes that name sessions, as they were met
}

// orderOf understands a packet as a whole, and does nothing yet. options are for reading what is to be changed.
func orderOf(p *radius.Packet, us *identity, options dialect.Options) (*order, *refusal) {
	o := &order{disconnect: p.Code == radius.CodeDisconnectRequest, named: make(map[byte]bool)}
	for _, a := range p.Attributes {
		if refusal := addressedTo(us, byte(a.Type), a.Attribute); refusal != nil {
			return nil, refusal
		}
	}
	for _, a := range p.Attributes {
		if refusal := o.read(byte(a.Type), a.Attribute); refusal != nil {
			return nil, refusal
		}
	}
	if len(o.named) == 0 {
		return nil, refuse(MissingAttribute, "it names no session; send Acct-Session-Id, User-Name or Framed-IP-Address")
	}
	change, err := dialect.Change(onlyChanges(p), options)
	if err != nil {
		return nil, refuse(InvalidValue, "%v", err)
	}
	o.change = change
	if !o.disconnect && empty(&change) {
		return nil, refuse(MissingAttribute, "it changes nothing")
	}
	return o, nil
}

// addressedTo says no to what is for another node. All attributes that name a NAS must fit (RFC 5176 section 3).
func addressedTo(us *identity, kind byte, value []byte) *refusal {
	switch kind {
	case typeNASIdentifier:
		if !us.named(string(value)) {
			return refuse(OtherNAS, "NAS-Identifier %q is none of %q", value, us.names)
		}
	case typeNASIPAddress, typeNASIPv6Address:
		a, ok := netip.AddrFromSlice(value)
		if !ok || a.Is4() != (kind == typeNASIPAddress) {
			return refuse(InvalidValue, "a NAS address of %d octets", len(value))
		}
		if !us.addressed(a) {
			return refuse(OtherNAS, "NAS address %s is not ours", a)
		}
	}
	return nil
}

// read takes one attribute.
func (o *order) read(kind byte, value []byte) *refusal {
	switch kind {
	case typeNASIdentifier, typeNASIPAddress, typeNASIPv6Address, typeProxyState, typeMessageAuth, typeEventTimestamp, typeClass:
		return nil
	case typeReplyMessage:
		o.text = strings.TrimSpace(o.text + " " + string(value))
		return nil
	case typeAcctTerminateCause:
		if o.disconnect {
			return nil
		}
	case typeState:
		if !o.disconnect {
			return nil
		}
	case typeServiceType, typeFramedProtocol:
		if !o.disconnect {
			return service(kind, value)
		}
	case typeVendorSpecific:
		if !o.disconnect {
			return vendors(value)
		}
	default:
		if identifies(kind) {
			return o.name(kind, value)
		}
		if !o.disconnect && dialect.Changeable(0, kind, value) {
			return nil
		}
	}
	return refuse(UnsupportedAttribute, "attribute %d has no place in it", kind)
}

// service takes what a session has anyway. Authorize-Only (17) is one of the values that are not supported (RFC 5176
// section 3.2).
func service(kind byte, value []byte) *refusal {
	switch {
	case len(value) != 4:
		return refuse(InvalidValue, "attribute %d has %d octets, not 4", kind, len(value))
	case kind == typeServiceType && binary.BigEndian.Uint32(value) != serviceFramed:
		return refuse(UnsupportedService, "Service-Type %d", binary.BigEndian.Uint32(value))
	case kind == typeFramedProtocol && binary.BigEndian.Uint32(value) != protocolPPP:
		return refuse(InvalidValue, "Framed-Protocol %d", binary.BigEndian.Uint32(value))
	}
	return nil
}

// vendors checks that everything in a Vendor-Specific can be changed.
func vendors(value []byte) *refusal {
	one, count := &radius.Packet{Attributes: radius.Attributes{{Type: typeVendorSpecific, Attribute: value}}}, 0
	for a := range wire.VendorAttributes(one) {
		if !dialect.Changeable(a.Vendor, a.Type, a.Value) {
			return refuse(UnsupportedAttribute, "attribute %d of vendor %d cannot be changed while a session lives", a.Type, a.Vendor)
		}
		count++
	}
	if count == 0 {
		return refuse(UnsupportedAttribute, "a Vendor-Specific that is not type, length and value")
	}
	return nil
}

// onlyChanges is the packet without what names sessions: a Framed-IP-Address there is not to be set.
func onlyChanges(p *radius.Packet) *radius.Packet {
	changes := &radius.Packet{Code: p.Code}
	for _, a := range p.Attributes {
		if a.Type == typeVendorSpecific || dialect.Changeable(0, byte(a.Type), a.Attribute) {
			changes.Attributes = append(changes.Attributes, a)
		}
	}
	return changes
}

func empty(c *aaa.Change) bool {
	return c.SessionTimeout == nil && c.IdleTimeout == nil && c.Interim == nil && c.RateUp == nil && c.RateDown == nil &&
		c.Filter == nil && len(c.Class) == 0
}

// timestamp is the Event-Timestamp of a packet. The second result is false when there is none.
func timestamp(p *radius.Packet) (time.Time, bool) {
	value, there := p.Lookup(typeEventTimestamp)
	if !there || len(value) != 4 {
		return time.Time{}, there && len(value) != 4
	}
	return time.Unix(int64(binary.BigEndian.Uint32(value)), 0), true
}
