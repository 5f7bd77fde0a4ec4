package eap

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"strings"

	"lnsgate/aaa"
	"lnsgate/aaa/eap/packet"
)

// Labels of the keys (RFC 5216 section 2.3, RFC 9190 section 2.3, RFC 5281 section 8).
const (
	labelTLS   = "client EAP encryption"
	labelTLS13 = "EXPORTER_EAP_TLS_Key_Material"
	labelTTLS  = "ttls keying material"
)

// tlsConfig is our end of a TLS connection. There are no tickets, so that no login goes by without its account.
func (c *Config) tlsConfig(m Method) (*tls.Config, error) {
	own, err := c.Certificate()
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{*own}, SessionTicketsDisabled: true,
		MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12,
	}
	if m == TLS {
		config.MaxVersion, config.ClientAuth, config.ClientCAs = tls.VersionTLS13, tls.RequireAndVerifyClientCert, c.ClientCAs
	}
	return config, nil
}

// certificate is the inside of EAP-TLS: there is nothing to say but that it ended well.
type certificate struct{ yes *aaa.Decision }

// hear: in TLS 1.3 the peer is told by an octet inside that all is well, since no alert says so any more (RFC 9190 section 2.5).
func (c *certificate) hear(t *turn, tunnel *tunnel, _ []byte) move {
	if c.yes != nil {
		return move{yes: c.yes}
	}
	state := tunnel.conn.ConnectionState()
	if len(state.PeerCertificates) == 0 {
		return malformed("the peer showed no certificate")
	}
	names := namesOf(state.PeerCertificates[0])
	name, ok := whose(names, t.name)
	if !ok {
		return refuse(aaa.Reject(aaa.MalformedProof, "the certificate is of %s, not of %q", strings.Join(names, ", "), t.name))
	}
	d, no := t.account(name)
	if no != nil || state.Version < tls.VersionTLS13 {
		return move{yes: d, no: no}
	}
	c.yes = d
	return move{say: []byte{0}}
}

func (*certificate) keys(t *tunnel) (aaa.Keys, error) {
	if t.conn.ConnectionState().Version >= tls.VersionTLS13 {
		return t.keys(labelTLS13, []byte{byte(packet.TLS)})
	}
	return t.keys(labelTLS, nil)
}

// whose is who shows a certificate with these names and says it is identity. Of one who stays anonymous outside (RFC 9190 section
// 2.1.8) the first name of the certificate counts.
func whose(names []string, identity string) (string, bool) {
	switch {
	case belongs(names, identity):
		return identity, true
	case anonymous(identity) && len(names) > 0:
		return names[0], true
	}
	return "", false
}

// anonymous says whether a name is nobody's: there is nothing in front of the domain, or that word (RFC 7542 section 2.4).
func anonymous(identity string) bool {
	user, _, _ := strings.Cut(identity, "@")
	return user == "" || strings.EqualFold(user, "anonymous")
}

// belongs says whether a certificate with these names is that of an identity. Windows puts host/ in front of the name of a
// machine.
func belongs(names []string, identity string) bool {
	machine, _ := strings.CutPrefix(identity, "host/")
	return slices.Contains(names, identity) || slices.Contains(names, machine)
}

// Object identifiers: subjectAltName (RFC 5280 section 4.2.1.6), and the name of a Windows account in it.
var (
	oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidPrincipalName  = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3}
)

// namesOf are the names that a certificate is for: mail addresses, account names and host names; the common name where it has
// none of these (RFC 5216 section 5.2).
func namesOf(c *x509.Certificate) []string {
	names := slices.Concat(c.EmailAddresses, principals(c), c.DNSNames)
	if len(names) == 0 && c.Subject.CommonName != "" {
		names = append(names, c.Subject.CommonName)
	}
	return names
}

// principals are the Windows account names of a certificate, which crypto/x509 does not read.
func principals(c *x509.Certificate) []string {
	var names []string
	for _, e := range c.Extensions {
		if !e.Id.Equal(oidSubjectAltName) {
			continue
		}
		var all []asn1.RawValue
		if _, err := asn1.Unmarshal(e.Value, &all); err != nil {
			return nil
		}
		for _, v := range all {
			if name := principal(v); name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

// principal reads one name: the first kind of all, which has its own type and a value of that type.
func principal(v asn1.RawValue) string {
	if v.Class != asn1.ClassContextSpecific || v.Tag != 0 {
		return ""
	}
	var kind asn1.ObjectIdentifier
	rest, err := asn1.Unmarshal(v.Bytes, &kind)
	if err != nil || !kind.Equal(oidPrincipalName) {
		return ""
	}
	var value asn1.RawValue // explicitly tagged
	if _, err := asn1.Unmarshal(rest, &value); err != nil || value.Class != asn1.ClassContextSpecific || value.Tag != 0 {
		return ""
	}
	var name string
	if _, err := asn1.Unmarshal(value.Bytes, &name); err != nil {
		return ""
	}
	return name
}
