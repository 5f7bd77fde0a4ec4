package session

import (
	"net/netip"
	"slices"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/negotiate"
	"lnsgate/lns/ppp"
	"lnsgate/lns/trace"
	"lnsgate/pool"
)

// Leased takes the answer to an AddressAsk. It says false when it is stale: the caller gives the lease back itself.
func (s *Session) Leased(generation uint32, lease pool.Lease, err error, now time.Time, out *Out) bool {
	if s.phase != Address || !s.arrived(generation) {
		return false
	}
	if err != nil && s.way().wish.IsValid() { // somebody else has it: one of the pools then
		s.askLease(netip.Addr{}, now, out)
		return true
	}
	if err != nil && !s.lease.Address.IsValid() { // with one it goes on without IPv6
		s.Drop(s.leaseVerdict(err), out)
		return true
	}
	if err == nil && lease.Address.IsValid() {
		s.lease = lease
	}
	s.negotiateNetworks(now, out)
	return true
}

// negotiateNetworks starts IPCP and IPv6CP, each with what it gives in hand.
func (s *Session) negotiateNetworks(now time.Time, out *Out) {
	s.phase = Network
	if s.lease.Address.IsValid() {
		s.negotiateAddress(now, out)
	}
	if s.hasPrefix() {
		s.negotiateIPv6(now, out)
	}
	s.replay(now, out)
}

// negotiateAddress starts IPCP, with the lease in hand.
func (s *Session) negotiateAddress(now time.Time, out *Out) {
	s.ipcp = negotiate.NewIPCP(negotiate.IPCPConfig{
		Local:   s.policy.LocalAddress,
		Assign:  s.lease.Address,
		DNS:     firstGiven(s.decision.DNS, s.policy.DNS),
		NBNS:    firstGiven(s.decision.NBNS, s.policy.NBNS),
		PeerMRU: s.lcp.Result().PeerMRU,
		Timing:  s.policy.Timing,
	})
	s.stepIPCP(out, now, func(o *negotiate.Out) {
		s.ipcp.Open(now, o)
		s.ipcp.Up(now, o)
	})
}

func firstGiven(a, b [2]netip.Addr) [2]netip.Addr {
	if a[0].IsValid() || a[1].IsValid() {
		return a
	}
	return b
}

// stepIPCP lets IPCP act and follows what changed.
func (s *Session) stepIPCP(out *Out, now time.Time, act func(*negotiate.Out)) {
	var o negotiate.Out
	act(&o)
	out.Frames = append(out.Frames, o.Frames...)
	for _, c := range o.Changes {
		s.networkChanged(c, now, out)
	}
}

// networkChanged follows a change of IPv4 or IPv6. The session is open while one of them is up; when the other comes or goes, the
// data path is told anew. It is over when neither can come up any more.
func (s *Session) networkChanged(c negotiate.Change, now time.Time, out *Out) {
	inUse := s.phase == Network || s.phase == Open
	switch {
	case c == negotiate.LayerUp && inUse:
		out.Suspend = out.Suspend || s.phase == Open
		s.open(now, out)
	case c == negotiate.LayerDown && s.phase == Open:
		out.Suspend, out.Open = true, nil
		s.phase = Network
		if s.carriesIPv4() || s.carriesIPv6() {
			s.open(now, out)
		}
	case c == negotiate.LayerFinished && inUse && !s.hopeful():
		s.Close(s.unusable(), now, out)
	}
}

func (s *Session) open(now time.Time, out *Out) {
	s.phase = Open
	s.onWay = nil
	s.lastActivity = now
	if s.endBy.IsZero() {
		s.endBy = deadlineAfter(now, s.decision.SessionTimeout)
	}
	if s.begun.IsZero() {
		s.begun = now
	}
	link := s.lcp.Result()
	out.Open = &Opened{
		PeerMRU:  s.peerMTU(link),
		LocalMRU: int(link.LocalMRU),
		Framing:  link.Framing,
	}
	if s.carriesIPv4() {
		out.Open.Address, out.Open.Routes = s.lease.Address, networks(s.decision.Routes)
	}
	if s.carriesIPv6() {
		out.Open.IPv6 = s.Prefixes().Networks()
		for _, p := range networks(s.decision.IPv6.Routes) {
			if !slices.Contains(out.Open.IPv6, p) {
				out.Open.IPv6 = append(out.Open.IPv6, p)
			}
		}
	}
}

// networks are the prefixes of routes.
func networks(routes []aaa.Route) []netip.Prefix {
	var prefixes []netip.Prefix
	for _, r := range routes {
		prefixes = append(prefixes, r.Prefix)
	}
	return prefixes
}

// peerMTU is the largest IP packet towards the peer: what it said it takes, no more than the domain or account allows.
func (s *Session) peerMTU(link negotiate.LCPResult) int {
	if s.decision.MTU > 0 && s.decision.MTU < int(link.PeerMRU) {
		return s.decision.MTU
	}
	return int(link.PeerMRU)
}

// protocolRejected follows the peer's Protocol-Reject: without IPCP a session is of no use, unless it has IPv6.
func (s *Session) protocolRejected(p ppp.Protocol, now time.Time, out *Out) {
	switch {
	case s.phase != Network && s.phase != Open:
	case p == ppp.IPv6CP && s.six != nil:
		s.stepIPv6CP(out, now, func(o *negotiate.Out) { s.six.ProtocolRejected(now, o) })
	case p == ppp.IPCP && s.ipcp != nil && s.six != nil && underway(s.six.State()):
		s.stepIPCP(out, now, func(o *negotiate.Out) { s.ipcp.ProtocolRejected(now, o) })
	case p == ppp.IPCP:
		s.Close(trace.Verdict{Cause: trace.IPCPRejected}, now, out)
	}
}

// Reauthorized takes a new decision for a session that has logged in, after the accounts or domains have changed: what can
// change under way applies from now on.
func (s *Session) Reauthorized(d aaa.Decision, now time.Time) {
	if s.phase == Open && d.SessionTimeout != s.decision.SessionTimeout {
		s.endBy = deadlineAfter(now, d.SessionTimeout)
	}
	s.decision.SessionTimeout, s.decision.IdleTimeout = d.SessionTimeout, d.IdleTimeout
	s.decision.RateUp, s.decision.RateDown, s.decision.Interim = d.RateUp, d.RateDown, d.Interim
	s.decision.Filter, s.decision.Accounting = d.Filter, d.Accounting
	s.decision.ClientRoutes, s.decision.DNSSuffix = d.ClientRoutes, d.DNSSuffix
}

// Change changes what an administrator or a RADIUS server wants different of an open session. The session timeout counts from
// when it opened.
func (s *Session) Change(c aaa.Change) {
	set(&s.decision.IdleTimeout, c.IdleTimeout)
	set(&s.decision.Interim, c.Interim)
	set(&s.decision.RateUp, c.RateUp)
	set(&s.decision.RateDown, c.RateDown)
	set(&s.decision.Filter, c.Filter)
	if c.Class != nil {
		s.decision.Class = c.Class
	}
	if c.SessionTimeout != nil {
		s.decision.SessionTimeout = *c.SessionTimeout
		s.endBy = deadlineAfter(s.begun, *c.SessionTimeout)
	}
}

func set[T any](value *T, change *T) {
	if change != nil {
		*value = *change
	}
}
