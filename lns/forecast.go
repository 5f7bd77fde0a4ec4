package lns

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"lnsgate/aaa"
)

// Match finds the l2tp group of a peer as a tunnel of it would; nil when none takes it.
func (c *Config) Match(hostName string, source netip.Addr) *Group { return c.match(hostName, source) }

// CheckRoutes says whether a session of the account could have these networks behind its peer now. Nothing is claimed. Sessions of the
// same account are no hindrance: they would give way. The error is a *aaa.Rejection.
func (s *Server) CheckRoutes(ctx context.Context, account string, peer netip.Addr, routes []aaa.Route) error {
	kept, err := s.claimable(peer, named(routes))
	if err != nil {
		return err
	}
	for _, network := range prefixes(kept) {
		c, taken := s.claims.taken("", []netip.Prefix{network})
		if taken && !s.isOf(ctx, c.holder, account) {
			return routeTaken(c)
		}
	}
	return nil
}

// isOf says whether a session of this node is one of the account.
func (s *Server) isOf(ctx context.Context, uid, account string) bool {
	name, ours := s.localName(uid)
	same := false
	return ours && s.askSession(ctx, name, func(c *call, _ time.Time) { same = c.core.Decision().Account == account }) && same
}

// HasTemplate says whether there is a virtual template of this name.
func (c *Config) HasTemplate(name string) bool {
	return slices.ContainsFunc(c.Templates, func(t Template) bool { return t.Name == name })
}
