package lns

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"lnsgate/aaa"
	"lnsgate/lns/datapath"
	"lnsgate/lns/ppp"
	"lnsgate/lns/session"
	"lnsgate/pool"
)

// tcpHeaders6 is what IPv6 and TCP need of a packet besides the segment.
const tcpHeaders6 = 60

// duid is who this node is in DHCPv6: of the type that is a UUID (RFC 6355), which follows from its name, so that it is the
// same after a restart.
func duid(node string) []byte {
	hash := sha256.Sum256([]byte("DHCPv6 server of lnsgate node " + node))
	return append([]byte{0, 4}, hash[:16]...)
}

// mss6 is the largest TCP segment that fits the link over IPv6; zero leaves TCP alone.
func (c *call) mss6(o session.Opened) int {
	t := c.tunnel.server.config.Load().template(c.template)
	switch fits := min(o.PeerMRU, o.LocalMRU) - tcpHeaders6; {
	case t == nil || t.MSS == 0:
		return 0
	case t.MSS == MSSAuto:
		return fits
	default:
		return min(t.MSS, fits)
	}
}

// forNeighbour says whether a PPP frame is one that a session answers although it is user traffic: what the two ends of an
// IPv6 link say to each other.
func forNeighbour(p ppp.Protocol, packet []byte) bool {
	return p == ppp.IPv6 && datapath.ForNeighbour(packet)
}

// leasePrefixes asks the pools for what a session is to have for IPv6: a prefix for its link, and one for the networks behind
// the peer where the decision has any. A session without the second is none the worse for it.
func (s *Server) leasePrefixes(ctx context.Context, d *aaa.Decision, holder string) (p session.Prefixes, err, lesser error) {
	if p.Link, err = s.leasePrefix(ctx, d, holder, d.IPv6.Prefixes, d.IPv6Pools); err != nil {
		return session.Prefixes{}, err, nil
	}
	if len(d.IPv6.Delegated) > 0 || len(d.DelegatedPools) > 0 {
		p.Delegated, lesser = s.leasePrefix(ctx, d, holder, d.IPv6.Delegated, d.DelegatedPools)
	}
	return p, nil, lesser
}

// leasePrefix leases the account's own prefix, or one of the pools.
func (s *Server) leasePrefix(ctx context.Context, d *aaa.Decision, holder string, own []netip.Prefix, pools []string) (pool.Lease, error) {
	r := pool.Request{Pools: pools, Account: d.Account, Holder: holder}
	if len(own) > 0 {
		if err := s.config.Load().fitForPeer(own[0]); err != nil {
			return pool.Lease{}, err
		}
		r.Address, r.PrefixLength = own[0].Masked().Addr(), own[0].Bits()
	}
	lease, err := s.lease(ctx, r)
	if err == nil && (lease.PrefixLength == 0 || !lease.Address.Is6()) {
		s.release(lease)
		return pool.Lease{}, fmt.Errorf("pool %q gives single addresses, and IPv6 needs prefixes: give it a prefix_length", lease.Pool)
	}
	return lease, err
}

// fitForPeer says whether an account's own prefix can be led to a peer.
func (c *Config) fitForPeer(p netip.Prefix) error {
	if !p.Addr().Is6() || p.Addr().Is4In6() || p.Bits() < 16 || p.Bits() > 126 || !p.Addr().IsGlobalUnicast() {
		return fmt.Errorf("no peer can have the prefix %s", p)
	}
	for _, r := range c.Reserved {
		if r.Pool == "" && r.Network.Overlaps(p) {
			return fmt.Errorf("no peer can have the prefix %s, which overlaps %s (%s)", p, r.What, r.Network)
		}
	}
	if i := slices.IndexFunc(c.Templates, func(t Template) bool { return p.Contains(t.Address6) }); i >= 0 {
		return fmt.Errorf("no peer can have the prefix %s, which holds our own address on virtual template %q", p, c.Templates[i].Name)
	}
	return nil
}

// leaseAll asks the pools for all that a session is to have.
func (s *Server) leaseAll(ctx context.Context, c *call, a session.AddressAsk, r pool.Request) (answer leaseAnswer) {
	answer = leaseAnswer{call: c, generation: a.Generation}
	var lesser error
	if a.IPv6 {
		answer.prefixes, answer.prefixErr, lesser = s.leasePrefixes(ctx, a.Decision, r.Holder)
		answer.prefixErr = errors.Join(answer.prefixErr, lesser)
	}
	switch {
	case a.IPv4:
		answer.lease, answer.err = s.lease(ctx, r)
	case !answer.prefixes.Link.Address.IsValid():
		answer.err = answer.prefixErr
	}
	return answer
}

// takePrefixes hands prefixes to the session, or back when it has no use for them.
func (c *call) takePrefixes(a leaseAnswer) {
	if a.prefixErr != nil {
		c.log().Warn("the session goes without all of the IPv6 that it is to have", "cause", a.prefixErr)
	}
	if all := a.prefixes.All(); len(all) > 0 && !c.core.LeasedPrefixes(a.generation, a.prefixes) {
		for _, lease := range all {
			c.decline(lease)
		}
	}
}

// otherPrefixes says that an account has other prefixes of its own than it had.
func otherPrefixes(before, after aaa.IPv6) bool {
	return !slices.Equal(before.Prefixes, after.Prefixes) || !slices.Equal(before.Delegated, after.Delegated)
}

// cameUp notes the peer's identifier, and says whether IPv6 has come up since the session was in the data path before.
func (c *call) cameUp(o session.Opened) bool {
	if len(o.IPv6) == 0 {
		return false
	}
	before := c.interfaceID
	c.interfaceID = c.core.InterfaceID().Number()
	return c.interfaceID != before
}

// ownRoutes are the routes of IPv6 that no pool leads into the virtual template: of the session's own prefixes, and of the networks
// behind its peer.
func (c *call) ownRoutes(carried []netip.Prefix) []aaa.Route {
	var routes []aaa.Route
	for _, l := range c.core.Prefixes().All() {
		if l.Pool == "" && slices.Contains(carried, l.Prefix()) {
			routes = append(routes, aaa.Route{Prefix: l.Prefix()})
		}
	}
	for _, r := range c.core.Decision().IPv6.Routes {
		if slices.Contains(carried, r.Prefix) && !slices.ContainsFunc(c.core.Prefixes().Networks(), func(p netip.Prefix) bool { return p == r.Prefix }) {
			routes = append(routes, r)
		}
	}
	return routes
}
