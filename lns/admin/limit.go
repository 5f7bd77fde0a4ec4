package admin

import (
	"net"
	"net/netip"
	"sync"
)

// maxConnections is how many may be open at once. Scripts and screens need a few; who opens more keeps only the others of
// its kind waiting, and not the server short of memory and descriptors.
const maxConnections = 64

// limited is a listener that waits with the next connection until fewer than so many are open.
type limited struct {
	net.Listener
	places chan struct{}
	closed chan struct{}
	once   sync.Once
}

func limit(l net.Listener, connections int) *limited {
	return &limited{Listener: l, places: make(chan struct{}, connections), closed: make(chan struct{})}
}

// Accept implements net.Listener.
func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.places <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &placed{Conn: conn, leave: sync.OnceFunc(func() { <-l.places })}, nil
}

// Close implements net.Listener.
func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// placed is a connection that gives its place back.
type placed struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *placed) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// How many connections may be open over the network: on all addresses together, and from one source. Those of IPv6 share a /64. A browser
// needs one, or six without HTTP/2.
const (
	maxRemote   = 128
	maxOfSource = 16
)

// doors count the connections over the network, by source. The zero value is ready. It is safe for concurrent use.
type doors struct {
	mu   sync.Mutex
	open map[netip.Prefix]int
	all  int
}

// enter takes a place; false: there is none left.
func (d *doors) enter(source netip.Prefix) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all >= maxRemote || d.open[source] >= maxOfSource {
		return false
	}
	if d.open == nil {
		d.open = make(map[netip.Prefix]int)
	}
	d.all++
	d.open[source]++
	return true
}

func (d *doors) leave(source netip.Prefix) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all--
	if d.open[source]--; d.open[source] == 0 {
		delete(d.open, source)
	}
}

// fenced is a listener that hangs up on those who may not ask at all, and on those who have too many connections.
type fenced struct {
	net.Listener
	operators *Operators
	doors     *doors
}

// Accept implements net.Listener.
func (f *fenced) Accept() (net.Conn, error) {
	for {
		conn, err := f.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from, err := netip.ParseAddrPort(conn.RemoteAddr().String())
		source := sourceOf(from.Addr().Unmap())
		if err == nil && f.operators.Admits(from.Addr()) && f.doors.enter(source) {
			return &placed{Conn: conn, leave: sync.OnceFunc(func() { f.doors.leave(source) })}, nil
		}
		conn.Close()
	}
}
