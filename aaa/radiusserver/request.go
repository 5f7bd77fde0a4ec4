package radiusserver

import (
	"net/netip"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

// Services that a user may ask for (RFC 2865 section 5.6). All others are for those who administer equipment: who may use the
// network has no business there. So is a Login, but for that at a portal.
const (
	serviceLogin            = 1
	serviceFramed           = 2
	serviceAuthenticateOnly = 8
	serviceCallCheck        = 10 // of switches and access points, for what is known by its hardware address
	protocolPPP             = 1
)

// Lengths of proofs in octets (RFC 2865 section 5.2 and 5.3, RFC 2548).
const (
	mschapResponseLength = 50 // identifier, flags, and 48 octets
	mschapValueLength    = 49
	chapPasswordLength   = 17 // identifier, response
	leastPassword        = 16 // as it is hidden
)

// nasOf is which NAS asks or tells, and of which of its sessions.
func nasOf(c *client, p *radius.Packet, from netip.Addr) *aaa.NAS {
	name, at := placeOf(c, p, from.Unmap().WithZone(""))
	port, _ := number(p, wire.TypeNASPort)
	kind, _ := number(p, wire.TypeNASPortType)
	return &aaa.NAS{
		Name: name, Client: c.Name, Address: at, Identifier: text(p, wire.TypeNASIdentifier),
		Session: wire.NameText(p.Get(wire.TypeAcctSessionID)), Port: port, PortID: text(p, wire.TypeNASPortID), PortType: kind,
	}
}

// placeOf is what a NAS is called in records, and where it is. Behind a proxy, or in the network of one client, there may be
// many.
func placeOf(c *client, p *radius.Packet, from netip.Addr) (string, netip.Addr) {
	if _, proxied := p.Lookup(wire.TypeProxyState); proxied {
		own := address(p, wire.TypeNASIPAddress, wire.TypeNASIPv6Address)
		if !own.IsValid() {
			own = from
		}
		if id := text(p, wire.TypeNASIdentifier); id != "" {
			return c.Name + "/" + id, own
		}
		return c.Name + "/" + own.String(), own
	}
	if c.Source.IsSingleIP() {
		return c.Name, from
	}
	return c.Name + "/" + from.String(), from
}

// requestOf makes a question of an Access-Request. The session is named by the caller.
func requestOf(c *client, p *radius.Packet, from netip.AddrPort, nas *aaa.NAS) (*aaa.Request, *aaa.Rejection) {
	r := &aaa.Request{
		Name:          string(p.Get(wire.TypeUserName)),
		Peer:          netip.AddrPortFrom(nas.Address, from.Port()),
		TunnelName:    nas.Identifier,
		NAS:           nas,
		Group:         c.Name,
		CallingNumber: text(p, wire.TypeCallingStationID),
		CalledNumber:  text(p, wire.TypeCalledStationID),
		ForcedDomain:  c.ForcedDomain,
		DefaultDomain: c.DefaultDomain,
	}
	if mtu, _ := number(p, wire.TypeFramedMTU); mtu <= 65535 {
		r.MTU = int(mtu)
	}
	service, there := number(p, wire.TypeServiceType)
	r.AuthenticateOnly = service == serviceAuthenticateOnly
	if there && !isForUsers(p, service) {
		return r, aaa.Reject(aaa.Refused, "the NAS asks for Service-Type %d, such as a login to the equipment itself; only Framed (2), Call-Check (10) "+
			"and the Login (1) of a portal, with the user's address, are for these accounts", service)
	}
	proof, rejection := proofOf(p)
	r.Proof = proof
	return r, rejection
}

// isForUsers says whether a service is one of those who use the network. At a portal they have an address already, or the portal speaks
// as WISPr has it, which demands a Login.
func isForUsers(p *radius.Packet, service uint32) bool {
	switch service {
	case serviceFramed, serviceAuthenticateOnly, serviceCallCheck:
		return true
	case serviceLogin:
		for a := range wire.VendorAttributes(p) {
			if a.Vendor == wire.WISPr {
				return true
			}
		}
		return userAddress(p).IsValid()
	}
	return false
}

// proofOf takes what the user showed out of a request. There must be one proof and no more (RFC 2865 section 4.1, RFC 3579
// section 3.3).
func proofOf(p *radius.Packet) (aaa.Proof, *aaa.Rejection) {
	var found []aaa.Proof
	var fault *aaa.Rejection
	take := func(proof aaa.Proof, rejection *aaa.Rejection) {
		found = append(found, proof)
		if fault == nil {
			fault = rejection
		}
	}
	if hidden, there := p.Lookup(wire.TypeUserPassword); there {
		take(papOf(p, hidden))
	}
	if value, there := p.Lookup(wire.TypeCHAPPassword); there {
		take(chapOf(p, value))
	}
	if value, there := wire.LookupVendor(p, wire.Microsoft, wire.MSCHAPResponse); there {
		take(mschapOf(p, aaa.MSCHAPv1, value))
	}
	if value, there := wire.LookupVendor(p, wire.Microsoft, wire.MSCHAP2Response); there {
		take(mschapOf(p, aaa.MSCHAPv2, value))
	}
	if _, there := p.Lookup(wire.TypeEAPMessage); there {
		take(aaa.Proof{Method: aaa.EAP, EAP: eapOf(p)}, nil)
	}
	switch {
	case len(found) == 0:
		return aaa.Proof{}, nil
	case len(found) > 1:
		return found[0], aaa.Reject(aaa.MalformedProof, "the request has %d proofs; it must have one", len(found))
	}
	return found[0], fault
}

func papOf(p *radius.Packet, hidden []byte) (aaa.Proof, *aaa.Rejection) {
	proof := aaa.Proof{Method: aaa.PAP}
	password, err := radius.UserPassword(hidden, p.Secret, p.Authenticator[:])
	if err != nil {
		return proof, aaa.Reject(aaa.MalformedProof, "a User-Password of %d octets", len(hidden))
	}
	proof.Password = aaa.NewSecret(string(password))
	return proof, nil
}

// chapOf: without a CHAP-Challenge the authenticator of the request is the challenge (RFC 2865 section 5.3).
func chapOf(p *radius.Packet, value []byte) (aaa.Proof, *aaa.Rejection) {
	if len(value) != chapPasswordLength {
		return aaa.Proof{Method: aaa.CHAP}, aaa.Reject(aaa.MalformedProof, "a CHAP-Password of %d octets instead of %d", len(value), chapPasswordLength)
	}
	challenge, there := p.Lookup(wire.TypeCHAPChallenge)
	if !there {
		challenge = p.Authenticator[:]
	}
	return aaa.Proof{Method: aaa.CHAP, Identifier: value[0], Response: value[1:], Challenge: challenge}, nil
}

// mschapOf turns the form of RFC 2548 section 2.1.3 and 2.3.2, which begins with identifier and flags, into that of the link,
// which ends with the flags.
func mschapOf(p *radius.Packet, m aaa.Method, value []byte) (aaa.Proof, *aaa.Rejection) {
	proof := aaa.Proof{Method: m}
	if len(value) != mschapResponseLength {
		return proof, aaa.Reject(aaa.MalformedProof, "an answer for %s of %d octets instead of %d", m, len(value), mschapResponseLength)
	}
	proof.Identifier = value[0]
	proof.Challenge, _ = wire.LookupVendor(p, wire.Microsoft, wire.MSCHAPChallenge)
	proof.Response = append(make([]byte, 0, mschapValueLength), value[2:]...)
	proof.Response = append(proof.Response, value[1])
	return proof, nil
}
