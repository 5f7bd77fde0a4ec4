package neighbour

import (
	"net/netip"
	"slices"
	"time"

	"lnsgate/lns/neighbour/dhcp6"
)

// HostConfig is what the dialling end of a link wants.
type HostConfig struct {
	Local     netip.Addr // our link-local address
	Delegated bool       // ask for a prefix for the networks behind us
	DUID      []byte     // who we are in DHCPv6
}

// Learnt is what the router has said so far.
type Learnt struct {
	Router    netip.Addr // its link-local address; invalid before it was heard
	Link      netip.Prefix
	Address   netip.Addr   // ours, made of Link; invalid when hosts are not to make any
	Delegated netip.Prefix // invalid: none so far, or none at all
	DNS       []netip.Addr
	Routes    []netip.Prefix // that lead through the router, beside all else (RFC 4191)
	MTU       int            // 0: not said
}

// How often the router is asked, and how long apart (RFC 4861 section 10).
const (
	solicitations     = 3
	solicitInterval   = 4 * time.Second
	delegationTries   = 10
	firstDelegation   = time.Second // RFC 8415 section 7.6
	longestDelegation = 30 * time.Second
)

// Host is the dialling end of one link. It asks until it knows, and holds what it was told for as long as the link is up.
type Host struct {
	cfg      HostConfig
	learnt   Learnt
	asked    int       // router solicitations so far
	next     time.Time // when the next is due; zero: never
	wanted   int       // DHCPv6 messages so far
	nextWant time.Time
	pause    time.Duration
}

// NewHost makes the end of a link that has just come up. Its first question is due at once.
func NewHost(cfg HostConfig, now time.Time) *Host {
	h := &Host{cfg: cfg, next: now, pause: firstDelegation}
	if cfg.Delegated {
		h.nextWant = now
	}
	return h
}

// Learnt is what the router has said so far.
func (h *Host) Learnt() Learnt { return h.learnt }

// Done says that there is nothing left to ask for.
func (h *Host) Done() bool { return h.next.IsZero() && h.nextWant.IsZero() }

// Deadline is when Advance is due; zero means not at all.
func (h *Host) Deadline() time.Time {
	if h.next.IsZero() || !h.nextWant.IsZero() && h.nextWant.Before(h.next) {
		return h.nextWant
	}
	return h.next
}

// Advance returns the packets that are due.
func (h *Host) Advance(now time.Time) (packets [][]byte) {
	if !h.next.IsZero() && !now.Before(h.next) {
		packets = append(packets, icmp(h.cfg.Local, allRouters, []byte{typeRouterSolicitation, 0, 0, 0, 0, 0, 0, 0}))
		h.next = now.Add(solicitInterval)
		if h.asked++; h.asked == solicitations {
			h.next = time.Time{}
		}
	}
	if !h.nextWant.IsZero() && !now.Before(h.nextWant) {
		packets = append(packets, h.want())
		h.nextWant = now.Add(h.pause)
		h.pause = min(2*h.pause, longestDelegation)
		if h.wanted++; h.wanted == delegationTries {
			h.nextWant = time.Time{}
		}
	}
	return packets
}

func (h *Host) want() []byte {
	m := dhcp6.Message{Type: dhcp6.Solicit, Transaction: h.transaction(), Client: h.cfg.DUID, RapidCommit: true,
		Prefixes: []dhcp6.Identity{{ID: identityNumber}}}
	return datagram(h.cfg.Local, allServers, clientPort, serverPort, m.Bytes())
}

var identityNumber = [4]byte{0, 0, 0, 1}

// transaction is the number of the messages of this link. There is one server on it, so it need not be secret.
func (h *Host) transaction() [3]byte {
	id := h.cfg.Local.As16()
	return [3]byte(id[13:])
}

// Receive takes a packet from the router, and says whether it has told something new.
func (h *Host) Receive(b []byte) bool {
	p, ok := parse(b)
	if !ok || !p.sound() || !p.source.IsLinkLocalUnicast() || p.hops != linkHops {
		return false
	}
	before := h.learnt
	switch p.protocol {
	case protocolICMPv6:
		if a, ok := parseAdvert(p.payload); ok && a.lifetime > 0 {
			h.take(p.source, a)
		}
	case protocolUDP:
		if _, to, data, ok := p.udp(); ok && to == clientPort {
			h.takeReply(data)
		}
	}
	return before.Router != h.learnt.Router || before.Link != h.learnt.Link || before.Delegated != h.learnt.Delegated ||
		before.MTU != h.learnt.MTU || !slices.Equal(before.DNS, h.learnt.DNS)
}

func (h *Host) take(router netip.Addr, a advert) {
	h.next = time.Time{}
	h.learnt.Router, h.learnt.MTU, h.learnt.DNS, h.learnt.Routes = router, a.mtu, a.dns, a.routes
	h.learnt.Link, h.learnt.Address = a.prefix, netip.Addr{}
	if a.prefix.IsValid() && a.autonomous && a.prefix.Bits() == 64 { // RFC 4862 section 5.5.3
		address, local := a.prefix.Addr().As16(), h.cfg.Local.As16()
		copy(address[8:], local[8:])
		h.learnt.Address = netip.AddrFrom16(address)
	}
}

func (h *Host) takeReply(b []byte) {
	m, err := dhcp6.Parse(b)
	if err != nil || m.Type != dhcp6.Reply || m.Transaction != h.transaction() || !slices.Equal(m.Client, h.cfg.DUID) {
		return
	}
	h.nextWant = time.Time{}
	for _, i := range m.Prefixes {
		for _, g := range i.Grants {
			if i.ID == identityNumber && g.Valid > 0 && g.Prefix.IsValid() {
				h.learnt.Delegated = g.Prefix.Masked()
			}
		}
	}
}
