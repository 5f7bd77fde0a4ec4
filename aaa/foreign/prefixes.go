package foreign

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"lnsgate/aaa"
	"lnsgate/pool"
)

// wish is what a decision says of one of the prefixes: those of the account's own, or the pools, and the name of the account's own pool.
type wish struct {
	own   *[]netip.Prefix
	lent  *netip.Prefix
	name  *string
	pools *[]string
}

func wishOf(d *aaa.Decision, p part) wish {
	if p == delegated {
		return wish{&d.IPv6.Delegated, &d.Lent.Delegated, &d.IPv6.DelegatedPool, &d.DelegatedPools}
	}
	return wish{&d.IPv6.Prefixes, &d.Lent.Prefix, &d.IPv6.Pool, &d.IPv6Pools}
}

// drawsPrefix says that a login is to have a prefix out of a pool that it does not have yet.
func (s *Sessions) drawsPrefix(e *entry, d *aaa.Decision) bool {
	if s.config.Pools == nil || s.client(&e.nas).Addresses != Given {
		return false
	}
	for _, p := range prefixes {
		if w := wishOf(d, p); len(*w.own) == 0 && len(*w.pools) > 0 && !e.leases[p].Address.IsValid() {
			return true
		}
	}
	return false
}

// offerPrefixes gives a login its prefixes, and says so in the decision. It follows the rules of our own sessions: without the prefix of
// its link a session has none of our IPv6, and goes on with its address if it has one; without the other it is none the worse.
// Whether the user speaks IPv6 shows only later, so a prefix that is not used goes back with the session.
func (s *Sessions) offerPrefixes(ctx context.Context, e *entry, d *aaa.Decision) error {
	for _, p := range prefixes {
		e.own[p] = len(*wishOf(d, p).own) > 0
	}
	by := s.client(&e.nas).Addresses
	if by == Named {
		return nil // the NAS has pools of these names
	}
	if by == Given && s.config.Pools != nil {
		err := s.offerPrefix(ctx, e, d, link)
		if err != nil && !d.Address.IsValid() {
			return refusal(ctx, d, err)
		}
		if err == nil {
			err = s.offerPrefix(ctx, e, d, delegated)
		}
		if err != nil {
			s.goesWithout(e, err)
		}
	}
	d.IPv6Pools, d.DelegatedPools = nil, nil // it has none of these names: they are those of our own sessions
	return nil
}

// offerPrefix gives a login one prefix, unless its account has one of its own.
func (s *Sessions) offerPrefix(ctx context.Context, e *entry, d *aaa.Decision, p part) error {
	w, have := wishOf(d, p), e.leases[p]
	switch {
	case len(*w.own) > 0 || len(*w.pools) == 0:
		if have.Address.IsValid() && !e.live { // it was offered before the account had its own
			s.owe(e.session, debt{leases: []pool.Lease{have}})
			e.drop(p)
		}
		return nil
	case e.live && have.Address.IsValid(): // it asks anew, and keeps what it has
		w.grant(have)
		return nil
	}
	lease, err := s.config.Pools.Allocate(ctx, pool.Request{Pools: e.poolsFor(p, *w.pools), Account: d.Account, Holder: e.session, Offer: s.config.Offer})
	var unknown *pool.UnknownPoolError
	switch {
	case errors.As(err, &unknown) && *w.name != "":
		return nil // the account has it of another server: the NAS may know it
	case err != nil:
		return err
	case p == delegated && lease.Address == e.leases[link].Address: // whoever asks again has what it has
		return fmt.Errorf("pool %q is to give the prefix of the link and the delegated one of one session: make two pools of it", lease.Pool)
	case lease.PrefixLength == 0 || !lease.Address.Is6():
		s.owe(e.session, debt{leases: []pool.Lease{lease}})
		return fmt.Errorf("pool %q gives single addresses, and IPv6 needs prefixes: give it a prefix_length", lease.Pool)
	}
	s.offered(ctx, e, p, lease)
	w.grant(lease)
	return nil
}

// poolsFor are the pools that a prefix may come from: not the one that has given the other prefix, which it would give again, unless
// there is no other pool.
func (e *entry) poolsFor(p part, pools []string) []string {
	other := e.leases[link].Pool
	if p == link {
		other = e.leases[delegated].Pool
	}
	rest := slices.DeleteFunc(slices.Clone(pools), func(name string) bool { return name == other })
	if len(rest) == 0 {
		return pools
	}
	return rest
}

// grant says that it is to have this prefix.
func (w wish) grant(l pool.Lease) {
	*w.own, *w.lent, *w.name = []netip.Prefix{l.Prefix()}, l.Prefix(), ""
}

func (s *Sessions) goesWithout(e *entry, why error) {
	s.config.Log.Warn("foreign: a session goes without all of the IPv6 that it is to have", "session", e.session, "user", e.name, "nas", e.nas.Name,
		"cause", why)
}
