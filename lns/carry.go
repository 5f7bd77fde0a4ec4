package lns

import (
	"sync"
	"time"

	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/ppp"
	"lnsgate/lns/session"
	"lnsgate/lns/trace"
)

// tcpHeaders is what IPv4 and TCP need of a packet besides the segment.
const tcpHeaders = 40

// open puts the session into the data path; when that is impossible the session is closing, and open says false.
func (c *call) open(o session.Opened, now time.Time) bool {
	t, s := c.tunnel, c.tunnel.server
	began := time.Now()
	carrier, err := s.deps.DataPath.Add(datapath.Spec{
		Key:         datapath.Key{Tunnel: uint16(t.id), Session: uint16(c.id)},
		Path:        t.path,
		PeerTunnel:  uint16(t.core.Peer().Tunnel),
		PeerSession: uint16(c.peer),
		Interface:   c.template,
		Address:     o.Address,
		Routes:      o.Routes,
		PeerMRU:     o.PeerMRU,
		MSS:         c.mss(o),
		IPv6:        o.IPv6,
		MSS6:        c.mss6(o),
		PFC:         o.Framing.PFC,
		ACFC:        o.Framing.ACFC,
		Sequencing:  c.sequenced,
		FirstNs:     c.nextNs,
		RateUp:      c.core.Decision().RateUp,
		RateDown:    c.core.Decision().RateDown,
		Filter:      c.filter,
	})
	if err != nil {
		c.close(trace.Because(trace.DataPathFault, "%v", err), now)
		return false
	}
	c.carrier = carrier
	c.attach(o)
	again := !c.openSince.IsZero()
	came := c.cameUp(o)
	c.notedOpen(o, time.Since(began), now)
	d, lease := c.core.Decision(), c.core.Lease()
	c.opened(now)
	if again && came {
		c.tellSoon(now)
	}
	c.log().Info("session open", "domain", d.Domain, "address", o.Address, "ipv6", o.IPv6, "pool", lease.Pool, "address_because", lease.Why,
		"template", c.template, "method", c.core.Method().String(), "peer_mru", o.PeerMRU, "setup", now.Sub(c.since).Round(time.Millisecond).String())
	return true
}

// attach makes the peer, and the networks behind it, reachable from the networks of this host.
func (c *call) attach(o session.Opened) {
	deps := c.tunnel.server.deps
	c.attached = o.Address
	if deps.Host != nil && c.attached.IsValid() {
		if err := deps.Host.Attach(c.template, c.attached); err != nil {
			c.log().Error("the peer cannot be reached from other hosts", "address", c.attached, "cause", err)
		}
	}
	routes := c.ownRoutes(o.IPv6)
	if c.attached.IsValid() {
		routes = append(routes, c.core.Decision().Routes...)
	}
	if deps.Router != nil && len(routes) > 0 {
		if err := deps.Router.AddRoutes(c.template, routes); err != nil {
			c.log().Error("a network behind the peer cannot be reached from this host", "routes", prefixes(routes), "cause", err)
		} else {
			c.routed = routes
		}
	}
}

func (c *call) detach() {
	deps := c.tunnel.server.deps
	if len(c.routed) > 0 {
		if err := deps.Router.RemoveRoutes(c.template, c.routed); err != nil {
			c.log().Error("a route to a network behind the peer is left behind", "routes", prefixes(c.routed), "cause", err)
		}
		c.routed = nil
	}
	if deps.Host == nil || !c.attached.IsValid() {
		return
	}
	if err := deps.Host.Detach(c.template, c.attached); err != nil {
		c.log().Error("a route or proxy ARP entry is left behind", "address", c.attached, "cause", err)
	}
}

// mss is the largest TCP segment that fits the link both ways; zero leaves TCP alone.
func (c *call) mss(o session.Opened) int {
	t := c.tunnel.server.config.Load().template(c.template)
	if t == nil {
		return 0
	}
	if t.MSS != MSSAuto {
		return t.MSS
	}
	return min(o.PeerMRU, o.LocalMRU) - tcpHeaders
}

// suspend takes the session out of the data path and keeps its figures.
func (c *call) suspend() {
	if c.carrier == nil {
		return
	}
	last := c.carrier.Close()
	c.nextNs = c.carrier.NextNs() // not earlier: until Close user data is numbered too
	c.carrier = nil
	c.before = sum(c.before, last)
	c.detach()
}

// counters are the session's figures over all its stays in the data path.
func (c *call) counters() datapath.Counters {
	if c.carrier == nil {
		return c.before
	}
	return sum(c.before, c.carrier.Counters())
}

func sum(a, b datapath.Counters) datapath.Counters {
	b.RxPackets += a.RxPackets
	b.RxOctets += a.RxOctets
	b.TxPackets += a.TxPackets
	b.TxOctets += a.TxOctets
	b.Drops += a.Drops
	if b.LastRx.IsZero() {
		b.LastRx = a.LastRx
	}
	if b.LastTx.IsZero() {
		b.LastTx = a.LastTx
	}
	return b
}

// frameBuffers hold a data message while it is sent.
var frameBuffers = sync.Pool{New: func() any { return new([2048]byte) }}

// send sends a PPP control frame to the peer.
func (c *call) send(f ppp.Frame) { c.sendTo(c.tunnel.path, f) }

// sendTo sends a PPP control frame to where the peer may be.
func (c *call) sendTo(path datapath.Path, f ppp.Frame) {
	t := c.tunnel
	buf := frameBuffers.Get().(*[2048]byte)
	defer frameBuffers.Put(buf)
	var head [4]byte
	pppHeader := ppp.AppendFrameHeader(head[:0], f.Protocol, c.core.Link().Framing)
	h := l2tp.Header{Length: true, Tunnel: t.core.Peer().Tunnel, Session: c.peer}
	if c.sequenced {
		h.Sequence, h.Ns = true, c.takeNs()
	}
	b := l2tp.AppendDataHeader(buf[:0], h, len(pppHeader)+len(f.Packet))
	b = append(b, pppHeader...)
	t.sendTo(path, append(b, f.Packet...))
}

func (c *call) takeNs() uint16 {
	if c.carrier != nil {
		return c.carrier.NextNs()
	}
	c.nextNs++
	return c.nextNs - 1
}
