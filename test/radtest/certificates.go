package radtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// Names in certificates: of the server, beside its address, and of the client.
const (
	ServerName = "radius.test"
	ClientName = "client@" + ServerName
)

// Certificates are the files of a server's own certificate authority, as PEM.
type Certificates struct {
	CA                    string
	ServerCert, ServerKey string
	ClientCert, ClientKey string // for EAP-TLS and RadSec; its common name is ClientName
}

// pair is a certificate and its key.
type pair struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// MakeCertificates makes an authority, a server at that address and a client, and writes them to a folder. No two authorities
// sign for each other.
func MakeCertificates(folder string, server netip.Addr) (Certificates, error) {
	ca, err := issue(nil, &x509.Certificate{
		Subject: pkix.Name{CommonName: "radtest authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	})
	if err != nil {
		return Certificates{}, err
	}
	serving, err := issue(ca, &x509.Certificate{
		Subject: pkix.Name{CommonName: ServerName}, DNSNames: []string{ServerName},
		IPAddresses: []net.IP{server.AsSlice()},
		KeyUsage:    x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return Certificates{}, err
	}
	asking, err := issue(ca, &x509.Certificate{
		Subject:  pkix.Name{CommonName: ClientName},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return Certificates{}, err
	}
	return certificatesIn(folder), errors.Join(writePair(folder, "ca", ca), writePair(folder, "server", serving), writePair(folder, "client", asking))
}

// issue makes a certificate for a new key, signed by the issuer or by itself.
func issue(issuer *pair, c *x509.Certificate) (*pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	c.NotBefore, c.NotAfter = now.Add(-time.Hour), now.Add(24*time.Hour)
	if c.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return nil, err
	}
	if issuer == nil {
		issuer = &pair{c, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, issuer.certificate, &key.PublicKey, issuer.key)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	return &pair{parsed, key}, err
}

func writePair(folder, name string, p *pair) error {
	key, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		return err
	}
	write := func(end, kind string, der []byte) error {
		return os.WriteFile(filepath.Join(folder, name+end), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
	}
	return errors.Join(write(".pem", "CERTIFICATE", p.certificate.Raw), write(".key", "PRIVATE KEY", key))
}

func certificatesIn(folder string) Certificates {
	in := func(name string) string { return filepath.Join(folder, name) }
	return Certificates{
		CA: in("ca.pem"), ServerCert: in("server.pem"), ServerKey: in("server.key"),
		ClientCert: in("client.pem"), ClientKey: in("client.key"),
	}
}

// Client is what the client of these certificates needs: it trusts the server and shows its own.
func (c Certificates) Client() (*tls.Config, error) {
	roots, err := c.authority()
	if err != nil {
		return nil, err
	}
	own, err := tls.LoadX509KeyPair(c.ClientCert, c.ClientKey)
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}, ServerName: ServerName}, err
}

// Server is what the server of these certificates needs. Whether clients must have one is not said.
func (c Certificates) Server() (*tls.Config, error) {
	roots, err := c.authority()
	if err != nil {
		return nil, err
	}
	own, err := tls.LoadX509KeyPair(c.ServerCert, c.ServerKey)
	return &tls.Config{ClientCAs: roots, Certificates: []tls.Certificate{own}}, err
}

func (c Certificates) authority() (*x509.CertPool, error) {
	text, err := os.ReadFile(c.CA)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return pool, err
}

// Certificates names the certificate files, for programs that want files.
func (s *Server) Certificates() Certificates { return certificatesIn(s.folder) }

// TLS is what a client of the RadSec port needs: it trusts the server and shows the client's certificate.
func (s *Server) TLS() *tls.Config {
	s.t.Helper()
	config, err := s.Certificates().Client()
	s.check(err)
	return config
}
