package client

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"io"
	"math/big"
	"net"
	"sync"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa/radius/wire"
)

// authority signs the certificates of these tests. They are of the time of bubbles, the year 2000.
var authority = sync.OnceValue(func() *tls.Certificate { return certificate(nil, "authority") })

func certificate(issuer *tls.Certificate, name string) *tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC),
		IsCA: issuer == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	parent, signer := c, key
	if issuer != nil {
		parent, signer = issuer.Leaf, issuer.PrivateKey.(*ecdsa.PrivateKey)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(authority().Leaf)
	return pool
}

// secured is a server on TLS, in memory.
type secured struct {
	config *tls.Config
	mu     sync.Mutex
	refuse bool
	script func(s *secured, c *tls.Conn, packet []byte)
	got    [][]byte
	dials  []time.Duration
	conns  []*tls.Conn
	closed int
}

func newSecured(name string) *secured {
	return &secured{script: (*secured).accept,
		config: &tls.Config{Certificates: []tls.Certificate{*certificate(authority(), name)}, ClientAuth: tls.RequestClientCert}}
}

func (s *secured) dial(context.Context, string, string) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials = append(s.dials, time.Since(epoch))
	if s.refuse {
		return nil, errNoRoute
	}
	ours, theirs := net.Pipe()
	c := tls.Server(buffer(theirs), s.config)
	s.conns = append(s.conns, c)
	go s.serve(c)
	return ours, nil
}

// buffered is a pipe that takes what is written before it is read, as TCP does.
type buffered struct {
	net.Conn
	mu     sync.Mutex
	closed bool
	out    chan []byte
}

func buffer(c net.Conn) *buffered {
	b := &buffered{Conn: c, out: make(chan []byte, 1024)}
	go func() {
		for text := range b.out {
			c.Write(text)
		}
		c.Close()
	}()
	return b
}

func (b *buffered) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, net.ErrClosed
	}
	b.out <- bytes.Clone(text)
	return len(text), nil
}

func (b *buffered) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		close(b.out)
	}
	return b.Conn.SetReadDeadline(time.Unix(1, 0))
}

func (s *secured) serve(c *tls.Conn) {
	defer c.Close()
	for {
		packet := make([]byte, 4, wire.MaxLength)
		if _, err := io.ReadFull(c, packet); err != nil {
			break
		}
		packet = packet[:binary.BigEndian.Uint16(packet[2:])]
		if _, err := io.ReadFull(c, packet[4:]); err != nil {
			break
		}
		s.mu.Lock()
		s.got = append(s.got, packet)
		script := s.script
		s.mu.Unlock()
		script(s, c, packet)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed++
}

func (s *secured) set(f func(s *secured)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

// reply is a good one to the packet, unsigned unless it is to EAP.
func (s *secured) reply(packet []byte) []byte {
	p, err := radius.Parse(packet, []byte(radSecSecret))
	if err != nil {
		panic(err)
	}
	b, err := p.Response(radius.CodeAccessAccept).Encode()
	if err != nil {
		panic(err)
	}
	return b
}

func (s *secured) accept(c *tls.Conn, packet []byte) { c.Write(s.reply(packet)) }

func mute(*secured, *tls.Conn, []byte) {}

// packets gives what came, Status-Server or all else.
func (s *secured) packets(status bool) (list [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.got {
		if (b[0] == byte(radius.CodeStatusServer)) == status {
			list = append(list, b)
		}
	}
	return list
}
