package client

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"layeh.com/radius"
	"layeh.com/radius/rfc2865"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "a secret of some length"

// request is what a scripted server got.
type request struct {
	server *scripted
	from   net.Addr
	octets []byte
	number int // from 1
}

func (r request) packet() *radius.Packet {
	p, err := radius.Parse(r.octets, []byte(secret))
	if err != nil {
		panic(err)
	}
	return p
}

// answer makes an answer as a good server does, signed when it should be.
func (r request) answer(code radius.Code, signed bool, attributes ...*radius.AVP) []byte {
	p := r.packet().Response(code)
	p.Attributes = attributes
	if !signed {
		octets, err := p.Encode()
		if err != nil {
			panic(err)
		}
		return octets
	}
	octets, err := wire.NewKey(secret).AppendReply(nil, p)
	if err != nil {
		panic(err)
	}
	return octets
}

func (r request) reply(octets []byte) { r.server.conn.WriteTo(octets, r.from) }

// accept answers well.
func (r request) accept() {
	switch code := radius.Code(r.octets[0]); code {
	case radius.CodeAccountingRequest:
		r.reply(r.answer(radius.CodeAccountingResponse, false))
	default:
		r.reply(r.answer(radius.CodeAccessAccept, true))
	}
}

// scripted is a server that does what its script says with each request.
type scripted struct {
	conn net.PacketConn
	done chan struct{}

	mu     sync.Mutex
	script func(request)
	got    []request
}

// serve starts a scripted server on loopback.
func serve(t testing.TB, script func(request)) *scripted {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, conn, script)
}

func serveOn(t testing.TB, conn net.PacketConn, script func(request)) *scripted {
	s := &scripted{conn: conn, script: script, done: make(chan struct{})}
	go s.run()
	t.Cleanup(s.stop)
	return s
}

func (s *scripted) run() {
	defer close(s.done)
	buffer := make([]byte, 8192)
	for {
		n, from, err := s.conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		s.mu.Lock()
		r := request{s, from, bytes.Clone(buffer[:n]), len(s.got) + 1}
		s.got = append(s.got, r)
		script := s.script
		s.mu.Unlock()
		if script != nil {
			script(r)
		}
	}
}

func (s *scripted) stop() { s.conn.Close(); <-s.done }

func (s *scripted) address() string { return s.conn.LocalAddr().String() }

func (s *scripted) set(script func(request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
}

// requests gives what came, without Status-Server or with nothing else.
func (s *scripted) requests(status bool) (list []request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.got {
		if (r.octets[0] == byte(radius.CodeStatusServer)) == status {
			list = append(list, r)
		}
	}
	return list
}

// group makes a group that ends with the test. Servers without a secret get the one of the tests.
func group(t testing.TB, c Config) *Group {
	t.Helper()
	for i := range c.Servers {
		if c.Servers[i].Secret.IsZero() && c.Servers[i].TLS == nil {
			c.Servers[i].Secret = aaa.NewSecret(secret)
		}
	}
	if c.Name == "" {
		c.Name = "test"
	}
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// quick repeats fast, for tests in real time.
func quick() RetryConfig {
	return RetryConfig{Initial: 20 * time.Millisecond, Max: 100 * time.Millisecond, Count: 6, Duration: 5 * time.Second, Jitter: 0.1}
}

func login(user string) Request {
	return Request{Code: radius.CodeAccessRequest, Build: func(p *radius.Packet) error {
		return errors.Join(rfc2865.UserName_SetString(p, user), rfc2865.UserPassword_SetString(p, "secret of "+user))
	}}
}

func record() Request {
	return Request{Code: radius.CodeAccountingRequest, Build: func(p *radius.Packet) error {
		p.Add(40, radius.NewInteger(1))
		return nil
	}}
}

// must asks and wants an answer of that code.
func must(t testing.TB, g *Group, r Request, code radius.Code) Reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	reply, err := g.Exchange(ctx, r)
	if err != nil {
		t.Fatalf("no answer: %v\n%+v", err, g.Stats())
	}
	if reply.Packet.Code != code {
		t.Fatalf("answer is %v, not %v", reply.Packet.Code, code)
	}
	return reply
}

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	end := time.NewTimer(10 * time.Second)
	defer end.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("did not come: %s", what)
		}
	}
}

func text(kind radius.Type, value string) *radius.AVP {
	return &radius.AVP{Type: kind, Attribute: radius.Attribute(value)}
}

// logged gathers the log.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }
