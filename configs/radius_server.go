package configs

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// RADIUSService answers NASes of others as a RADIUS server. Zero, when the file has no radius_server: nobody is answered.
type RADIUSService struct {
	Listen           []netip.AddrPort `mapstructure:"listen"`            // for authentication
	AccountingListen []netip.AddrPort `mapstructure:"accounting_listen"` // for records
	TLS              RADIUSTLS        `mapstructure:"tls"`
	RejectDelay      time.Duration    `mapstructure:"reject_delay"` // 0: none
	// MaxClientSessions is how many sessions each client may have.
	MaxClientSessions int            `mapstructure:"max_client_sessions"`
	Clients           []RADIUSClient `mapstructure:"clients"` // with a database those of the table nas too
}

// Given reports whether NASes are answered.
func (s *RADIUSService) Given() bool {
	return len(s.Listen)+len(s.AccountingListen)+len(s.TLS.Listen) > 0
}

// RADIUSTLS is RADIUS over TLS (RadSec), records and all.
type RADIUSTLS struct {
	Listen          []netip.AddrPort `mapstructure:"listen"` // empty: not offered
	CertificateFile string           `mapstructure:"certificate_file"`
	KeyFile         string           `mapstructure:"key_file"`
	ClientCAFile    string           `mapstructure:"client_ca_file"` // who signs the certificates of clients
}

// RADIUSClient is a NAS, or a network of NASes, that may ask.
type RADIUSClient struct {
	Name                     string       `mapstructure:"name"`
	Source                   netip.Prefix `mapstructure:"source"` // the longest that fits counts
	Secret                   Secret       `mapstructure:"secret"` // resolved
	SecretFile               string       `mapstructure:"secret_file"`
	CertificateNames         []string     `mapstructure:"certificate_names"` // over TLS: one of them must be in the certificate; empty: any
	Type                     NASType      `mapstructure:"type"`
	MessageAuthenticator     Demand       `mapstructure:"message_authenticator"`
	UnsignedProxies          bool         `mapstructure:"unsigned_proxies"`
	Addresses                Addresses    `mapstructure:"addresses"`
	Domain                   string       `mapstructure:"domain"`         // forced on every user of the NAS
	DefaultDomain            string       `mapstructure:"default_domain"` // for names typed without a domain
	DynamicAuthorizationPort int          `mapstructure:"dynamic_authorization_port"`
}

// EAPServer is how lnsgate checks people by EAP itself, where no RADIUS server does.
type EAPServer struct {
	Methods         []EAPMethod `mapstructure:"methods"`          // offered in this order; empty: all that are possible
	CertificateFile string      `mapstructure:"certificate_file"` // empty: one of its own making, under the state directory
	KeyFile         string      `mapstructure:"key_file"`
	ServerNames     []string    `mapstructure:"server_names"`   // in the certificate of its own making; empty: the name of this node
	ClientCAFile    string      `mapstructure:"client_ca_file"` // who signs the certificates of people; empty: no EAP-TLS
}

// NASType is what kind of equipment a NAS is: in whose words it is told what a user gets.
type NASType uint8

// The types.
const (
	StandardNAS NASType = iota
	MikrotikNAS
	CiscoNAS
	HuaweiNAS
	WISPrNAS
	AccelNAS
)

// Addresses says who gives the users of a NAS their addresses.
type Addresses uint8

// The ways.
const (
	GivenAddresses Addresses = iota // lnsgate, from its pools
	NamedAddresses                  // the NAS, from its pool of the name that it is told
	NoAddresses                     // nobody by RADIUS, as with Wi-Fi
)

// EAPMethod is a way to prove who one is in EAP.
type EAPMethod uint8

// The methods.
const (
	EAPTLS EAPMethod = iota
	EAPPEAP
	EAPTTLS
	EAPMSCHAPv2
	EAPMD5
)

var (
	nasTypeNames   = []string{"standard", "mikrotik", "cisco", "huawei", "wispr", "accel"}
	addressesNames = []string{"given", "named", "none"}
	eapMethodNames = []string{"tls", "peap", "ttls", "mschapv2", "md5"}
)

func (v NASType) String() string   { return nameOf(nasTypeNames, v) }
func (v Addresses) String() string { return nameOf(addressesNames, v) }
func (v EAPMethod) String() string { return nameOf(eapMethodNames, v) }

// UnmarshalText reads standard, mikrotik, cisco, huawei, wispr or accel.
func (v *NASType) UnmarshalText(b []byte) error { return readName(v, nasTypeNames, b) }

// UnmarshalText reads given, named or none.
func (v *Addresses) UnmarshalText(b []byte) error { return readName(v, addressesNames, b) }

// UnmarshalText reads tls, peap, ttls, mschapv2 or md5.
func (v *EAPMethod) UnmarshalText(b []byte) error { return readName(v, eapMethodNames, b) }

func defaultRADIUSService() RADIUSService {
	on := func(port uint16) []netip.AddrPort {
		return []netip.AddrPort{netip.AddrPortFrom(netip.IPv4Unspecified(), port), netip.AddrPortFrom(netip.IPv6Unspecified(), port)}
	}
	return RADIUSService{Listen: on(1812), AccountingListen: on(1813), RejectDelay: time.Second, MaxClientSessions: 200_000}
}

func defaultRADIUSClient() RADIUSClient { return RADIUSClient{DynamicAuthorizationPort: 3799} }

// resolveRADIUSService reads the secrets, and makes the paths of certificates absolute.
func (c *checker) resolveRADIUSService(directory string) {
	s := &c.cfg.RADIUSService
	for i := range s.Clients {
		client := &s.Clients[i]
		c.resolve(&client.Secret, client.SecretFile, fmt.Sprintf("radius_server.clients[%d].secret", i), directory)
	}
	for _, name := range []*string{
		&s.TLS.CertificateFile, &s.TLS.KeyFile, &s.TLS.ClientCAFile,
		&c.cfg.EAP.CertificateFile, &c.cfg.EAP.KeyFile, &c.cfg.EAP.ClientCAFile,
	} {
		if *name != "" && !filepath.IsAbs(*name) {
			*name = filepath.Join(directory, *name)
		}
	}
}

func (c *checker) checkRADIUSService() {
	s := &c.cfg.RADIUSService
	var seen []netip.AddrPort
	for _, l := range []struct {
		key  string
		list []netip.AddrPort
	}{{"listen", s.Listen}, {"accounting_listen", s.AccountingListen}} {
		for i, a := range l.list {
			if !a.IsValid() || a.Port() != 0 && slices.Contains(seen, a) {
				c.say(fmt.Sprintf("radius_server.%s[%d]", l.key, i), "%v is no address, or listed twice", a)
			}
			seen = append(seen, a)
		}
	}
	c.checkRADIUSTLS()
	if s.Given() {
		c.between("radius_server.max_client_sessions", s.MaxClientSessions, 1, 1<<24)
	}
	if s.RejectDelay > 10*time.Second {
		c.say("radius_server.reject_delay", "%v is too long: NASes would ask another server meanwhile; at most 10s", s.RejectDelay)
	}
	if s.Given() && len(s.Clients) == 0 && !c.cfg.Database.Given() {
		c.say("radius_server.clients", "no NAS may ask; write [{name: router1, source: 192.0.2.7/32, secret: ...}]")
	}
	if len(s.Clients) > 0 && !s.Given() {
		c.say("radius_server.listen", "there is no address to listen on; write [0.0.0.0:1812]")
	}
	c.names("radius_server.clients", namesOf(s.Clients, func(n RADIUSClient) string { return n.Name }), exact)
	for i := range s.Clients {
		c.checkRADIUSClient(i)
	}
	c.checkEAP()
}

func (c *checker) checkRADIUSTLS() {
	t := &c.cfg.RADIUSService.TLS
	if len(t.Listen) == 0 {
		if t.CertificateFile+t.KeyFile+t.ClientCAFile != "" {
			c.say("radius_server.tls.listen", "there is no address to listen on; write [0.0.0.0:2083]")
		}
		return
	}
	for i, a := range t.Listen {
		if !a.IsValid() || slices.Contains(t.Listen[:i], a) {
			c.say(fmt.Sprintf("radius_server.tls.listen[%d]", i), "%v is no address, or listed twice", a)
		}
	}
	for _, need := range []struct{ key, value, what string }{
		{"certificate_file", t.CertificateFile, "our certificate"},
		{"key_file", t.KeyFile, "the key of our certificate"},
		{"client_ca_file", t.ClientCAFile, "the certificate of who signs those of the NASes"},
	} {
		if need.value == "" {
			c.say("radius_server.tls."+need.key, "a file with %s is needed", need.what)
		}
	}
}

func (c *checker) checkRADIUSClient(i int) {
	path, n, all := fmt.Sprintf("radius_server.clients[%d]", i), c.cfg.RADIUSService.Clients[i], c.cfg.RADIUSService.Clients
	switch {
	case !n.Source.IsValid():
		c.say(path+".source", "there is no source; write 192.0.2.7/32, or a network")
	case n.Source != n.Source.Masked():
		c.say(path+".source", "%v has bits set behind the prefix; the network is %v", n.Source, n.Source.Masked())
	case slices.ContainsFunc(all[:i], func(o RADIUSClient) bool { return o.Source == n.Source }):
		c.say(path+".source", "another client has %v already", n.Source)
	}
	if strings.Contains(n.Name, "/") {
		c.say(path+".name", "%q: a slash stands between the client and the NAS in records; take another character", n.Name)
	}
	if n.Secret.IsZero() && n.SecretFile == "" && len(c.cfg.RADIUSService.Listen)+len(c.cfg.RADIUSService.AccountingListen) > 0 {
		c.say(path+".secret", "a secret is needed; add secret or secret_file")
	}
	c.between(path+".dynamic_authorization_port", n.DynamicAuthorizationPort, 0, 65535)
	for _, domain := range []struct{ key, name string }{{"domain", n.Domain}, {"default_domain", n.DefaultDomain}} {
		if domain.name != "" {
			c.domain(path+"."+domain.key, domain.name)
		}
	}
}

func (c *checker) checkEAP() {
	e := &c.cfg.EAP
	if (e.CertificateFile == "") != (e.KeyFile == "") {
		c.say("eap.certificate_file", "certificate_file and key_file belong together")
	}
	for i, m := range e.Methods {
		if slices.Contains(e.Methods[:i], m) {
			c.say(fmt.Sprintf("eap.methods[%d]", i), "%v is listed twice", m)
		}
	}
	if e.ClientCAFile == "" && slices.Contains(e.Methods, EAPTLS) {
		c.say("eap.client_ca_file", "tls needs a file with the certificate of who signs those of the people")
	}
}

func (c *checker) warnOfRADIUSService() {
	s := &c.cfg.RADIUSService
	for i, n := range s.Clients {
		path := fmt.Sprintf("radius_server.clients[%d]", i)
		if size := len(n.Secret.Reveal()); size > 0 && size <= shortSecret {
			c.advise(path+".secret", "%d octets can be guessed by whoever sees the traffic; take 32 random ones: openssl rand -hex 16", size)
		}
		if n.MessageAuthenticator == NoDemand {
			c.advise(path+".message_authenticator", "off lets whoever sits between forge requests and answers (CVE-2024-3596); auto demands it as soon as the NAS signs")
		}
		if n.UnsignedProxies {
			c.advise(path+".unsigned_proxies", "requests through a proxy that are not signed can be forged (CVE-2024-3596); have the proxy sign")
		}
	}
	for i, d := range c.cfg.Domains {
		if s.Given() && c.cfg.Database.Given() && len(d.Accounting) > 0 && !slices.Contains(d.Accounting, "postgres") {
			c.advise(fmt.Sprintf("domains[%d].accounting", i), "sessions that people of %s have on other NASes are known from their records: without postgres here they are not shown, and changes do not reach them", d.Name)
		}
	}
	if s.Given() && !c.cfg.Database.Given() && (c.cfg.SpoolDir == "" && strings.HasPrefix(c.cfg.StateDir, "/run/")) {
		c.advise("spool_dir", "who has which address on other NASes is kept in %s, which is empty after the machine starts anew: addresses in use could be given twice; write spool_dir: /var/lib/lnsgate", c.cfg.StateDir)
	}
}
