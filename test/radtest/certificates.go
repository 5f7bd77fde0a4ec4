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
	"os"
	"path/filepath"
	"time"
)

// ServerName is in the certificate of the server, beside its address.
const ServerName = "radius.test"

// Certificates are the files of a server's own certificate authority, as PEM.
type Certificates struct {
	CA                    string
	ServerCert, ServerKey string
	ClientCert, ClientKey string // for EAP-TLS and RadSec; its common name is client@radius.test
}

// pair is a certificate and its key.
type pair struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// writeCertificates makes an authority, a server and a client.
func (s *Server) writeCertificates() error {
	ca, err := issue(nil, &x509.Certificate{
		Subject: pkix.Name{CommonName: "radtest authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	})
	if err != nil {
		return err
	}
	serving, err := issue(ca, &x509.Certificate{
		Subject: pkix.Name{CommonName: ServerName}, DNSNames: []string{ServerName},
		IPAddresses: []net.IP{s.options.Address.AsSlice()},
		KeyUsage:    x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return err
	}
	asking, err := issue(ca, &x509.Certificate{
		Subject:  pkix.Name{CommonName: "client@" + ServerName},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return err
	}
	return errors.Join(s.writePair("ca", ca), s.writePair("server", serving), s.writePair("client", asking))
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

func (s *Server) writePair(name string, p *pair) error {
	key, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		return err
	}
	return errors.Join(
		s.writeFile(name+".pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.certificate.Raw}))),
		s.writeFile(name+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))),
	)
}

// Certificates names the certificate files, for programs that want files.
func (s *Server) Certificates() Certificates {
	in := func(name string) string { return filepath.Join(s.folder, name) }
	return Certificates{
		CA: in("ca.pem"), ServerCert: in("server.pem"), ServerKey: in("server.key"),
		ClientCert: in("client.pem"), ClientKey: in("client.key"),
	}
}

// TLS is what a client of the RadSec port needs: it trusts the server and shows the client's certificate.
func (s *Server) TLS() *tls.Config {
	s.t.Helper()
	files := s.Certificates()
	text, err := os.ReadFile(files.CA)
	s.check(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	client, err := tls.LoadX509KeyPair(files.ClientCert, files.ClientKey)
	s.check(err)
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{client}, ServerName: ServerName}
}
