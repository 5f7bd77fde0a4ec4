package foreign

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"lnsgate/aaa"
	"lnsgate/pool"
)

// drawsAddress says that a login needs an address, and not one that is its own already.
func (s *Sessions) drawsAddress(e *entry, d *aaa.Decision) bool {
	return s.config.Pools != nil && s.client(&e.nas).Addresses == Given && !d.Address.IsValid() && len(d.Pools) > 0 && !e.leases[four].Address.IsValid()
}

// offer gives a login what it is to have, as the client wants it, and says so in the decision.
func (s *Sessions) offer(ctx context.Context, e *entry, d *aaa.Decision) error {
	if err := s.offerAddress(ctx, e, d); err != nil {
		return err
	}
	return s.offerPrefixes(ctx, e, d)
}

func (s *Sessions) offerAddress(ctx context.Context, e *entry, d *aaa.Decision) error {
	exact, pools := d.Address, d.Pools
	by := s.client(&e.nas).Addresses
	switch {
	case by == None:
		d.Address, d.Pools = netip.Addr{}, nil
		return nil
	case by == Named && !exact.IsValid():
		return nil
	case s.config.Pools == nil, !exact.IsValid() && len(pools) == 0:
		d.Pools = nil
		return nil
	}
	if have := e.leases[four].Address; e.live && have.IsValid() && (!exact.IsValid() || exact == have) { // it asks anew, and keeps what it has
		d.Address, d.Pools = have, nil
		return nil
	}
	// A login that asks anew has its offer for longer.
	request := pool.Request{Pools: pools, Account: d.Account, Address: exact, Holder: e.session, Offer: s.config.Offer}
	lease, err := s.allocate(ctx, request)
	if err != nil {
		return refusal(ctx, d, err)
	}
	s.offered(ctx, e, four, lease)
	if e.own[four] = exact.IsValid(); e.own[four] {
		s.passOn(e, lease)
	}
	d.Address, d.Pools = lease.Address, nil
	return nil
}

// passOn notes that the address of an account has gone from a login that waits for its Start to a newer one. Should that one begin all
// the same it must end, though the pools may be away then and not say so.
func (s *Sessions) passOn(e *entry, lease pool.Lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, there := s.book.offeredTo(lease.Address); there && old.session != e.session && old.account == e.account {
		s.book.doom(old.session, lost(four, lease))
	}
}

// offered notes an offer to a login. What it was offered before goes back.
func (s *Sessions) offered(ctx context.Context, e *entry, p part, lease pool.Lease) {
	if e.leases[p].Address.IsValid() && e.leases[p].Address != lease.Address {
		s.owe(e.session, debt{leases: []pool.Lease{e.leases[p]}})
	}
	e.leases[p] = lease
	if s.offers == nil {
		return
	}
	lease.Expires = s.config.Now().Add(s.config.Offer)
	if err := s.offers.Offered(ctx, lease); err != nil {
		s.config.Log.Warn("foreign: an offer could not be noted: if this process is killed now it may be offered twice",
			"address", textOf(lease), "session", e.session, "cause", err)
	}
}

// How often, and how long apart, an address is asked for whose holder is on its way out.
const (
	displaceTries = 20
	displacePause = 100 * time.Millisecond
)

// allocate asks the pools. When an account's own address is held by an earlier session of the same account, that one is a
// remnant: its NAS is told to end it, and the address is asked for until it is free.
func (s *Sessions) allocate(ctx context.Context, r pool.Request) (pool.Lease, error) {
	displaced := false
	for tries := 1; ; tries++ {
		lease, err := s.config.Pools.Allocate(ctx, r)
		var inUse *pool.InUseError
		if !errors.As(err, &inUse) || tries == displaceTries || s.config.Sender == nil {
			return lease, err
		}
		if !displaced && !s.displace(ctx, inUse.Holder, r.Account) {
			return lease, err
		}
		displaced = true
		pause(ctx, displacePause)
	}
}

// displace has the NAS end a session that holds an address, if it is one of the same account. False: it is not.
func (s *Sessions) displace(ctx context.Context, holder, account string) bool {
	return s.isOf(ctx, holder, account) &&
		s.Disconnect(ctx, holder, account+" has logged in anew, and its address is wanted")
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// refusal is a fault of the pools as the answer to a login.
func refusal(ctx context.Context, d *aaa.Decision, err error) error {
	var exhausted *pool.ExhaustedError
	var inUse *pool.InUseError
	var reserved *pool.ReservedError
	var unknown *pool.UnknownPoolError
	no := aaa.Reject(aaa.BackendUnavailable, "no address could be asked for: %v", err)
	switch {
	case errors.As(err, &exhausted), errors.As(err, &inUse), errors.As(err, &reserved):
		no = aaa.Reject(aaa.NoAddress, "%v", err)
	case errors.As(err, &unknown):
		no = aaa.Reject(aaa.Misconfigured, "%v", err).For(aaa.NoSuchPool)
	case errors.Is(err, pool.ErrNoPool):
		no = aaa.Reject(aaa.Misconfigured, "%v", err)
	case ctx.Err() != nil:
		no.Cause = aaa.Timeout
	}
	no.Err, no.Domain, no.Rule, no.Backend = err, d.Domain, d.Rule, d.Backend
	return no
}
