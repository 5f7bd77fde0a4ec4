package neighbour

import (
	"net/netip"
	"time"
)

// Config is what the peer of one link is told. It is not written any more once a Router has it.
type Config struct {
	Local, Peer netip.Addr   // the link-local addresses of both ends; Peer may be invalid
	Link        netip.Prefix // the session's prefix, of which the peer makes its addresses; invalid: none
	Address     netip.Addr   // given by DHCPv6; invalid: none
	Delegated   netip.Prefix // for the networks behind the peer, by DHCPv6; invalid: none
	DNS         []netip.Addr
	Routes      []netip.Prefix // that lead through us, for hosts with more than one way (RFC 4191)
	MTU         int            // the largest packet on the link, octets
	DUID        []byte         // who we are in DHCPv6: the same for all links, over restarts too
}

// How often, and for how long, things are said. A link that goes down takes all of it along, so it may last.
const (
	initialAdverts   = 3
	initialInterval  = 16 * time.Second // RFC 4861 section 6.2.4
	steadyInterval   = 25 * time.Minute
	routerLifetime   = 9000 * time.Second // the longest there is (RFC 4861 section 6.2.1)
	preferredForever = 7 * 24 * time.Hour
	validForever     = 30 * 24 * time.Hour
)

// A peer may ask in a row, and then once a second: it is not to have us send at its pace.
const (
	answersAtOnce = 8
	answerEvery   = time.Second
)

// Router is our end of one link. One owner at a time.
type Router struct {
	cfg      Config
	adverts  int       // sent by ourselves so far
	next     time.Time // when the next one is due
	restored Spent
}

// Spent is what a peer has used up of the answers that it gets: when they are whole again. Zero is nothing.
type Spent time.Time

// NewRouter makes the end of a link that has just come up, of a peer that has used up that much already. Its first advertisement
// is due at once.
func NewRouter(cfg Config, spent Spent, now time.Time) *Router {
	return &Router{cfg: cfg, restored: spent, next: now}
}

// Spent is what the peer has used up: the end of its next link begins with that.
func (r *Router) Spent() Spent { return r.restored }

// Config is what the peer is told.
func (r *Router) Config() Config { return r.cfg }

// Deadline is when Advance is due.
func (r *Router) Deadline() time.Time { return r.next }

// Advance returns the packets that are due; before Deadline there are none.
func (r *Router) Advance(now time.Time) [][]byte {
	if now.Before(r.next) {
		return nil
	}
	r.adverts++
	r.next = now.Add(steadyInterval)
	if r.adverts < initialAdverts {
		r.next = now.Add(initialInterval)
	}
	return [][]byte{r.advertise()}
}

func (r *Router) advertise() []byte {
	c := &r.cfg
	return icmp(c.Local, allNodes, advert{
		managed: c.Address.IsValid(), other: len(c.DNS) > 0 || c.Delegated.IsValid(),
		lifetime: routerLifetime,
		prefix:   c.Link, autonomous: c.Link.Bits() == 64, preferred: preferredForever, valid: validForever,
		mtu: c.MTU, dns: c.DNS[:min(len(c.DNS), maxServers)], dnsLifetime: routerLifetime,
		routes: c.Routes[:min(len(c.Routes), maxRoutes)],
	}.bytes())
}

// maxServers is how many name servers are told: hosts use no more (RFC 8106 section 5.3.1).
const maxServers = 3

// maxRoutes is how many routes are told, as many as may be on a link (RFC 4191 section 4). They fit beside all else.
const maxRoutes = 17

// Receive takes a packet that the peer has sent to its neighbour, and returns the answers. What is not for us, is broken, or
// comes too fast gets none.
func (r *Router) Receive(b []byte, now time.Time) [][]byte {
	p, ok := parse(b)
	if !ok || !p.sound() || p.source.IsMulticast() {
		return nil
	}
	var answer []byte
	switch p.protocol {
	case protocolICMPv6:
		answer = r.receiveICMP(p)
	case protocolUDP:
		answer = r.receiveUDP(p)
	}
	if answer == nil || !r.mayAnswer(now) {
		return nil
	}
	return [][]byte{answer}
}

func (r *Router) mayAnswer(now time.Time) bool {
	from := now
	if whole := time.Time(r.restored); whole.After(now) {
		from = whole
	}
	if from.Add(answerEvery).After(now.Add(answersAtOnce * answerEvery)) {
		return false
	}
	r.restored = Spent(from.Add(answerEvery))
	return true
}

func (r *Router) receiveICMP(p packet) []byte {
	m := p.payload
	if len(m) < 8 || m[1] != 0 {
		return nil
	}
	switch m[0] {
	case typeRouterSolicitation:
		if p.hops == linkHops && soundOptions(m[8:]) && (p.destination == allRouters || p.destination == r.cfg.Local) {
			return r.advertise()
		}
	case typeNeighbourSolicitation:
		return r.receiveSolicitation(p)
	case typeEchoRequest:
		if p.destination == r.cfg.Local && p.source.IsLinkLocalUnicast() {
			reply := append([]byte{typeEchoReply, 0, 0, 0}, m[4:]...)
			return icmp(r.cfg.Local, p.source, reply)
		}
	}
	return nil
}

// receiveSolicitation answers who asks whether we are there. It also defends our address against a peer that would take it
// (RFC 4862 section 5.4.3); there are no addresses of a lower layer on a PPP link.
func (r *Router) receiveSolicitation(p packet) []byte {
	m := p.payload
	if len(m) < 24 || p.hops != linkHops || !soundOptions(m[24:]) || netip.AddrFrom16([16]byte(m[8:24])) != r.cfg.Local {
		return nil
	}
	const router, solicited, override = 0x80, 0x40, 0x20
	flags, to := byte(router|solicited|override), p.source
	if p.source == unspecified {
		flags, to = router|override, allNodes
	}
	target := r.cfg.Local.As16()
	return icmp(r.cfg.Local, to, append([]byte{typeNeighbourAdvert, 0, 0, 0, flags, 0, 0, 0}, target[:]...))
}

func (r *Router) receiveUDP(p packet) []byte {
	_, to, data, ok := p.udp()
	if !ok || to != serverPort || !p.source.IsLinkLocalUnicast() || p.destination != allServers && p.destination != r.cfg.Local {
		return nil
	}
	reply := r.serve(data, p.destination == allServers)
	if reply == nil {
		return nil
	}
	return datagram(r.cfg.Local, p.source, serverPort, clientPort, reply)
}
