package aaa

import (
	"net/netip"
	"time"
)

// Domain is a department: how its people are checked and what they get.
type Domain struct {
	Name            string
	Aliases         []string // other names peers may type for it
	Chain           []string // back ends by name, in order
	ContinueOnError bool     // a back end that cannot be asked is passed over instead of ending the chain
	Methods         []Method // what this domain accepts; empty = any
	VirtualTemplate string   // "" = that of the l2tp group
	Blocked         bool     // nobody of it may log in

	Pools          []string // in order, the next when one is exhausted
	DNS            [2]netip.Addr
	NBNS           [2]netip.Addr
	SessionTimeout time.Duration // 0 = no limit
	IdleTimeout    time.Duration // 0 = no limit
	MTU            int           // octets; 0 = as negotiated
	RateUp         uint64        // bits per second from each peer; 0 = no limit
	RateDown       uint64        // bits per second to each peer; 0 = no limit

	MaxSessions     int           // of the whole domain, over all nodes; 0 = no limit
	AccountSessions int           // of each account; 0 = no limit
	SessionPolicy   SessionPolicy // for a login over one of these limits
	Interim         time.Duration // between two interim accounting records; 0 = none
	Accounting      []string      // where its records go, by name; empty: where the server's records go
	Filter          string        // the filter of its sessions' traffic, by name; "" = none

	IPv6Pools      []string     // of prefixes for the links of its sessions, in order
	DelegatedPools []string     // of prefixes for the networks behind its peers, in order
	IPv6DNS        []netip.Addr // name servers that peers are told over IPv6

	ClientRoutes []netip.Prefix // told to its peers: networks that are reached through the session
	DNSSuffix    string         // told to its peers; "" = none
}

// Config is what a Gateway is made of.
type Config struct {
	Domains       []Domain
	DefaultDomain string // for names without a domain; "" = such names are rejected unless the l2tp group has a default
	Backends      []Backend

	// Possible tells what is wrong with a decision that this server cannot honour, such as a pool or filter that does not
	// exist; the login is then rejected as Misconfigured, with the Reason and Detail of the error if it is a *Rejection. nil:
	// everything is possible.
	Possible func(*Decision) error
}
