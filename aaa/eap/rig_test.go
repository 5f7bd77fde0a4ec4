package eap

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"math/big"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/aaa/eap/packet"
	"lnsgate/aaa/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const password = "Admin@123"

// credentials are the server's certificate and a peer's, made once: keys take their time.
var credentials = sync.OnceValue(func() (c struct {
	server, alice tls.Certificate
	roots         *x509.CertPool
}) {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c.roots = x509.NewCertPool()
	for i, to := range []*tls.Certificate{&c.server, &c.alice} {
		template := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1)), NotBefore: time.Unix(0, 0), NotAfter: time.Now().AddDate(100, 0, 0),
			IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, EmailAddresses: []string{"alice"}}
		octets, _ := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		*to = tls.Certificate{Certificate: [][]byte{octets}, PrivateKey: key}
		to.Leaf, _ = x509.ParseCertificate(octets)
	}
	c.roots.AddCert(c.alice.Leaf)
	return c
})

// rig is a server whose AAA knows alice.
type rig struct {
	t      testing.TB
	server *Server
	fake   *aaatest.Fake
	aaa    *spy
	config Config
}

// spy notes what AAA is asked.
type spy struct {
	aaa.Authenticator
	mu       sync.Mutex
	requests []aaa.Request
}

func (s *spy) Authenticate(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	s.note(r)
	return s.Authenticator.Authenticate(ctx, r)
}

func (s *spy) Authorize(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	s.note(r)
	return s.Authenticator.Authorize(ctx, r)
}

func (s *spy) note(r *aaa.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, *r)
}

func (s *spy) asked() []aaa.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]aaa.Request(nil), s.requests...)
}

func newRig(t testing.TB, change func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, fake: aaatest.NewFake("local")}
	r.fake.Set("alice", aaatest.Answer{Password: aaa.NewSecret(password), Grant: aaa.Grant{Account: "alice"}})
	gateway, err := aaa.NewGateway(aaa.Config{DefaultDomain: "default", Backends: []aaa.Backend{r.fake},
		Domains: []aaa.Domain{{Name: "default", Chain: []string{"local"}}, {Name: "dept.example", Chain: []string{"local"}}}})
	must(t, err)
	r.aaa = &spy{Authenticator: gateway}
	c := credentials()
	r.config = Config{AAA: r.aaa, ClientCAs: c.roots, Certificate: func() (*tls.Certificate, error) { return &c.server, nil },
		Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if change != nil {
		change(&r.config)
	}
	r.server, err = New(r.config)
	must(t, err)
	t.Cleanup(r.server.Close)
	return r
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// peer is the peer's side of a conversation.
type peer struct {
	t        testing.TB
	server   *Server
	name     string
	mtu      int
	state    []byte
	said     []byte        // what it sent last
	raw      []byte        // what the server said last
	request  packet.Packet // the same
	decision aaa.Decision
	err      error
}

// begin says who it is.
func (r *rig) begin(name string) *peer {
	r.t.Helper()
	p := &peer{t: r.t, server: r.server, name: name}
	p.send(packet.Packet{Code: packet.Response, Identifier: 41, Type: packet.Identity, Data: []byte(name)}.Append(nil))
	return p
}

// send has the server hear octets.
func (p *peer) send(octets []byte) {
	p.t.Helper()
	p.said = bytes.Clone(octets)
	r := &aaa.Request{Name: p.name, MTU: p.mtu, Proof: aaa.Proof{Method: aaa.EAP, EAP: bytes.Clone(octets), State: p.state}}
	if p.state != nil {
		r.Backend = Backend
	}
	p.decision, p.err = p.server.Authenticate(context.Background(), r)
	var c *aaa.Challenge
	var no *aaa.Rejection
	switch {
	case errors.As(p.err, &c):
		p.raw, p.state = c.Packet, c.State
		if c.Backend != Backend || len(c.State) != 16 {
			p.t.Errorf("%+v", c)
		}
	case errors.As(p.err, &no):
		p.raw = no.Packet
	case p.err != nil:
		p.t.Fatalf("it is neither: %v", p.err)
	default:
		p.raw = p.decision.Packet
	}
	var err error
	if p.request, err = packet.Parse(p.raw); err != nil || len(octets) > 1 && p.request.Code >= packet.Success && p.request.Identifier != octets[1] {
		p.t.Errorf("% x is no answer to % x", p.raw, octets)
	}
}

// answer answers the request.
func (p *peer) answer(kind packet.Type, data []byte) {
	p.t.Helper()
	p.send(packet.Packet{Code: packet.Response, Identifier: p.request.Identifier, Type: kind, Data: data}.Append(nil))
}

func (p *peer) nak(wishes ...byte) {
	p.t.Helper()
	p.answer(packet.Nak, wishes)
}

// asked complains unless the server asks for something of a type.
func (p *peer) asked(kind packet.Type) {
	p.t.Helper()
	if p.request.Code != packet.Request || p.request.Type != kind {
		p.t.Fatalf("%+v, %v", p.request, p.err)
	}
}

// in complains unless it is in.
func (p *peer) in() {
	p.t.Helper()
	if p.err != nil || p.request.Code != packet.Success {
		p.t.Fatalf("%+v, %v", p.request, p.err)
	}
}

// out complains unless it is refused for that cause.
func (p *peer) out(cause aaa.Cause) *aaa.Rejection {
	p.t.Helper()
	var no *aaa.Rejection
	if !errors.As(p.err, &no) || no.Cause != cause || p.request.Code != packet.Failure {
		p.t.Fatalf("%+v, %v", p.request, p.err)
	}
	return no
}

// device is a peer that speaks a method with TLS.
type device struct {
	*peer
	kind  packet.Type
	tls   *tunnel
	size  int   // of fragments
	heard heard // at the end of the handshake
}

// connect asks for a method and does the handshake. The change is to the peer's TLS.
func (p *peer) connect(kind packet.Type, change func(*tls.Config)) *device {
	p.t.Helper()
	if p.request.Type != kind {
		p.nak(byte(kind))
	}
	p.asked(kind)
	c := credentials()
	config := &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{c.alice}} //nolint:gosec // it is not what is tested
	if change != nil {
		change(config)
	}
	d := &device{peer: p, kind: kind, size: 1000, tls: &tunnel{pipe: newPipe()}}
	d.tls.conn = tls.Client(d.tls.pipe, config)
	ended := make(chan struct{})
	go func() { defer close(ended); d.tls.run() }()
	p.t.Cleanup(func() { d.tls.end(); <-ended })
	h := d.tls.feed(nil)
	for range 20 {
		d.heard = h
		if h.err != nil || h.established && len(h.out) == 0 {
			return d
		}
		message := d.deliver(h.out)
		if p.request.Code != packet.Request {
			return d
		}
		h = d.tls.feed(message)
	}
	p.t.Fatal("the handshake does not end")
	return nil
}

// deliver sends a message in fragments and returns the one it is answered with.
func (d *device) deliver(message []byte) []byte {
	d.t.Helper()
	out := packet.NewOutgoing(message)
	for first := true; first || out.Waiting(); first = false {
		d.answer(d.kind, fragment(out.Next(d.size)))
	}
	return d.collect()
}

// collect puts together what the server says, and acknowledges all but the last fragment.
func (d *device) collect() []byte {
	d.t.Helper()
	var in packet.Reassembly
	for d.request.Code == packet.Request {
		f, err := packet.ParseFragment(d.request.Data)
		must(d.t, err)
		message, err := in.Add(f)
		must(d.t, err)
		if message != nil {
			return message
		}
		d.answer(d.kind, []byte{0})
	}
	return nil
}

func fragment(f packet.Fragment) []byte { return f.Append(nil) }

// say says something inside, and returns what is answered there. nil: nothing but an acknowledgement is sent.
func (d *device) say(plain []byte) string {
	d.t.Helper()
	var sealed []byte
	if plain != nil {
		var err error
		sealed, err = d.tls.say(plain)
		must(d.t, err)
	}
	return string(d.tls.feed(d.deliver(sealed)).plain)
}

// answererOf makes the proofs of alice.
func answererOf(typed string) *secret.Answerer {
	return secret.NewAnswerer("alice", aaa.NewSecret(typed), [16]byte{1, 2, 3})
}
