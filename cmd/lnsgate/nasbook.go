package main

import (
	"crypto/tls"
	"slices"
	"sync/atomic"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
	sqlaccounts "lnsgate/aaa/postgres"
	"lnsgate/aaa/radius/dialect"
	"lnsgate/aaa/radius/order"
	"lnsgate/aaa/radiusserver"
	"lnsgate/configs"
)

// nas is what is known of one client of the RADIUS server: how it is answered, how it is told, and what its users get.
type nas struct {
	answered  radiusserver.Client
	port      int // where it is told something; 0: nowhere
	addresses foreign.Addresses
	most      int // sessions
}

// nases are all of them, those of the file first.
type nases []nas

func (l nases) answered() []radiusserver.Client {
	var all []radiusserver.Client
	for i := range l {
		all = append(all, l[i].answered)
	}
	return all
}

// nasBook holds those that are in force. It is safe for concurrent use.
type nasBook struct {
	now atomic.Pointer[map[string]nas]
}

func (b *nasBook) fill(list nases) {
	byName := make(map[string]nas, len(list))
	for _, n := range list {
		byName[n.answered.Name] = n
	}
	b.now.Store(&byName)
}

func (b *nasBook) count() int { return len(*b.now.Load()) }

func (b *nasBook) answered() []radiusserver.Client {
	var all nases
	for _, n := range *b.now.Load() {
		all = append(all, n)
	}
	return all.answered()
}

// told finds a NAS for whoever tells it something.
func (b *nasBook) told(client string) (order.NAS, bool) {
	n, found := (*b.now.Load())[client]
	c := &n.answered
	told := order.NAS{Name: c.Name, Secret: c.Secret, Equipment: c.Equipment, Port: n.port, Within: c.Source}
	if c.Source.IsSingleIP() { // a proxy, it may be: what is behind it has other secrets
		told.Address = c.Source.Addr()
	}
	return told, found
}

// foreign finds a NAS for whoever keeps its sessions.
func (b *nasBook) foreign(client string) (foreign.Client, bool) {
	n, found := (*b.now.Load())[client]
	return foreign.Client{Addresses: n.addresses, ForcedDomain: n.answered.ForcedDomain, DefaultDomain: n.answered.DefaultDomain, MostSessions: n.most}, found
}

// nasClients are the NASes of the file, and of the database those that the file has none like.
func (n *node) nasClients(c *configs.Config) nases {
	var all nases
	overTLS := len(c.RADIUSService.TLS.Listen) > 0
	for i := range c.RADIUSService.Clients {
		all = append(all, nasOfFile(&c.RADIUSService.Clients[i], overTLS))
	}
	for _, row := range n.sharedNASes() {
		next := nasOfDatabase(&row, overTLS)
		if slices.ContainsFunc(all, next.like) {
			n.log.Warn("the file defines a RADIUS client of this name or source too, and the file counts", "nas", row.Name, "source", row.Source)
			continue
		}
		all = append(all, next)
	}
	for i := range all {
		all[i].most = c.RADIUSService.MaxClientSessions
	}
	return all
}

// like says whether two cannot be told apart, by name or by source.
func (n *nas) like(other nas) bool {
	return n.answered.Name == other.answered.Name || n.answered.Source == other.answered.Source
}

func (n *node) sharedNASes() []sqlaccounts.NAS {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.shared.nases
}

func nasOfFile(c *configs.RADIUSClient, overTLS bool) nas {
	return nas{
		answered: radiusserver.Client{
			Name: c.Name, Source: c.Source, Secret: aaa.NewSecret(c.Secret.Reveal()),
			TLS: overTLS, CertificateNames: c.CertificateNames,
			Equipment: dialect.Equipment(c.Type), MessageAuthenticator: radiusserver.Policy(c.MessageAuthenticator),
			UnsignedProxies: c.UnsignedProxies, ForcedDomain: c.Domain, DefaultDomain: c.DefaultDomain,
		},
		port: c.DynamicAuthorizationPort, addresses: foreign.Addresses(c.Addresses),
	}
}

// nasOfDatabase reads the words of the database, which are those of the file: a test holds the two against each other.
func nasOfDatabase(row *sqlaccounts.NAS, overTLS bool) nas {
	c := configs.RADIUSClient{
		Name: row.Name, Source: row.Source, Secret: configs.NewSecret(row.Secret.Reveal()), CertificateNames: row.CertificateNames,
		UnsignedProxies: row.UnsignedProxies, Domain: row.Domain, DefaultDomain: row.DefaultDomain,
		DynamicAuthorizationPort: int(row.DynamicAuthorizationPort),
	}
	for _, word := range []struct {
		text string
		into interface{ UnmarshalText([]byte) error }
	}{{row.Type, &c.Type}, {row.MessageAuthenticator, &c.MessageAuthenticator}, {row.Addresses, &c.Addresses}} {
		_ = word.into.UnmarshalText([]byte(word.text)) // the database has checked it; else the careful default stays
	}
	return nasOfFile(&c, overTLS)
}

// radiusServerTLS reads the certificates for RADIUS over TLS; nil without it.
func radiusServerTLS(c *configs.Config) (*tls.Config, error) {
	t := &c.RADIUSService.TLS
	if len(t.Listen) == 0 {
		return nil, nil
	}
	own, err := tls.LoadX509KeyPair(t.CertificateFile, t.KeyFile)
	if err != nil {
		return nil, configs.Fault{Path: "radius_server.tls.certificate_file", Message: err.Error()}
	}
	pool, err := certificatePool(t.ClientCAFile)
	if err != nil {
		return nil, configs.Fault{Path: "radius_server.tls.client_ca_file", Message: err.Error()}
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{own}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}, nil
}
