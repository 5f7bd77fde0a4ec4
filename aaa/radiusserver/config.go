package radiusserver

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/dialect"
)

// Policy says whether Access-Requests of a client must carry a Message-Authenticator. One that is there must be right in any
// case, and EAP and Status-Server never go without (RFC 3579 section 3.2, RFC 5997 section 3).
type Policy int

// The policies.
const (
	// Auto demands it of a source from the first Access-Request on that had one and was not EAP. A source that can sign does not
	// forget how: what comes without is then forged (CVE-2024-3596).
	Auto Policy = iota
	Require
	Off
)

var policyNames = [...]string{"auto", "require", "off"}

// String names the policy as the configuration does.
func (p Policy) String() string {
	if p >= 0 && int(p) < len(policyNames) {
		return policyNames[p]
	}
	return fmt.Sprintf("policy %d", int(p))
}

// Client is a NAS, or a proxy, or a network of them, that may ask.
type Client struct {
	Name                 string            // in logs and records; unique
	Source               netip.Prefix      // the longest that fits a source counts
	Secret               aaa.Secret        // for UDP; none = it may not use UDP
	Equipment            dialect.Equipment // in whose words it is answered
	MessageAuthenticator Policy
	// UnsignedProxies takes Access-Requests that went through a proxy (they have a Proxy-State) without a Message-Authenticator.
	// That is how CVE-2024-3596 forges answers, so only a proxy that cannot sign should have it.
	UnsignedProxies bool

	TLS              bool       // it may connect by TLS; of what is above, Source and Equipment count there
	TLSSecret        aaa.Secret // zero = "radsec" (RFC 6614 section 2.3)
	CertificateNames []string   // of which its certificate must have one, as subject or alternative name; none = any certificate will do

	ForcedDomain  string // as in aaa.Request
	DefaultDomain string // as in aaa.Request
}

// Config is what a Server is made of. Zero values take the defaults that are named.
type Config struct {
	Listen     []netip.AddrPort // UDP, for authentication; RFC 2865 has port 1812
	Accounting []netip.AddrPort // UDP, for records; RFC 2866 has port 1813
	TLS        []netip.AddrPort // TCP, for both (RFC 6614); it has port 2083
	// TLSConfig has the certificate of the server, and in ClientCAs who signs those of clients: each must have one. The version is
	// at least 1.2.
	TLSConfig *tls.Config
	TLSLimits TLSLimits
	Clients   []Client

	AAA aaa.Authenticator
	// EAP answers the requests that are EAP, each with one packet of the peer: with a decision, a *aaa.Rejection or a
	// *aaa.Challenge, as aaa.Authenticator has it. nil: AAA does.
	EAP      aaa.Authenticator
	Records  Accounter      // nil: there are no records, and Accounting must be empty
	Attempts aaa.AttemptLog // nil: none is kept

	RejectDelay time.Duration // from the request to a no, 10 % more or less of it at random added; 0 = 1 s, < 0 = none
	Timeout     time.Duration // for an answer of AAA or Records; 0 = 10 s
	Remember    time.Duration // how long an answer is kept for a request that comes again; 0 = 10 s, else 5 to 30 s (RFC 5080 section 2.2.2)
	AtOnce      int           // requests that are being answered at the same time, of either kind, three quarters of them of one client; 0 = 4096
	Answers     int           // kept at most, those of the client that has most give way first; 0 = 65536
	StateFile   string        // where it stands who signs (see Auto); "" = forgotten at the end
	Log         *slog.Logger
}

// TLSLimits are what connections may cost. Zero values take the defaults that are named.
type TLSLimits struct {
	Connections int           // open at the same time; 0 = 1024
	PerSource   int           // likewise, from one address; 0 = 64
	Handshake   time.Duration // that it may take; 0 = 10 s
	Packet      time.Duration // from the first octet of a packet to its last, and until a reply is taken; 0 = 10 s
	Idle        time.Duration // without a packet, until a connection is closed; clients ask by Status-Server more often; 0 = 10 min
}

const (
	leastRemember = 5 * time.Second
	mostRemember  = 30 * time.Second
)

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.EAP == nil {
		c.EAP = c.AAA
	}
	for _, n := range []struct {
		value    *int
		standard int
	}{{&c.AtOnce, 4096}, {&c.Answers, 1 << 16}, {&c.TLSLimits.Connections, 1024}, {&c.TLSLimits.PerSource, 64}} {
		if *n.value <= 0 {
			*n.value = n.standard
		}
	}
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{{&c.RejectDelay, time.Second}, {&c.Timeout, 10 * time.Second}, {&c.Remember, 10 * time.Second},
		{&c.TLSLimits.Handshake, 10 * time.Second}, {&c.TLSLimits.Packet, 10 * time.Second}, {&c.TLSLimits.Idle, 10 * time.Minute}} {
		if *d.value == 0 {
			*d.value = d.standard
		}
	}
	c.Remember = min(max(c.Remember, leastRemember), mostRemember)
	return c
}

// validate tells every fault at once.
func (c *Config) validate() error {
	var faults []error
	if c.AAA == nil {
		faults = append(faults, errors.New("there is nobody to ask about users"))
	}
	if len(c.Listen)+len(c.Accounting)+len(c.TLS) == 0 {
		faults = append(faults, errors.New("there is no address to listen on"))
	}
	if len(c.Accounting) > 0 && c.Records == nil {
		faults = append(faults, errors.New("it listens for records, and nobody takes them"))
	}
	if len(c.TLS) > 0 {
		faults = append(faults, validateTLS(c.TLSConfig))
	}
	return errors.Join(append(faults, validateClients(c.Clients))...)
}

func validateClients(clients []Client) error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	names, sources := map[string]bool{}, map[netip.Prefix]string{}
	for _, c := range clients {
		switch other := sources[c.Source.Masked()]; {
		case c.Name == "":
			fault("the client at %s has no name", c.Source)
		case names[c.Name]:
			fault("there are two clients named %q", c.Name)
		case !c.Source.IsValid():
			fault("client %q has no source", c.Name)
		case other != "":
			fault("clients %q and %q have the same source %s", other, c.Name, c.Source.Masked())
		case c.Secret.IsZero() && !c.TLS:
			fault("client %q has no secret", c.Name)
		}
		names[c.Name], sources[c.Source.Masked()] = true, c.Name
	}
	return errors.Join(faults...)
}
