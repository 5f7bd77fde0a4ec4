package aaa

import "net/netip"

// Proof is what the peer showed to prove that it knows the password. Which fields count depends on the method.
type Proof struct {
	Method     Method
	Password   Secret // PAP: the password
	Identifier uint8  // CHAP: the identifier of challenge and response, part of the hash
	Challenge  []byte // CHAP, MS-CHAPv1 and v2: what the peer was sent; 16 octets for MS-CHAPv2, 8 for v1
	Response   []byte // CHAP: 16 octets; MS-CHAPv2: the 49-octet Value of RFC 2759 section 4; v1: that of RFC 2433 section 4
	EAP        []byte // EAP: the peer's Response, a whole packet (RFC 3748 section 4); Request.Name is its identity
	State      []byte // EAP: that of the Challenge this answers; nil at the beginning
	InEAP      bool   // it came inside of EAP, whatever the method: EAP is what the domain has to accept
}

// Request is one question to the AAA side. It is immutable once asked.
type Request struct {
	Attempt string // names this login attempt in logs and records
	Session string // unique over all nodes and restarts, the same as in the session's records
	Name    string // exactly as the peer typed it
	Inner   string // of Authorize alone: the Decision.Inner of the login; "" = there was none
	Proof   Proof
	Backend string // the chain is asked from this back end on: who granted before, or whose Challenge this answers; "" = from its begin

	Peer            netip.AddrPort // the outer address the tunnel comes from
	TunnelName      string         // the peer's Host Name AVP
	Group           string         // the l2tp group that matched the tunnel; of a NAS: the RADIUS client
	VirtualTemplate string         // the virtual template of that group
	CallingNumber   string
	CalledNumber    string

	Local                       netip.Addr // our end of the tunnel; zero when unknown
	LocalName                   string     // our Host Name AVP
	LocalTunnel, RemoteTunnel   uint16
	LocalSession, RemoteSession uint16
	CallSerial                  uint32 // Call Serial Number AVP
	TxSpeed, RxSpeed            uint64 // (Tx) Connect Speed and Rx Connect Speed AVPs, bits per second; 0 = not said
	MTU                         int    // the MRU the link has agreed on towards the peer, octets; 0 = not known

	ForcedDomain  string // by l2tp group: this domain whatever the name says; "" = not forced
	DefaultDomain string // by l2tp group: for names without a domain; "" = the global default

	NAS              *NAS // which other NAS asks; nil: the session would be here
	AuthenticateOnly bool // that NAS wants to know who it is, and there will be no session (RFC 2865 section 5.6)
}

// Query is what a back end is asked: the request, the name taken apart and the domain that was chosen.
type Query struct {
	Request  *Request
	Identity Identity
	Domain   string // the domain's own name, aliases resolved
}
