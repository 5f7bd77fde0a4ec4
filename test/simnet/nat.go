package simnet

import (
	"fmt"
	"net/netip"
)

// NAT hides endpoints behind one outer address, each inner address and port behind a port of its own. It keeps an inner
// port while nobody else has it outside, as home routers do: of two clients on port 1701, one stays there. What comes in
// goes through only from addresses and ports that the inner endpoint has sent to.
type NAT struct {
	network   *Network
	outer     netip.Addr
	endpoints map[netip.AddrPort]*Endpoint // by inner address
	ports     map[netip.AddrPort]uint16    // by inner address
	mappings  map[uint16]*mapping          // by outer port
	used      map[uint16]bool              // outer ports that were ever given out
}

// mapping is what stands behind an outer port.
type mapping struct {
	inner netip.AddrPort
	peers map[netip.AddrPort]bool // whom inner has sent to
}

const firstMappedPort = 40000

// NAT makes a NAT with an outer address that no endpoint may have.
func (n *Network) NAT(outer netip.Addr) *NAT {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	for taken := range n.endpoints {
		if taken.Addr() == outer {
			panic(fmt.Sprintf("simnet: the address %s is taken by an endpoint", outer))
		}
	}
	nat := &NAT{network: n, outer: outer, endpoints: make(map[netip.AddrPort]*Endpoint), used: make(map[uint16]bool)}
	nat.forget()
	n.nats[outer] = nat
	return nat
}

// Endpoint makes an endpoint behind the NAT. Addresses need to be unique behind this NAT only.
func (t *NAT) Endpoint(handler Handler, addresses ...netip.AddrPort) *Endpoint {
	t.network.mutex.Lock()
	defer t.network.mutex.Unlock()
	return t.network.attach(t.endpoints, &Endpoint{network: t.network, nat: t, addresses: addresses, handler: handler})
}

// Rebind forgets all mappings and gives out new ports, as a NAT does after a restart or a long silence.
func (t *NAT) Rebind() {
	t.network.mutex.Lock()
	defer t.network.mutex.Unlock()
	t.forget()
}

func (t *NAT) forget() {
	t.ports = make(map[netip.AddrPort]uint16)
	t.mappings = make(map[uint16]*mapping)
}

// outside maps an inner address to the one that the wire sees, and lets the peer answer.
func (t *NAT) outside(inner, peer netip.AddrPort) netip.AddrPort {
	port, known := t.ports[inner]
	if !known {
		port = t.free(inner.Port())
		t.used[port] = true
		t.ports[inner] = port
		t.mappings[port] = &mapping{inner, make(map[netip.AddrPort]bool)}
	}
	t.mappings[port].peers[peer] = true
	return netip.AddrPortFrom(t.outer, port)
}

// free is the wished port if it never was in use, or else a new one.
func (t *NAT) free(wished uint16) uint16 {
	if !t.used[wished] {
		return wished
	}
	port := uint16(firstMappedPort)
	for t.used[port] {
		port++
	}
	return port
}

// inside finds the endpoint behind an outer port, if the sender may reach it, and its inner address.
func (t *NAT) inside(from netip.AddrPort, port uint16) (*Endpoint, netip.AddrPort) {
	m := t.mappings[port]
	if m == nil || !m.peers[from] {
		return nil, netip.AddrPort{}
	}
	return t.endpoints[m.inner], m.inner
}
