package local

import (
	"net/netip"
	"slices"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
)

// Account is one user of the configuration file. A zero field from Address on leaves the domain's value.
type Account struct {
	Name       string // exactly as the user has to type it
	Credential secret.Credential
	Disabled   bool

	Address        netip.Addr // exactly this address, from no pool
	Pools          []string
	DNS            [2]netip.Addr
	NBNS           [2]netip.Addr
	SessionTimeout time.Duration
	IdleTimeout    time.Duration
	RateUp         uint64         // from the user, bits per second
	RateDown       uint64         // to the user, bits per second
	MaxSessions    int            // of this account
	MTU            int            // octets
	Routes         []netip.Prefix // networks behind the user
	IPv6           *aaa.IPv6      // nil: nothing of its own; most accounts have nothing
}

// grant is what the account overrides, in memory of its own.
func (a *Account) grant(reply string) aaa.Grant {
	var routes []aaa.Route
	for _, network := range a.Routes {
		routes = append(routes, aaa.Route{Prefix: network})
	}
	g := aaa.Grant{
		Account: a.Name, Address: a.Address, Pools: slices.Clone(a.Pools), DNS: a.DNS, NBNS: a.NBNS,
		SessionTimeout: a.SessionTimeout, IdleTimeout: a.IdleTimeout, MTU: a.MTU, Reply: reply,
		RateUp: a.RateUp, RateDown: a.RateDown, MaxSessions: a.MaxSessions, Routes: routes,
	}
	if a.IPv6 != nil {
		g.IPv6 = *a.IPv6
	}
	return g
}
