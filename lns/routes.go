package lns

import (
	"context"
	"net/netip"
	"slices"
	"sync"

	"lnsgate/aaa"
)

// claims are the networks that live sessions have behind them. No two of them overlap, so they are kept in the order of their
// addresses. It is safe for concurrent use.
type claims struct {
	mu   sync.Mutex // guards all below
	held []claim
	few  map[string]struct{} // who holds any
}

type claim struct {
	network netip.Prefix
	holder  string // a session, by its unique name
}

// claim gives the networks to a session, in the place of what it had before; none, and the claim in the way, when one overlaps
// that of another session.
func (cl *claims) claim(uid string, networks []netip.Prefix) (claim, bool) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	for _, n := range networks {
		if c, taken := cl.overlapping(n, uid); taken {
			return c, false
		}
	}
	cl.drop(uid)
	for _, n := range networks {
		i, _ := cl.search(n)
		cl.held = slices.Insert(cl.held, i, claim{n, uid})
	}
	if len(networks) > 0 {
		if cl.few == nil {
			cl.few = make(map[string]struct{})
		}
		cl.few[uid] = struct{}{}
	}
	return claim{}, true
}

// taken finds a claim of another session that overlaps one of the networks.
func (cl *claims) taken(uid string, networks []netip.Prefix) (claim, bool) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	for _, n := range networks {
		if c, taken := cl.overlapping(n, uid); taken {
			return c, true
		}
	}
	return claim{}, false
}

// overlapping looks before the network for one that holds it, and from it on for those that it holds.
func (cl *claims) overlapping(n netip.Prefix, uid string) (claim, bool) {
	i, _ := cl.search(n)
	for i = max(i-1, 0); i < len(cl.held); i++ {
		c := cl.held[i]
		switch {
		case c.network.Overlaps(n):
			if c.holder != uid {
				return c, true
			}
		case n.Addr().Less(c.network.Addr()):
			return claim{}, false
		}
	}
	return claim{}, false
}

func (cl *claims) search(n netip.Prefix) (int, bool) {
	return slices.BinarySearchFunc(cl.held, n, func(c claim, n netip.Prefix) int { return c.network.Addr().Compare(n.Addr()) })
}

// release takes back all that a session has.
func (cl *claims) release(uid string) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.drop(uid)
}

func (cl *claims) drop(uid string) {
	if _, any := cl.few[uid]; !any {
		return
	}
	delete(cl.few, uid)
	cl.held = slices.DeleteFunc(cl.held, func(c claim) bool { return c.holder == uid })
}

// claimRoutes gives a session the networks behind its peer, less those within others of them. The peer is where its tunnel comes
// from: what is sent there must not go into the tunnel again. The error is a *aaa.Rejection that says which cannot be there, and
// why. Implied routes that cannot be are left out, and told of.
func (s *Server) claimRoutes(uid string, peer netip.Addr, routes []aaa.Route) (kept []aaa.Route, leftOut []error, err error) {
	if kept, err = s.claimAll(uid, peer, named(routes)); err != nil {
		return nil, nil, err
	}
	for _, r := range routes {
		if !r.Implied {
			continue
		}
		if more, err := s.claimAll(uid, peer, append(slices.Clone(kept), r)); err != nil {
			leftOut = append(leftOut, err)
		} else {
			kept = more
		}
	}
	return kept, leftOut, nil
}

// claimAll gives a session all of the networks in the place of those that it has, or none.
func (s *Server) claimAll(uid string, peer netip.Addr, routes []aaa.Route) ([]aaa.Route, error) {
	kept, err := s.claimable(peer, routes)
	if err != nil {
		return nil, err
	}
	if c, ok := s.claims.claim(uid, prefixes(kept)); !ok {
		return nil, routeTaken(c)
	}
	return kept, nil
}

func routeTaken(c claim) error {
	return aaa.Reject(aaa.Misconfigured, "the route to a network behind the peer overlaps %s, which is behind session %s", c.network, c.holder).For(aaa.RouteTaken)
}

// claimable says which of the networks a session would claim, and why one of them cannot be behind any.
func (s *Server) claimable(peer netip.Addr, routes []aaa.Route) ([]aaa.Route, error) {
	if len(routes) > 0 && !s.deps.DataPath.Capabilities().Routes {
		return nil, aaa.Reject(aaa.Misconfigured, "this data path carries no networks behind peers, such as %s", routes[0].Prefix)
	}
	kept, err := widest(routes)
	if err != nil {
		return nil, err
	}
	if err := s.config.Load().reserved(kept); err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(kept, func(r aaa.Route) bool { return r.Prefix.Contains(peer.Unmap()) }); i >= 0 {
		return nil, aaa.Reject(aaa.Misconfigured, "the route to %s behind the peer takes in %s, the way to the peer itself", kept[i].Prefix, peer).For(aaa.RouteTaken)
	}
	return kept, nil
}

// widest leaves out the networks that are within another one.
func widest(routes []aaa.Route) ([]aaa.Route, error) {
	var kept []aaa.Route
	for _, r := range routes {
		if !r.Prefix.IsValid() || r.Prefix.Addr().Is4In6() || r.Prefix.Bits() == 0 && r.Prefix.Addr().Is6() {
			return nil, aaa.Reject(aaa.Misconfigured, "the route to %s is not to a network that can be behind a peer", r.Prefix)
		}
		r.Prefix = r.Prefix.Masked()
		if slices.ContainsFunc(kept, func(k aaa.Route) bool { return within(r.Prefix, k.Prefix) }) {
			continue
		}
		kept = slices.DeleteFunc(kept, func(k aaa.Route) bool { return within(k.Prefix, r.Prefix) })
		kept = append(kept, r)
	}
	return kept, nil
}

// ownAddress returns the address of the virtual template that is in a network; the zero address when none is.
func (t *Template) ownAddress(p netip.Prefix) netip.Addr {
	for _, own := range []netip.Addr{t.Address, t.Address6} {
		if p.Contains(own) {
			return own
		}
	}
	return netip.Addr{}
}

// bothFamilies are the networks behind the peer that a decision names, those of IPv6 behind those of IPv4.
func bothFamilies(d *aaa.Decision) []aaa.Route {
	if len(d.IPv6.Routes) == 0 {
		return d.Routes
	}
	return append(slices.Clone(d.Routes), d.IPv6.Routes...)
}

// byFamily takes them apart again.
func byFamily(routes []aaa.Route) (four, six []aaa.Route) {
	for _, r := range routes {
		if r.Prefix.Addr().Is4() {
			four = append(four, r)
		} else {
			six = append(six, r)
		}
	}
	return four, six
}

// within says that all of a is in b.
func within(a, b netip.Prefix) bool { return a.Bits() >= b.Bits() && b.Contains(a.Addr()) }

// named leaves out what follows from a netmask alone, and what is not behind the peer at all.
func named(routes []aaa.Route) []aaa.Route {
	return slices.DeleteFunc(slices.Clone(routes), func(r aaa.Route) bool { return r.Implied || r.Gateway.IsValid() })
}

func prefixes(routes []aaa.Route) []netip.Prefix {
	var all []netip.Prefix
	for _, r := range routes {
		all = append(all, r.Prefix)
	}
	return all
}

// reserved says which route leads where something else is already.
func (c *Config) reserved(routes []aaa.Route) error {
	for _, r := range routes {
		for _, other := range c.Reserved {
			if other.Network.Overlaps(r.Prefix) {
				return aaa.Reject(aaa.Misconfigured, "the route to %s behind the peer overlaps %s (%s)", r.Prefix, other.What, other.Network).For(aaa.RouteTaken)
			}
		}
		for _, t := range c.Templates {
			if own := t.ownAddress(r.Prefix); own.IsValid() {
				return aaa.Reject(aaa.Misconfigured, "the route to %s behind the peer takes in %s, our own address on virtual template %q", r.Prefix, own, t.Name).For(aaa.RouteTaken)
			}
		}
	}
	return nil
}

// clearRoutes has earlier sessions of the same account give way that still have the networks of this login: they are remnants
// of a connection that broke.
func (s *Server) clearRoutes(ctx context.Context, uid string, d *aaa.Decision) {
	networks := prefixes(named(bothFamilies(d)))
	for tries := 0; tries < maxRemnants; tries++ {
		c, taken := s.claims.taken(uid, networks)
		if !taken || !s.displace(ctx, c.holder, d.Account) {
			return
		}
	}
}

// maxRemnants is how many earlier sessions may have to give way to one.
const maxRemnants = 64
