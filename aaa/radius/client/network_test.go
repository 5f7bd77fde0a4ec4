package client

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

// network is a network in memory, for virtual time: datagrams arrive at once, and answers after the delay of the server.
type network struct {
	mu      sync.Mutex
	servers map[string]*remote
	open    int // sockets that are open now
	most    int
}

// remote is a server on that network.
type remote struct {
	mu      sync.Mutex
	delay   time.Duration
	silent  func(p *radius.Packet) bool // nil: answers everybody
	status  bool                        // answers Status-Server
	dialErr error
	got     []arrival
}

// arrival is a datagram that came to a server.
type arrival struct {
	at     time.Duration // since the test began
	socket *memoryConn
	octets []byte
}

func (a arrival) probe() bool { return a.octets[0] == byte(radius.CodeStatusServer) }

// memoryConn is our end of a socket.
type memoryConn struct {
	network *network
	server  *remote
	in      chan []byte
	fault   chan error
	closed  chan struct{}
	once    sync.Once
}

var epoch time.Time // of the bubble

// bubble runs a test in virtual time, with a network and servers that answer.
func bubble(t *testing.T, servers []string, test func(t *testing.T, n *network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		epoch = time.Now()
		n := &network{servers: map[string]*remote{}}
		for _, name := range servers {
			n.servers[address(name)] = &remote{status: true}
		}
		test(t, n)
	})
}

func address(name string) string { return name + ":1812" }

// group makes a group of these servers, which the test may change before.
func (n *network) group(t *testing.T, c Config, change ...func(*Config)) *Group {
	t.Helper()
	c.Dial = n.dial
	for i := range c.Servers {
		s := &c.Servers[i]
		s.Address, s.Secret = address(s.Name), aaa.NewSecret(secret)
	}
	for _, f := range change {
		f(&c)
	}
	return group(t, c)
}

func (n *network) server(name string) *remote { return n.servers[address(name)] }

func (n *network) dial(_ context.Context, _, at string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := n.servers[at]
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dialErr != nil {
		return nil, r.dialErr
	}
	n.open++
	n.most = max(n.most, n.open)
	return &memoryConn{network: n, server: r, in: make(chan []byte, 4096), fault: make(chan error, 1), closed: make(chan struct{})}, nil
}

func (r *remote) change(f func(r *remote)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r)
}

// arrivals gives what came, Status-Server or all else.
func (r *remote) arrivals(probes bool) (list []arrival) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.got {
		if a.probe() == probes {
			list = append(list, a)
		}
	}
	return list
}

func (c *memoryConn) Write(b []byte) (int, error) {
	r := c.server
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, arrival{time.Since(epoch), c, bytes.Clone(b)})
	p, err := radius.Parse(b, []byte(secret))
	if err != nil {
		return 0, err
	}
	if p.Code == radius.CodeStatusServer && !r.status || r.silent != nil && r.silent(p) {
		return len(b), nil
	}
	code := radius.CodeAccessAccept
	if p.Code == radius.CodeAccountingRequest {
		code = radius.CodeAccountingResponse
	}
	reply, err := wire.NewKey(secret).AppendReply(nil, p.Response(code))
	if err != nil {
		return 0, err
	}
	if r.delay == 0 {
		c.push(reply)
	} else {
		time.AfterFunc(r.delay, func() { c.push(reply) })
	}
	return len(b), nil
}

func (c *memoryConn) push(b []byte) {
	select {
	case c.in <- b:
	case <-c.closed:
	}
}

func (c *memoryConn) Read(b []byte) (int, error) {
	select {
	case in := <-c.in:
		return copy(b, in), nil
	case err := <-c.fault:
		return 0, err
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

func (c *memoryConn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.network.mu.Lock()
		c.network.open--
		c.network.mu.Unlock()
	})
	return nil
}

func (c *memoryConn) LocalAddr() net.Addr              { return &net.UDPAddr{} }
func (c *memoryConn) RemoteAddr() net.Addr             { return &net.UDPAddr{} }
func (c *memoryConn) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (c *memoryConn) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

// nobody gets an answer, but for Status-Server.
func nobody(p *radius.Packet) bool { return p.Code != radius.CodeStatusServer }

// ask asks in the background and tells how it went.
func ask(g *Group, r Request) chan error { return askFor(context.Background(), g, r) }

func askFor(ctx context.Context, g *Group, r Request) chan error {
	done := make(chan error, 1)
	go func() {
		_, err := g.Exchange(ctx, r)
		done <- err
	}()
	return done
}

// answered says whether the exchange is over, and fails when it went wrong.
func answered(t *testing.T, done chan error) bool {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("no answer: %v", err)
		}
		return true
	default:
		return false
	}
}

// after waits in virtual time, until nothing moves any more.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

var errNoRoute = errors.New("no route to host")
