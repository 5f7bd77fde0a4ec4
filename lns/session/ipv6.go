package session

import (
	"net/netip"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/negotiate"
	"lnsgate/lns/neighbour"
	"lnsgate/lns/ppp"
	"lnsgate/lns/trace"
	"lnsgate/pool"
)

// unusable is why the session has neither IPv4 nor IPv6: what became of IPv4, unless it was to have none.
func (s *Session) unusable() trace.Verdict {
	if s.ipcp != nil {
		return s.networkVerdict(s.ipcp.Reason())
	}
	v := trace.Because(trace.IPCPNoAnswer, "it was to have IPv6 alone, and answers no IPv6CP")
	switch s.six.Reason() {
	case negotiate.PeerTerminated:
		v = trace.Because(trace.PeerClosedIPCP, "it was to have IPv6 alone, and closed IPv6CP")
	case negotiate.NotConverging:
		v = trace.Because(trace.IPCPNotConverging, "no agreement on interface identifiers (IPv6CP)")
	case negotiate.MandatoryRejected:
		v = trace.Because(trace.IPCPRejected, "it was to have IPv6 alone, and rejects IPv6CP")
	}
	v.Detail = joined(v.Detail, trace.TerminateText(s.six.PeerText()))
	return v
}

// minimumIPv6MTU is what a link must carry for IPv6 (RFC 8200 section 5).
const minimumIPv6MTU = 1280

// Prefixes are the leases of a session for IPv6. Their Address is zero where there is none.
type Prefixes struct {
	Link      pool.Lease // of which the peer makes its addresses
	Delegated pool.Lease // for the networks behind the peer
}

// All lists the leases that there are.
func (p Prefixes) All() []pool.Lease {
	var all []pool.Lease
	for _, l := range []pool.Lease{p.Link, p.Delegated} {
		if l.Address.IsValid() {
			all = append(all, l)
		}
	}
	return all
}

// Networks are the prefixes themselves.
func (p Prefixes) Networks() []netip.Prefix {
	var all []netip.Prefix
	for _, l := range p.All() {
		all = append(all, l.Prefix())
	}
	return all
}

// Prefixes returns what the session holds for IPv6.
func (s *Session) Prefixes() Prefixes {
	if s.prefixes == nil {
		return Prefixes{}
	}
	return *s.prefixes
}

// hasPrefix says whether the session holds a prefix for the link.
func (s *Session) hasPrefix() bool { return s.prefixes != nil && s.prefixes.Link.Address.IsValid() }

// InterfaceID returns the peer's identifier on the link, as agreed by IPv6CP; zero when IPv6 is not up.
func (s *Session) InterfaceID() negotiate.InterfaceID {
	if !s.carriesIPv6() {
		return negotiate.InterfaceID{}
	}
	return s.six.Result().Peer
}

// LeasedPrefixes takes prefixes in answer to an AddressAsk, in front of Leased. It says false when it is stale: the caller
// gives the leases back itself.
func (s *Session) LeasedPrefixes(generation uint32, p Prefixes) bool {
	if s.phase != Address || !s.Awaits(generation) || s.hasPrefix() {
		return false
	}
	s.prefixes = &p
	return true
}

// wantsIPv6 says whether the session is to have IPv6: the virtual template speaks it, there is a prefix to be had, and the
// link carries what it must.
func (s *Session) wantsIPv6() bool {
	d, link := &s.decision, s.lcp.Result()
	return s.policy.IPv6 && (len(d.IPv6.Prefixes) > 0 || len(d.IPv6Pools) > 0) &&
		s.peerMTU(link) >= minimumIPv6MTU && link.LocalMRU >= minimumIPv6MTU
}

// wantsIPv4 says whether the session is to have IPv4: always, unless it has IPv6 and nothing says where an IPv4 address
// would come from.
func (s *Session) wantsIPv4() bool {
	d := &s.decision
	return d.Address.IsValid() || len(d.Pools) > 0 || d.AddressByPeer || !s.wantsIPv6()
}

// lacksIPv4 and lacksIPv6 say whether the session is to have what it does not hold.
func (s *Session) lacksIPv4() bool { return s.wantsIPv4() && !s.lease.Address.IsValid() }
func (s *Session) lacksIPv6() bool { return s.wantsIPv6() && !s.hasPrefix() }

// provided says whether the session holds all that it is to have.
func (s *Session) provided() bool { return !s.lacksIPv4() && !s.lacksIPv6() }

// fitsIPv6 says whether the prefixes from before a renegotiation serve the account that has now logged in.
func (s *Session) fitsIPv6(d *aaa.Decision) bool {
	has := s.Prefixes()
	fixed := func(l pool.Lease, own []netip.Prefix) bool { return len(own) == 0 || l.Prefix() == own[0].Masked() }
	return s.wantsIPv6() && has.Link.Account == d.Account && fixed(has.Link, d.IPv6.Prefixes) && fixed(has.Delegated, d.IPv6.Delegated)
}

// negotiateIPv6 starts IPv6CP, with a prefix in hand.
func (s *Session) negotiateIPv6(now time.Time, out *Out) {
	var suggested [8]byte
	s.fill(suggested[:])
	suggested[0] &^= 2 // of no global meaning (RFC 4291 section 2.5.1)
	suggested[7] |= 1  // not zero
	s.six = negotiate.NewIPv6CP(negotiate.IPv6CPConfig{
		Local:   negotiate.InterfaceIDOf(1),
		Assign:  negotiate.InterfaceIDOf(s.decision.IPv6.InterfaceID),
		Suggest: suggested,
		PeerMRU: s.lcp.Result().PeerMRU,
		Timing:  s.policy.Timing,
	})
	s.stepIPv6CP(out, now, func(o *negotiate.Out) {
		s.six.Open(now, o)
		s.six.Up(now, o)
	})
}

// stepIPv6CP lets IPv6CP act and follows what changed.
func (s *Session) stepIPv6CP(out *Out, now time.Time, act func(*negotiate.Out)) {
	var o negotiate.Out
	act(&o)
	out.Frames = append(out.Frames, o.Frames...)
	for _, c := range o.Changes {
		switch c {
		case negotiate.LayerUp:
			s.router = neighbour.NewRouter(s.neighbourConfig(), s.spent, now)
		case negotiate.LayerDown:
			s.dropRouter()
		}
		s.networkChanged(c, now, out)
	}
	if s.router != nil { // behind the Configure-Ack, which lets the peer listen
		s.sayIPv6(s.router.Advance(now), out)
	}
}

func (s *Session) neighbourConfig() neighbour.Config {
	agreed, link, prefixes := s.six.Result(), s.lcp.Result(), s.Prefixes()
	c := neighbour.Config{
		Local: agreed.Local.LinkLocal(), Peer: agreed.Peer.LinkLocal(), Link: prefixes.Link.Prefix(),
		DNS: s.policy.IPv6DNS, MTU: min(s.peerMTU(link), int(link.LocalMRU)), DUID: s.policy.DUID,
	}
	if len(s.decision.IPv6.DNS) > 0 {
		c.DNS = s.decision.IPv6.DNS
	}
	c.Routes = s.decision.IPv6.Advertised
	if prefixes.Delegated.Address.IsValid() {
		c.Delegated = prefixes.Delegated.Prefix()
	}
	if a := s.decision.IPv6.Address; c.Link.Contains(a) {
		c.Address = a
	}
	return c
}

// hearIPv6 takes what the peer says to its neighbour.
func (s *Session) hearIPv6(packet []byte, now time.Time, out *Out) bool {
	if s.router == nil || s.phase != Open {
		return false
	}
	s.sayIPv6(s.router.Receive(packet, now), out)
	return true
}

func (s *Session) sayIPv6(packets [][]byte, out *Out) {
	for _, p := range packets {
		out.Frames = append(out.Frames, ppp.Frame{Protocol: ppp.IPv6, Packet: p})
	}
}

// advanceIPv6 lets time pass for IPv6.
func (s *Session) advanceIPv6(now time.Time, out *Out) {
	if s.six != nil {
		s.stepIPv6CP(out, now, func(o *negotiate.Out) { s.six.Advance(now, o) })
	}
}

// deadlineIPv6 is when advanceIPv6 is due; zero is never.
func (s *Session) deadlineIPv6() time.Time {
	var d time.Time
	if s.six != nil {
		d = s.six.Deadline()
	}
	if s.router != nil {
		d = earliest(d, s.router.Deadline())
	}
	return d
}

// dropNetworks forgets what was agreed above LCP.
func (s *Session) dropNetworks() {
	s.dropRouter()
	s.ipcp, s.six = nil, nil
}

// dropRouter ends our end of the link. What the peer has used up of its patience stays so.
func (s *Session) dropRouter() {
	if s.router != nil {
		s.spent = s.router.Spent()
	}
	s.router = nil
}

func (s *Session) carriesIPv4() bool { return s.ipcp != nil && s.ipcp.State() == negotiate.Opened }

func (s *Session) carriesIPv6() bool { return s.six != nil && s.six.State() == negotiate.Opened }

// hopeful says whether IPv4 or IPv6 is up, or may still come up.
func (s *Session) hopeful() bool {
	return s.ipcp != nil && underway(s.ipcp.State()) || s.six != nil && underway(s.six.State())
}

func underway(state negotiate.State) bool {
	switch state {
	case negotiate.ReqSent, negotiate.AckRcvd, negotiate.AckSent, negotiate.Opened:
		return true
	}
	return false
}
