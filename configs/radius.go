package configs

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// RADIUS is a group of RADIUS servers that stand in for each other. Domains name it in authentication and accounting.
type RADIUS struct {
	Name               string         `mapstructure:"name"`
	Servers            []RADIUSServer `mapstructure:"servers"`
	UserName           NameForm       `mapstructure:"user_name"`
	NASIdentifier      string         `mapstructure:"nas_identifier"` // empty: the name of this node
	NASAddress         netip.Addr     `mapstructure:"nas_address"`    // invalid: ours on the way to the first server
	AccountingOnOff    bool           `mapstructure:"accounting_on_off"`
	LeastInterim       time.Duration  `mapstructure:"least_accounting_interval"`
	FirstRetry         time.Duration  `mapstructure:"first_retry"`
	LongestRetry       time.Duration  `mapstructure:"longest_retry"`
	Transmissions      int            `mapstructure:"transmissions"`
	FailoverAfter      time.Duration  `mapstructure:"failover_after"`
	StatusServer       bool           `mapstructure:"status_server"`
	StatusInterval     time.Duration  `mapstructure:"status_interval"`
	RequestsInFlight   int            `mapstructure:"requests_in_flight"`   // per server
	SocketsPerServer   int            `mapstructure:"sockets_per_server"`   // at most
	AccountingInFlight int            `mapstructure:"accounting_in_flight"` // sessions whose records are under way at once
}

// RADIUSServer is one server of a group.
type RADIUSServer struct {
	Address              string    `mapstructure:"address"` // name or address, without a port
	AuthenticationPort   int       `mapstructure:"authentication_port"`
	AccountingPort       int       `mapstructure:"accounting_port"`
	Secret               Secret    `mapstructure:"secret"` // resolved, wherever it came from
	SecretFile           string    `mapstructure:"secret_file"`
	Transport            Transport `mapstructure:"transport"`
	TLSPort              int       `mapstructure:"tls_port"`
	CAFile               string    `mapstructure:"ca_file"` // absolute after loading; empty: those of the system
	CertificateFile      string    `mapstructure:"certificate_file"`
	KeyFile              string    `mapstructure:"key_file"`
	ServerName           string    `mapstructure:"server_name"` // in the server's certificate; empty: Address
	MessageAuthenticator Demand    `mapstructure:"message_authenticator"`
	Priority             int       `mapstructure:"priority"` // the lowest that answers is asked
	Weight               int       `mapstructure:"weight"`   // among equal priorities
}

// Endpoint returns host and port for authentication, or for accounting.
func (s *RADIUSServer) Endpoint(accounting bool) string {
	port := s.AuthenticationPort
	switch {
	case s.Transport == TLS:
		port = s.TLSPort
	case accounting:
		port = s.AccountingPort
	}
	return net.JoinHostPort(s.Address, strconv.Itoa(port))
}

// DynamicAuthorization lets RADIUS servers end and change sessions (RFC 5176).
type DynamicAuthorization struct {
	Listen  []netip.AddrPort      `mapstructure:"listen"` // empty: nobody may
	Clients []AuthorizationClient `mapstructure:"clients"`
}

// AuthorizationClient is who may send such requests.
type AuthorizationClient struct {
	Source                      netip.Prefix `mapstructure:"source"`
	Secret                      Secret       `mapstructure:"secret"` // resolved
	SecretFile                  string       `mapstructure:"secret_file"`
	RequireMessageAuthenticator bool         `mapstructure:"require_message_authenticator"`
}

// NameForm says how a user is named to a RADIUS server.
type NameForm uint8

// The forms.
const (
	AsTyped NameForm = iota
	WithDomain
	WithoutDomain
)

// Transport is how a RADIUS server is reached.
type Transport uint8

// The transports.
const (
	UDPTransport Transport = iota
	TLS
)

// Demand says whether replies must carry a Message-Authenticator.
type Demand uint8

// The demands.
const (
	DemandAuto Demand = iota // from the first reply that carries one on
	Require
	NoDemand
)

var (
	nameFormNames  = []string{"as_typed", "with_domain", "without_domain"}
	transportNames = []string{"udp", "tls"}
	demandNames    = []string{"auto", "require", "off"}
)

func (v NameForm) String() string  { return nameOf(nameFormNames, v) }
func (v Transport) String() string { return nameOf(transportNames, v) }
func (v Demand) String() string    { return nameOf(demandNames, v) }

// UnmarshalText reads as_typed, with_domain or without_domain.
func (v *NameForm) UnmarshalText(b []byte) error { return readName(v, nameFormNames, b) }

// UnmarshalText reads udp or tls.
func (v *Transport) UnmarshalText(b []byte) error { return readName(v, transportNames, b) }

// UnmarshalText reads auto, require or off.
func (v *Demand) UnmarshalText(b []byte) error { return readName(v, demandNames, b) }

func defaultRADIUS() RADIUS {
	return RADIUS{
		AccountingOnOff:    true,
		LeastInterim:       time.Minute,
		FirstRetry:         2 * time.Second,
		LongestRetry:       16 * time.Second,
		Transmissions:      5,
		FailoverAfter:      10 * time.Second,
		StatusServer:       true,
		StatusInterval:     30 * time.Second,
		RequestsInFlight:   1024,
		SocketsPerServer:   4,
		AccountingInFlight: 64,
	}
}

func defaultRADIUSServer() RADIUSServer {
	return RADIUSServer{AuthenticationPort: 1812, AccountingPort: 1813, TLSPort: 2083, Priority: 1, Weight: 1}
}

// resolveRADIUS reads the secrets, and makes the paths of certificates absolute.
func (c *checker) resolveRADIUS(directory string) {
	for i := range c.cfg.RADIUS {
		for j := range c.cfg.RADIUS[i].Servers {
			s := &c.cfg.RADIUS[i].Servers[j]
			path := fmt.Sprintf("radius[%d].servers[%d]", i, j)
			c.resolve(&s.Secret, s.SecretFile, path+".secret", directory)
			for _, name := range []*string{&s.CAFile, &s.CertificateFile, &s.KeyFile} {
				if *name != "" && !filepath.IsAbs(*name) {
					*name = filepath.Join(directory, *name)
				}
			}
		}
	}
	for i := range c.cfg.DynamicAuthorization.Clients {
		client := &c.cfg.DynamicAuthorization.Clients[i]
		c.resolve(&client.Secret, client.SecretFile, fmt.Sprintf("dynamic_authorization.clients[%d].secret", i), directory)
	}
}

func (c *checker) checkRADIUS() {
	c.names("radius", c.radiusNames(), exact)
	for i, g := range c.cfg.RADIUS {
		path := fmt.Sprintf("radius[%d]", i)
		if slices.Contains(ownBackends, g.Name) {
			c.say(path+".name", "%q is the name of another back end; take another, such as radius", g.Name)
		}
		if len(g.Servers) == 0 {
			c.say(path+".servers", "there is no server; write [{address: 192.0.2.1, secret: ...}]")
		}
		for j, s := range g.Servers {
			c.checkRADIUSServer(fmt.Sprintf("%s.servers[%d]", path, j), s)
		}
		if len(g.NASIdentifier) > longestName {
			c.say(path+".nas_identifier", "it is longer than %d octets", longestName)
		}
		c.atLeast(path+".least_accounting_interval", g.LeastInterim, time.Second)
		c.atLeast(path+".first_retry", g.FirstRetry, 100*time.Millisecond)
		if g.LongestRetry < g.FirstRetry {
			c.say(path+".longest_retry", "%v is shorter than first_retry, %v", g.LongestRetry, g.FirstRetry)
		}
		c.between(path+".transmissions", g.Transmissions, 1, 20)
		c.atLeast(path+".failover_after", g.FailoverAfter, 100*time.Millisecond)
		c.atLeast(path+".status_interval", g.StatusInterval, time.Second)
		c.between(path+".requests_in_flight", g.RequestsInFlight, 1, 1<<16)
		c.between(path+".sockets_per_server", g.SocketsPerServer, 1, 64)
		c.between(path+".accounting_in_flight", g.AccountingInFlight, 1, 1<<16)
	}
	c.checkDynamicAuthorization()
}

func (c *checker) checkRADIUSServer(path string, s RADIUSServer) {
	switch {
	case s.Address == "":
		c.say(path+".address", "there is no address")
	case strings.ContainsFunc(s.Address, isBlank) || strings.ContainsAny(s.Address, "/[]@"):
		c.say(path+".address", "%q is neither a name nor an address; ports have keys of their own", s.Address)
	case strings.Contains(s.Address, ":"):
		if _, err := netip.ParseAddr(s.Address); err != nil {
			c.say(path+".address", "%q is neither a name nor an address; ports have keys of their own", s.Address)
		}
	}
	c.between(path+".authentication_port", s.AuthenticationPort, 1, 65535)
	c.between(path+".accounting_port", s.AccountingPort, 1, 65535)
	c.between(path+".tls_port", s.TLSPort, 1, 65535)
	c.between(path+".priority", s.Priority, 0, 1000)
	c.between(path+".weight", s.Weight, 1, 1000)
	if s.Transport == UDPTransport {
		if s.Secret.IsZero() && s.SecretFile == "" {
			c.say(path+".secret", "a secret is needed; add secret or secret_file")
		}
		for _, key := range []struct{ name, value string }{
			{"ca_file", s.CAFile}, {"certificate_file", s.CertificateFile}, {"key_file", s.KeyFile}, {"server_name", s.ServerName},
		} {
			if key.value != "" {
				c.say(path+"."+key.name, "it is for transport: tls")
			}
		}
		return
	}
	if (s.CertificateFile == "") != (s.KeyFile == "") {
		c.say(path+".certificate_file", "certificate_file and key_file belong together")
	}
}

func (c *checker) checkDynamicAuthorization() {
	d := &c.cfg.DynamicAuthorization
	for i, a := range d.Listen {
		if !a.IsValid() || slices.Contains(d.Listen[:i], a) {
			c.say(fmt.Sprintf("dynamic_authorization.listen[%d]", i), "%v is no address, or listed twice", a)
		}
	}
	switch {
	case len(d.Listen) > 0 && len(d.Clients) == 0:
		c.say("dynamic_authorization.clients", "nobody may send requests; write [{source: 192.0.2.1/32, secret: ...}]")
	case len(d.Listen) == 0 && len(d.Clients) > 0:
		c.say("dynamic_authorization.listen", "there is no address to listen on; write [0.0.0.0:3799]")
	}
	for i, client := range d.Clients {
		path := fmt.Sprintf("dynamic_authorization.clients[%d]", i)
		switch {
		case !client.Source.IsValid():
			c.say(path+".source", "there is no source; write 192.0.2.1/32 or a network")
		case client.Source != client.Source.Masked():
			c.say(path+".source", "%v has bits set behind the prefix; the network is %v", client.Source, client.Source.Masked())
		}
		if client.Secret.IsZero() && client.SecretFile == "" {
			c.say(path+".secret", "a secret is needed; add secret or secret_file")
		}
	}
}

// shortSecret is the length in octets up to which the specification wants a warning (RFC 2865 section 3 asks for 16).
const shortSecret = 15

func (c *checker) warnOfRADIUS() {
	weak := func(path string, s Secret) {
		if n := len(s.Reveal()); n > 0 && n <= shortSecret {
			c.advise(path, "%d octets can be guessed by whoever sees the traffic; take 32 random ones: openssl rand -hex 16", n)
		}
	}
	hashed := slices.ContainsFunc(c.cfg.VirtualTemplates, func(t VirtualTemplate) bool { return slices.Contains(t.PPPAuthentication, MSCHAPv2) })
	for i, g := range c.cfg.RADIUS {
		if g.UserName != AsTyped && hashed {
			c.advise(fmt.Sprintf("radius[%d].user_name", i), "with mschapv2 the name as typed is part of the proof, and a server that is told another name refuses it; write as_typed and let the server strip the domain, or offer no mschapv2")
		}
		for j, s := range g.Servers {
			path := fmt.Sprintf("radius[%d].servers[%d]", i, j)
			if s.Transport == UDPTransport {
				weak(path+".secret", s.Secret)
			}
			if s.MessageAuthenticator == NoDemand && s.Transport == UDPTransport {
				c.advise(path+".message_authenticator", "off lets whoever sits between forge replies (CVE-2024-3596); auto demands it as soon as the server signs")
			}
		}
	}
	for i, client := range c.cfg.DynamicAuthorization.Clients {
		weak(fmt.Sprintf("dynamic_authorization.clients[%d].secret", i), client.Secret)
	}
	for i, d := range c.cfg.Domains {
		asks := slices.ContainsFunc(d.Authentication, func(b string) bool { return slices.Contains(c.radiusNames(), b) })
		if asks && len(d.Accounting) == 0 && !c.cfg.Database.Given() {
			c.advise(fmt.Sprintf("domains[%d]", i), "a RADIUS server checks the people of %s, and nobody is told of their sessions; add accounting: [%s]", cmp.Or(d.Name, "this domain"), d.Authentication[0])
		}
	}
}

// ownBackends are the back ends that are no RADIUS group.
var ownBackends = []string{"local", "postgres"}

func (c *checker) radiusNames() []string {
	return namesOf(c.cfg.RADIUS, func(g RADIUS) string { return g.Name })
}

// checkBackends checks an authentication chain.
func (c *checker) checkBackends(path string, chain []string) {
	c.needDatabase(path, chain, "to ask")
	c.knownAll(path, "back end", chain, append(slices.Clone(ownBackends), c.radiusNames()...))
}

// checkAccounting checks where records go.
func (c *checker) checkAccounting(path string, sinks []string) {
	c.needDatabase(path, sinks, "for the records")
	c.knownAll(path, "place for records", sinks, append([]string{"postgres"}, c.radiusNames()...))
}

func (c *checker) needDatabase(path string, names []string, purpose string) {
	for i, name := range names {
		if name == "postgres" && !c.cfg.Database.Given() {
			c.say(fmt.Sprintf("%s[%d]", path, i), "there is no database %s; add database: {url_file: ...}", purpose)
		}
	}
}
