package radtest

import (
	"net/netip"
	"time"

	"lnsgate/lns/host/netns"
)

// DefaultSecret is shared with every client unless Options says otherwise.
const DefaultSecret = "testing123"

// Options is what a server is to be like. The zero value is a server that knows nobody.
type Options struct {
	Users     string           // in the form of the users file; "" = none
	Secret    string           // of clients at 127.0.0.0/8 and ::1; "" = DefaultSecret
	Clients   []Client         // more clients, or others for the same addresses
	Address   netip.Addr       // to listen on; zero = 127.0.0.1
	Namespace *netns.Namespace // where it runs; nil = where the test runs

	Database   string // address of a PostgreSQL database, as pgtest gives it: accounts and accounting; "" = none
	Pools      []Pool // addresses that sqlippool gives out; wants Database
	SkipLocked bool   // SKIP LOCKED in the queries of sqlippool; Debian ships them without

	RadSec      bool          // also listen for RADIUS over TLS; clients must show a certificate, see Server.TLS
	RejectDelay time.Duration // before an Access-Reject; at most 10 s. FreeRADIUS's own default is 1 s, this one's is 0
	MaxRequests int           // remembered at a time; 0 = as shipped, 16384
	Fragment    int           // most octets of one EAP-TLS fragment; 0 = as shipped, 1024
	Debug       bool          // log each step of each request; much slower, one request at a time

	Home Home // another server that answers instead of this one; zero = none

	Authorize string // unlang, at the end of the authorize section
	PostAuth  string // unlang, at the end of the post-auth section
	CoA       string // unlang of the recv-coa section; "" = requests to change or end sessions are not taken
}

// Client is a NAS that the server knows.
type Client struct {
	Network netip.Prefix
	Secret  string
	// Signed drops requests without a Message-Authenticator.
	Signed bool
}

// Home is a server to which each request is handed on. This one then knows nobody, and adds and takes away nothing.
type Home struct {
	Access, Records netip.AddrPort // IPv4
	Secret          string
}

// Pool is a pool of sqlippool. A user gets an address of it with the check item Pool-Name := "name".
type Pool struct {
	Name  string
	First netip.Addr // IPv4
	Size  int        // addresses, one after the other
}

func (o Options) withDefaults() Options {
	if o.Secret == "" {
		o.Secret = DefaultSecret
	}
	if !o.Address.IsValid() {
		o.Address = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if o.MaxRequests == 0 {
		o.MaxRequests = 16384
	}
	if o.Fragment == 0 {
		o.Fragment = 1024
	}
	return o
}

// clients is every client, the more exact ones first, as FreeRADIUS wants no particular order but two of one network are
// a fault: a later one replaces an earlier.
func (o Options) clients() []Client {
	all := []Client{
		{Network: netip.MustParsePrefix("127.0.0.0/8"), Secret: o.Secret},
		{Network: netip.MustParsePrefix("::1/128"), Secret: o.Secret},
	}
next:
	for _, c := range o.Clients {
		for i := range all {
			if all[i].Network == c.Network {
				all[i] = c
				continue next
			}
		}
		all = append(all, c)
	}
	return all
}
