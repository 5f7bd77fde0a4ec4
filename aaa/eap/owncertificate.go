package eap

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"lnsgate/aaa"
)

// How long certificates of our own making are good for. Apple's devices take none of a server for more than 825 days.
const (
	goodCA     = 10 * 365 * 24 * time.Hour
	goodServer = 2 * 365 * 24 * time.Hour
	renewAt    = 60 * 24 * time.Hour // before the end
	tolerance  = time.Hour           // for clocks of devices that are behind
)

// The files, in their folder.
const (
	fileCA        = "ca.pem"
	fileCAKey     = "ca.key"
	fileServer    = "server.pem"
	fileServerKey = "server.key"
)

// OwnCertificate is a server certificate that lnsgate makes itself, signed by a CA that it makes, too, so that EAP works before
// anybody has bought or made one. Devices have to be told of the CA. It is safe for concurrent use.
type OwnCertificate struct {
	folder string
	names  []string

	mu      sync.Mutex
	current *tls.Certificate
	now     func() time.Time
}

// SelfSigned makes, in a folder, a CA that is good for ten years and by it a server certificate for two, with these host names
// or addresses. What is there already is kept: the CA as long as it lasts, the server's certificate until 60 days before its
// end, or until the names are others. The keys are readable for their owner alone.
func SelfSigned(folder string, names []string) (*OwnCertificate, error) {
	if len(names) == 0 {
		return nil, &aaa.Fault{Path: "server_names", Problem: "a certificate needs a name"}
	}
	o := &OwnCertificate{folder: folder, names: slices.Clone(names), now: time.Now}
	if _, err := o.Certificate(); err != nil {
		return nil, err
	}
	return o, nil
}

// CAFile is the CA's certificate, which devices have to trust.
func (o *OwnCertificate) CAFile() string { return filepath.Join(o.folder, fileCA) }

// Certificate returns the server's certificate. One that is near its end is renewed.
func (o *OwnCertificate) Certificate() (*tls.Certificate, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fits(o.current) {
		return o.current, nil
	}
	certificate, err := o.obtain()
	if err != nil {
		if o.current != nil && o.now().Before(o.current.Leaf.NotAfter) {
			return o.current, nil // better than none
		}
		return nil, fmt.Errorf("the folder %s of the server's certificate: %w", o.folder, err)
	}
	o.current = certificate
	return certificate, nil
}

// fits says whether a certificate is good for some time, and has our names.
func (o *OwnCertificate) fits(c *tls.Certificate) bool {
	if c == nil || o.now().After(c.Leaf.NotAfter.Add(-renewAt)) {
		return false
	}
	hosts, addresses := o.sorted()
	return slices.Equal(c.Leaf.DNSNames, hosts) && slices.EqualFunc(c.Leaf.IPAddresses, addresses, net.IP.Equal)
}

// obtain reads the certificate, or makes one.
func (o *OwnCertificate) obtain() (*tls.Certificate, error) {
	if err := os.MkdirAll(o.folder, 0o700); err != nil {
		return nil, err
	}
	ca, err := o.authority()
	if err != nil {
		return nil, err
	}
	server, err := load(o.folder, fileServer, fileServerKey)
	if err == nil && o.fits(server) && server.Leaf.CheckSignatureFrom(ca.Leaf) == nil {
		return server, nil // else there is none, half of one, or one that is over: nobody misses it
	}
	end := o.now().Add(goodServer)
	if ca.Leaf.NotAfter.Before(end) {
		end = ca.Leaf.NotAfter
	}
	hosts, addresses := o.sorted()
	return o.make(fileServer, fileServerKey, ca, &x509.Certificate{
		Subject: pkix.Name{CommonName: o.names[0]}, NotAfter: end, DNSNames: hosts, IPAddresses: addresses,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	})
}

// sorted are the names, the host names and the addresses.
func (o *OwnCertificate) sorted() (hosts []string, addresses []net.IP) {
	for _, name := range o.names {
		if ip := net.ParseIP(name); ip != nil {
			addresses = append(addresses, ip)
		} else {
			hosts = append(hosts, name)
		}
	}
	return hosts, addresses
}

// authority reads the CA, or makes one where there is none. Half of one is left alone: devices may trust the other half.
func (o *OwnCertificate) authority() (*tls.Certificate, error) {
	_, noCertificate := os.Stat(o.CAFile())
	_, noKey := os.Stat(filepath.Join(o.folder, fileCAKey))
	if !errors.Is(noCertificate, os.ErrNotExist) || !errors.Is(noKey, os.ErrNotExist) {
		ca, err := load(o.folder, fileCA, fileCAKey)
		switch {
		case err != nil:
			return nil, fmt.Errorf("the CA cannot be read: bring back %s and %s, or delete both and have all devices trust a new one: %w", fileCA, fileCAKey, err)
		case o.now().After(ca.Leaf.NotAfter):
			return nil, fmt.Errorf("the CA ended on %s: delete %s and %s, start again, and have all devices trust the new one",
				ca.Leaf.NotAfter.Format(time.DateOnly), fileCA, fileCAKey)
		}
		return ca, nil
	}
	return o.make(fileCA, fileCAKey, nil, &x509.Certificate{
		Subject: pkix.Name{CommonName: "lnsgate EAP CA of " + o.names[0]}, NotAfter: o.now().Add(goodCA),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, IsCA: true, MaxPathLenZero: true, BasicConstraintsValid: true,
	})
}

// make signs a certificate with a new key, and writes both down, the key first. Without a CA it signs itself.
func (o *OwnCertificate) make(file, keyFile string, ca *tls.Certificate, template *x509.Certificate) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return nil, err
	}
	template.NotBefore = o.now().Add(-tolerance)
	parent, signer := template, any(key)
	if ca != nil {
		parent, signer = ca.Leaf, ca.PrivateKey
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, err
	}
	if err := store(o.folder, file, keyFile, signed, key); err != nil {
		return nil, err
	}
	return load(o.folder, file, keyFile)
}
