package order

import (
	"encoding/binary"
	"net/netip"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
	"lnsgate/aaa/radius/dialect"
	"lnsgate/aaa/radius/wire"
)

// Attributes by their numbers (RFC 2865, 2866, 2869, 3162, 5176).
const (
	typeUserName         = 1
	typeNASIPAddress     = 4
	typeFramedIPAddress  = 8
	typeCallingStationID = 31
	typeNASIdentifier    = 32
	typeAcctSessionID    = 44
	typeEventTimestamp   = 55
	typeMessageAuth      = 80
	typeNASIPv6Address   = 95
	typeErrorCause       = 101
)

// naming is how much is said of which session is meant.
type naming int

const (
	fully   naming = iota // as the package says
	briefly               // Acct-Session-Id alone
)

// requestOf makes a request without identifier and authenticator. Nil without an error: the NAS need not hear of it.
func requestOf(o *foreign.Order, nas *NAS, n naming, now time.Time) (*radius.Packet, error) {
	p := &radius.Packet{Code: radius.CodeDisconnectRequest}
	name(p, &o.Session, nas, n)
	if o.Kind == foreign.Change {
		p.Code = radius.CodeCoARequest
		named := len(p.Attributes)
		if err := dialect.EncodeChange(p, &o.Terms, &o.Changed, now.Sub(o.Session.Started), nas.Equipment); err != nil {
			return nil, err
		}
		if len(p.Attributes) == named {
			return nil, nil
		}
	}
	p.Add(typeEventTimestamp, binary.BigEndian.AppendUint32(nil, uint32(now.Unix())))
	p.Add(typeMessageAuth, make(radius.Attribute, wire.AuthenticatorLength)) // its value follows
	return p, nil
}

// name says which session of which NAS is meant.
func name(p *radius.Packet, r *aaa.Record, nas *NAS, n naming) {
	text := func(kind radius.Type, s string) {
		if s != "" && len(s) <= wire.MaxValue { // what is longer the NAS never said
			p.Add(kind, radius.Attribute(s))
		}
	}
	text(typeAcctSessionID, string(wire.NameOctets(r.NAS.Session)))
	proxied := nas.Address.IsValid() && nas.Address.Unmap() != r.NAS.Address.Unmap()
	if proxied || n == fully && identified[nas.Equipment] {
		text(typeNASIdentifier, r.NAS.Identifier)
	}
	if proxied {
		address(p, typeNASIPAddress, typeNASIPv6Address, r.NAS.Address)
	}
	if n == briefly {
		return
	}
	text(typeUserName, r.Name)
	if nas.Equipment == dialect.WISPr {
		text(typeCallingStationID, r.CallingNumber)
	} else if r.Address.Is4() {
		address(p, typeFramedIPAddress, 0, r.Address)
	}
}

// identified is the equipment that is told its NAS-Identifier.
var identified = map[dialect.Equipment]bool{dialect.Standard: true, dialect.WISPr: true, dialect.Accel: true}

// address adds an address as the attribute of its family.
func address(p *radius.Packet, four, six radius.Type, a netip.Addr) {
	switch a = a.Unmap().WithZone(""); {
	case a.Is4():
		p.Add(four, a.AsSlice())
	case a.Is6():
		p.Add(six, a.AsSlice())
	}
}
