package simnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"lnsgate/lns/datapath"
)

// ErrSource says that a path wants to leave from an address that the endpoint does not have.
var ErrSource = errors.New("the endpoint does not have the local address of the path")

// Endpoint is a socket: it sends from its address and gets what is sent there. It is safe for concurrent use.
type Endpoint struct {
	network   *Network
	nat       *NAT // nil outside
	addresses []netip.AddrPort
	handler   Handler
	closed    bool
}

var _ datapath.Sender = (*Endpoint)(nil)

// Endpoint makes an endpoint. The first address is the one it sends from unless a path says otherwise; more addresses
// make the host multi-homed. The handler may be nil at first; until Handle sets it, what arrives is lost. An address
// that is taken is a fault of the test, and panics.
func (n *Network) Endpoint(handler Handler, addresses ...netip.AddrPort) *Endpoint {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return n.attach(n.endpoints, &Endpoint{network: n, addresses: addresses, handler: handler})
}

func (n *Network) attach(to map[netip.AddrPort]*Endpoint, e *Endpoint) *Endpoint {
	if len(e.addresses) == 0 {
		panic("simnet: an endpoint needs an address")
	}
	for _, a := range e.addresses {
		if to[a] != nil || e.nat == nil && n.nats[a.Addr()] != nil {
			panic(fmt.Sprintf("simnet: the address %s is taken", a))
		}
		to[a] = e
	}
	return e
}

// Handle sets who takes what arrives from now on.
func (e *Endpoint) Handle(handler Handler) {
	e.network.mutex.Lock()
	defer e.network.mutex.Unlock()
	e.handler = handler
}

// Addr is the endpoint's first address; behind a NAT, the inner one.
func (e *Endpoint) Addr() netip.AddrPort { return e.addresses[0] }

// PathTo is the path to a peer that has not spoken yet.
func (e *Endpoint) PathTo(remote netip.AddrPort) datapath.Path { return datapath.Path{Remote: remote} }

// Send sends a copy of the datagram to the path's remote address, from its local one if that is set. The error is
// ErrSource, or wraps net.ErrClosed.
func (e *Endpoint) Send(p datapath.Path, datagram []byte) error {
	return e.SendBatch(p, [][]byte{datagram})
}

// SendBatch sends copies of the datagrams in order; nothing comes between them.
func (e *Endpoint) SendBatch(p datapath.Path, datagrams [][]byte) error {
	n := e.network
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if n.closed || e.closed {
		return fmt.Errorf("simnet: send from %s: %w", e.Addr(), net.ErrClosed)
	}
	from := e.addresses[0]
	if p.Local.IsValid() {
		i := slices.IndexFunc(e.addresses, func(a netip.AddrPort) bool { return a.Addr() == p.Local })
		if i < 0 {
			return fmt.Errorf("simnet: send from %s as %s: %w", e.Addr(), p.Local, ErrSource)
		}
		from = e.addresses[i]
	}
	if e.nat != nil {
		from = e.nat.outside(from, p.Remote)
	}
	for _, b := range datagrams {
		n.carry(from, p.Remote, b)
	}
	return nil
}

// Close takes the endpoint off the network: its address is free again, and what is under way to it is lost.
func (e *Endpoint) Close() {
	n := e.network
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if e.closed {
		return
	}
	e.closed = true
	holder := n.endpoints
	if e.nat != nil {
		holder = e.nat.endpoints
	}
	for _, a := range e.addresses {
		delete(holder, a)
	}
}
