package eap

import (
	"io"
	"net"
	"sync"
	"time"
)

// pipe is the connection under TLS: what the peer sent is read from it, and what is written to it waits to be sent. It
// implements net.Conn. One goroutine reads, and tells by it that it has nothing more to do until the peer speaks.
type pipe struct {
	mu      sync.Mutex
	changed sync.Cond
	in, out []byte
	hungry  bool // the reader waits
	closed  bool
}

func newPipe() *pipe {
	p := &pipe{}
	p.changed.L = &p.mu
	return p
}

// Read waits for octets of the peer, or for the end.
func (p *pipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.in) == 0 && !p.closed {
		p.hungry = true
		p.changed.Broadcast()
		p.changed.Wait()
	}
	if p.closed {
		return 0, io.EOF
	}
	p.hungry = false
	n := copy(b, p.in)
	p.in = p.in[n:]
	return n, nil
}

// Write keeps octets for the peer.
func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, net.ErrClosed
	}
	p.out = append(p.out, b...)
	return len(b), nil
}

// feed hands octets of the peer to the reader and waits until it has used them up, or until the end.
func (p *pipe) feed(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.in = append(p.in, b...)
	p.changed.Broadcast()
	for !p.closed && (!p.hungry || len(p.in) > 0) {
		p.changed.Wait()
	}
}

// take returns what waits to be sent.
func (p *pipe) take() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.out
	p.out = nil
	return b
}

// Close ends reading and writing.
func (p *pipe) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.changed.Broadcast()
	return nil
}

// inMemory is the address of both ends.
type inMemory struct{}

func (inMemory) Network() string { return "eap" }
func (inMemory) String() string  { return "peer" }

// The rest of net.Conn. Nothing here takes time that a deadline could bound.

func (*pipe) LocalAddr() net.Addr              { return inMemory{} }
func (*pipe) RemoteAddr() net.Addr             { return inMemory{} }
func (*pipe) SetDeadline(time.Time) error      { return nil }
func (*pipe) SetReadDeadline(time.Time) error  { return nil }
func (*pipe) SetWriteDeadline(time.Time) error { return nil }
