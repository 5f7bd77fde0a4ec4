package main

import (
	"errors"
	"net/netip"
	"time"

	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/tun"
	"lnsgate/lns/host"
	"lnsgate/lns/lac"
)

// dialTun is the network interface of a client. It stands on the data path of the LNS, seen from the other side: behind
// the peer lies everything.
type dialTun struct {
	plan    *dialPlan
	line    *dialLine
	host    *host.Host
	path    *tun.DataPath
	session datapath.Session // nil while the call is not up
}

// openTun makes the interface before the call is placed, so that a missing privilege shows at once. Without --tun it
// makes one that does nothing.
func (p *dialPlan) openTun(line *dialLine) (*dialTun, error) {
	t := &dialTun{plan: p, line: line}
	if p.options.tun == "" {
		return t, nil
	}
	var err error
	if t.host, err = host.New(host.Config{}); err != nil {
		return nil, err
	}
	t.path, err = tun.New(tun.Config{
		Interface: p.options.tun, MTU: int(p.options.mru), Sender: line.transport, Offload: true,
	})
	if err != nil {
		return nil, errors.Join(err, t.host.Close())
	}
	in := t.path.Ingress()
	line.ingress.Store(&in)
	return t, nil
}

// up lets traffic flow.
func (t *dialTun) up(u lac.Up) error {
	if t.path == nil {
		return nil
	}
	t.down()
	peer := u.Peer
	if u.Address.IsValid() && (!peer.IsValid() || peer.IsUnspecified()) {
		peer = nobody
	}
	session, err := t.path.Add(datapath.Spec{
		Key:        datapath.Key{Tunnel: uint16(u.Tunnel), Session: uint16(u.Session)},
		Path:       t.line.path,
		PeerTunnel: uint16(u.ServerTunnel), PeerSession: uint16(u.ServerSession),
		Interface: t.plan.options.tun, Address: peer, Routes: all(peer.IsValid(), everything), IPv6: all(u.IPv6.Address.IsValid(), everything6...),
		PeerMRU: u.PeerMRU, MSS: min(u.MRU, u.PeerMRU) - 40, MSS6: min(u.MRU, u.PeerMRU) - 60, // the headers of IP and TCP
		PFC: u.PFC, ACFC: u.ACFC, Sequencing: u.Sequencing, FirstNs: u.NextNs,
	})
	if err != nil {
		return err
	}
	t.session = session
	own := host.VirtualTemplate{Name: t.plan.options.tun, MTU: u.PeerMRU, IPv6: u.IPv6.Address.IsValid(), Routes: t.plan.routesInto(peer, u)}
	if u.Address.IsValid() {
		own.Address = netip.PrefixFrom(u.Address, u.Address.BitLen())
	}
	if own.IPv6 {
		own.Address6 = netip.PrefixFrom(u.IPv6.Address, u.IPv6.Address.BitLen())
	}
	return t.host.Configure(own)
}

// all is the list, or none of it.
func all(wanted bool, list ...netip.Prefix) []netip.Prefix {
	if !wanted {
		return nil
	}
	return list
}

// nobody is the far end of a link whose server tells no address: an address for just that (RFC 7600).
var nobody = netip.AddrFrom4([4]byte{192, 0, 0, 8})

var everything = netip.PrefixFrom(netip.IPv4Unspecified(), 0)

// everything6 are the networks of IPv6 that a packet may come from over a router: the global and the local ones (RFC 4193).
var everything6 = []netip.Prefix{netip.MustParsePrefix("2000::/3"), netip.MustParsePrefix("fc00::/7")}

// routesInto lists what goes into the interface: the server's end and what --route names of the families that the call has,
// but never the server itself, whose datagrams must go around the tunnel that they carry.
func (p *dialPlan) routesInto(peer netip.Addr, u lac.Up) []netip.Prefix {
	var routes []netip.Prefix
	if peer.IsValid() && peer != nobody && peer != u.Address && peer != p.server.Addr() {
		routes = append(routes, netip.PrefixFrom(peer, peer.BitLen()))
	}
	for _, r := range p.routes {
		if r.Addr().Is4() && u.Address.IsValid() || r.Addr().Is6() && u.IPv6.Address.IsValid() {
			routes = append(routes, without(r, p.server.Addr())...)
		}
	}
	return routes
}

// without cuts one address out of a prefix: what is left are the other halves on the way down to it.
func without(prefix netip.Prefix, hole netip.Addr) []netip.Prefix {
	if !prefix.Contains(hole) {
		return []netip.Prefix{prefix}
	}
	var rest []netip.Prefix
	for bits := prefix.Bits() + 1; bits <= hole.BitLen(); bits++ {
		half := netip.PrefixFrom(hole, bits).Masked()
		rest = append(rest, otherHalf(half))
	}
	return rest
}

// otherHalf is the sibling of a prefix: the same with its last bit turned over.
func otherHalf(p netip.Prefix) netip.Prefix {
	octets := p.Addr().AsSlice()
	last := p.Bits() - 1
	octets[last/8] ^= 0x80 >> (last % 8)
	sibling, _ := netip.AddrFromSlice(octets)
	return netip.PrefixFrom(sibling, p.Bits())
}

// down stops the traffic. The interface keeps its address, so that connections over it outlive a renegotiation.
func (t *dialTun) down() {
	if t.session != nil {
		t.session.Close()
		t.session = nil
	}
}

// heard tells when user traffic last came in.
func (t *dialTun) heard() time.Time {
	if t.session == nil {
		return time.Time{}
	}
	return t.session.Counters().LastRx
}

// close removes the interface, and with it its addresses and routes.
func (t *dialTun) close() error {
	if t.path == nil {
		return nil
	}
	t.down()
	return errors.Join(t.host.Close(), t.path.Close())
}
