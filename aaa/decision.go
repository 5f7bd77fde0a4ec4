package aaa

import (
	"net/netip"
	"time"
)

// Grant is a back end's yes: the account that matched and what it overrides. A zero field leaves the domain's value.
type Grant struct {
	Account        string        // as stored; "" = the name as typed
	Address        netip.Addr    // exactly this address, from no pool
	Pools          []string      // in order
	DNS            [2]netip.Addr // taken as a pair: one set address replaces both of the domain's
	NBNS           [2]netip.Addr // likewise
	SessionTimeout time.Duration
	IdleTimeout    time.Duration
	MTU            int    // octets
	RateUp         uint64 // from the peer, bits per second
	RateDown       uint64 // to the peer, bits per second
	MaxSessions    int    // of this account, over all nodes
	Reply          string // to the peer: for MS-CHAPv2 the authenticator response "S=<40 HEX>", with or without a text behind it
	Message        string // to the peer: a text to be shown with the yes, where the method has room for one

	Interim       time.Duration // between two interim accounting records
	Filter        string        // of the session's traffic, by name
	Routes        []Route       // networks behind the peer
	AddressByPeer bool          // the peer may ask for an address of its choice, one of the pools; one that asks for none gets any of them
	UserName      string        // what a RADIUS server calls the user in its records
	Class         [][]byte      // a RADIUS server's own marks for the records, all and in order
	CUI           []byte        // its Chargeable-User-Identity
	Packet        []byte        // EAP: the Success for the peer
	Keys          Keys
	IPv6          IPv6
}

// Keys are what the peer and its password make at login and nobody else knows, for whoever encrypts the link. Which are set
// depends on the method; PAP and CHAP make none. Send and Receive are as the NAS sees it.
type Keys struct {
	Send, Receive Secret // MS-CHAPv2: 16 octets each (RFC 3079 section 3.4); EAP: the halves of its MSK, Receive the first
	NT            Secret // MS-CHAPv1: 16 octets, the hash of the NT hash (RFC 3079 section 2.4)

	// What a RADIUS server that granted wants of MPPE (RFC 2548 section 2.4.4 and 2.4.5).
	Required bool // the link must be encrypted
	Strong   bool // with 128 bits and no less
}

// Route is a network behind the peer.
type Route struct {
	Prefix  netip.Prefix
	Metric  int        // 0 = none said
	Gateway netip.Addr // zero: the peer; else the NAS's own address: what the peer should send there goes through the NAS
	Implied bool       // follows from the netmask beside an address; left out, and no reason to refuse the login, where it cannot be
}

// IPv6 is what an account gets for IPv6. A prefix of its own, or a pool, takes the place of the domain's pools for the same
// purpose. It counts where the virtual template speaks IPv6.
type IPv6 struct {
	InterfaceID   uint64         // 0 = ours to choose
	Prefixes      []netip.Prefix // of the link
	Delegated     []netip.Prefix // for the networks behind the peer
	Address       netip.Addr     // by DHCPv6
	Pool          string         // of link prefixes
	DelegatedPool string
	AddressPool   string // of DHCPv6 addresses
	DNS           []netip.Addr
	Routes        []Route        // networks behind the peer
	Advertised    []netip.Prefix // networks that the peer is told to reach through us, beside all others
}

// Challenge is the answer of a back end that wants to hear more of the peer before it decides (RFC 3579 section 2.1). It is an
// error, so that whoever does not know of it denies.
type Challenge struct {
	Packet  []byte        // the EAP Request for the peer
	State   []byte        // goes unread into the Proof of the answer
	Backend string        // goes into the Request of the answer; set by the gateway
	Timeout time.Duration // what the peer has for its answer; 0 = as usual
}

// Error says that the login is not over.
func (c *Challenge) Error() string { return "the peer has to answer a challenge first" }

// Decision is the answer to a Request that was granted: domain and account merged, the account's word first.
type Decision struct {
	Account         string
	Domain          string
	Address         netip.Addr // set: exactly this address; the pools are then not used for IPv4
	Pools           []string   // in order, the next when one is exhausted
	DNS             [2]netip.Addr
	NBNS            [2]netip.Addr
	SessionTimeout  time.Duration // 0 = no limit
	IdleTimeout     time.Duration // 0 = no limit
	MTU             int           // octets; 0 = as negotiated
	RateUp          uint64        // from the peer, bits per second; 0 = no limit
	RateDown        uint64        // to the peer, bits per second; 0 = no limit
	MaxSessions     int           // of this account; 0 = no limit
	DomainSessions  int           // of the whole domain; 0 = no limit
	SessionPolicy   SessionPolicy // for a login over one of these limits
	Interim         time.Duration // between two interim accounting records; 0 = none
	VirtualTemplate string        // the domain's, else the request's
	Reply           string        // to the peer: MS-CHAPv2 "S=..."
	Message         string        // to the peer: a text to be shown with the yes
	Backend         string        // which back end said yes
	Rule            string        // in words: which rule chose the domain

	Accounting    []string       // where the records go, by name; empty: where the server's records go
	Filter        string         // of the session's traffic, by name; "" = none
	Routes        []Route        // networks behind the peer
	ClientRoutes  []netip.Prefix // told to the peer: reached through the session
	DNSSuffix     string         // told to the peer; "" = none
	AddressByPeer bool           // as in Grant
	UserName      string         // what a RADIUS server calls the user in its records
	Inner         string         // EAP: the name that was proven inside of it, where that is not the request's; goes into the Request of Authorize
	Class         [][]byte       // a RADIUS server's own marks for the records
	CUI           []byte
	Packet        []byte // EAP: the Success for the peer
	Keys          Keys   // for whoever encrypts the link
	IPv6          IPv6   // DNS is that of the domain where the account has none

	IPv6Pools      []string // of link prefixes, in order; not used when there are IPv6.Prefixes
	DelegatedPools []string // of prefixes for the networks behind the peer; not used when there are IPv6.Delegated

	Lent RecordIPv6 // of IPv6.Prefixes and IPv6.Delegated those that a session on another NAS was lent out of the pools
}

// merge puts the account's word over the domain's.
func merge(q *Query, d *Domain, backend, rule string, g Grant) Decision {
	return Decision{
		Account:         first(g.Account, q.Identity.Raw),
		Domain:          d.Name,
		Address:         g.Address,
		Pools:           append([]string(nil), firstList(g.Pools, d.Pools)...),
		DNS:             firstPair(g.DNS, d.DNS),
		NBNS:            firstPair(g.NBNS, d.NBNS),
		SessionTimeout:  first(g.SessionTimeout, d.SessionTimeout),
		IdleTimeout:     first(g.IdleTimeout, d.IdleTimeout),
		MTU:             first(g.MTU, d.MTU),
		RateUp:          first(g.RateUp, d.RateUp),
		RateDown:        first(g.RateDown, d.RateDown),
		MaxSessions:     first(g.MaxSessions, d.AccountSessions),
		DomainSessions:  d.MaxSessions,
		SessionPolicy:   d.SessionPolicy,
		Interim:         first(g.Interim, d.Interim),
		VirtualTemplate: first(d.VirtualTemplate, q.Request.VirtualTemplate),
		Reply:           g.Reply,
		Message:         g.Message,
		Backend:         backend,
		Rule:            rule,
		Accounting:      d.Accounting,
		Filter:          first(g.Filter, d.Filter),
		Routes:          g.Routes,
		ClientRoutes:    d.ClientRoutes,
		DNSSuffix:       d.DNSSuffix,
		AddressByPeer:   g.AddressByPeer,
		UserName:        g.UserName,
		Class:           g.Class,
		CUI:             g.CUI,
		Packet:          g.Packet,
		Keys:            g.Keys,
		IPv6:            mergeIPv6(g.IPv6, d),
		IPv6Pools:       append([]string(nil), firstList(named(g.IPv6.Pool), d.IPv6Pools)...),
		DelegatedPools:  append([]string(nil), firstList(named(g.IPv6.DelegatedPool), d.DelegatedPools)...),
	}
}

// mergeIPv6 fills in the domain's name servers.
func mergeIPv6(g IPv6, d *Domain) IPv6 {
	g.DNS = firstList(g.DNS, d.IPv6DNS)
	return g
}

// named is a list of the one name, if there is one.
func named(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}

// first returns a unless it is the zero value.
func first[T comparable](a, b T) T {
	var zero T
	if a != zero {
		return a
	}
	return b
}

func firstList[T any](a, b []T) []T {
	if len(a) > 0 {
		return a
	}
	return b
}

// firstPair takes the servers as a pair: a department's second DNS server behind an account's first would be a surprise.
func firstPair(a, b [2]netip.Addr) [2]netip.Addr {
	if a[0].IsValid() || a[1].IsValid() {
		return a
	}
	return b
}
