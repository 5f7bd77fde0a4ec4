package aaa

import "net/netip"

// Proof is what the peer showed to prove that it knows the password. Which fields count depends on the method.
type Proof struct {
	Method     Method
	Password   Secret // PAP: the password
	Identifier uint8  // CHAP: the identifier of challenge and response, part of the hash
	Challenge  []byte // CHAP and MS-CHAPv2: what we sent; 16 octets for MS-CHAPv2
	Response   []byte // CHAP: 16 octets; MS-CHAPv2: the 49-octet Value of RFC 2759 section 4
}

// Request is one question to the AAA side. It is immutable once asked.
type Request struct {
	Attempt string // names this login attempt in logs and records
	Name    string // exactly as the peer typed it
	Proof   Proof

	Peer            netip.AddrPort // the outer address the tunnel comes from
	TunnelName      string         // the peer's Host Name AVP
	Group           string         // the l2tp group that matched the tunnel
	VirtualTemplate string         // the virtual template of that group
	CallingNumber   string
	CalledNumber    string

	ForcedDomain  string // by l2tp group: this domain whatever the name says; "" = not forced
	DefaultDomain string // by l2tp group: for names without a domain; "" = the global default
}

// Query is what a back end is asked: the request, the name taken apart and the domain that was chosen.
type Query struct {
	Request  *Request
	Identity Identity
	Domain   string // the domain's own name, aliases resolved
}
