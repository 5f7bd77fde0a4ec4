package foreign

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"lnsgate/aaa"
	"lnsgate/pool"
)

// drawsFromPool says that a login needs an address, and not one that is its own already.
func (s *Sessions) drawsFromPool(e *entry, d *aaa.Decision) bool {
	return s.config.Pools != nil && s.client(&e.nas).Addresses == Given && !d.Address.IsValid() && len(d.Pools) > 0 && !e.lease.Address.IsValid()
}

// offer gives a login its address, as the client wants it, and says so in the decision.
func (s *Sessions) offer(ctx context.Context, e *entry, d *aaa.Decision) error {
	exact, pools := d.Address, d.Pools
	by := s.client(&e.nas).Addresses
	if by != Named { // the NAS has no pools of these names: they are those of our own sessions
		d.IPv6Pools, d.DelegatedPools = nil, nil
	}
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
	if have := e.lease.Address; e.live && have.IsValid() && (!exact.IsValid() || exact == have) { // it asks anew, and keeps what it has
		d.Address, d.Pools = have, nil
		return nil
	}
	// A login that asks anew has its offer for longer.
	request := pool.Request{Pools: pools, Account: d.Account, Address: exact, Holder: e.session, Offer: s.config.Offer}
	lease, err := s.allocate(ctx, request)
	if err != nil {
		return refusal(ctx, d, err)
	}
	if e.lease.Address.IsValid() && e.lease.Address != lease.Address {
		s.owe(e.session, debt{lease: e.lease})
	}
	e.lease, e.own = lease, exact.IsValid()
	if s.offers != nil {
		lease.Expires = s.config.Now().Add(s.config.Offer)
		if err := s.offers.Offered(ctx, lease); err != nil {
			s.config.Log.Warn("foreign: an offered address could not be noted: if this process is killed now it may be offered twice",
				"address", lease.Address, "session", e.session, "cause", err)
		}
	}
	d.Address, d.Pools = lease.Address, nil
	return nil
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

// keep binds the address that a record tells of. The session goes on whatever comes of it: it has the address.
func (s *Sessions) keep(ctx context.Context, e *entry, r *aaa.Record) error {
	if s.config.Pools == nil {
		return nil
	}
	if had := e.lease.Address; had.IsValid() && r.Address.IsValid() && had != r.Address {
		s.figures.moved.Add(1)
		s.config.Log.Warn("foreign: a session has another address than the one it was given; does the NAS have a pool of its own?",
			"session", e.session, "user", r.Name, "nas", r.NAS.Name, "given", had, "has", r.Address)
		s.owe(e.session, debt{lease: e.lease})
		e.lease, e.own = pool.Lease{}, false
	}
	if !r.Address.IsValid() {
		r.Address = e.lease.Address
	}
	switch {
	case !r.Address.IsValid():
		return nil
	case e.lease.Address != r.Address && s.client(r.NAS).Addresses != Given:
		return nil // it is of the NAS
	case e.lease.Address != r.Address:
		e.lease = pool.Lease{Address: r.Address}
	}
	return s.keepAgain(ctx, e)
}

// keepAgain prolongs the lease of a session. An address that is another's is told, and is none of this session.
func (s *Sessions) keepAgain(ctx context.Context, e *entry) error {
	if !e.lease.Address.IsValid() || s.config.Pools == nil {
		return nil
	}
	e.lease.Account, e.lease.Holder = e.account, e.session
	s.mu.Lock()
	until := s.config.Now().Add(s.book.patience(e.nas.Name, e.terms, max(e.sequence, firstSequence)))
	s.mu.Unlock()
	err := s.config.Pools.Keep(ctx, e.lease, until)
	var inUse *pool.InUseError
	if errors.As(err, &inUse) && s.takeOver(ctx, e, inUse.Holder) {
		err = s.config.Pools.Keep(ctx, e.lease, until)
	}
	if !errors.As(err, &inUse) {
		if err == nil {
			e.rival = ""
		}
		return err
	}
	if e.rival != inUse.Holder {
		s.figures.conflicts.Add(1)
		s.config.Log.Error("foreign: two sessions say they have the same address: find out which of the NASes gives addresses of its own",
			"address", e.lease.Address, "session", e.session, "user", e.name, "nas", e.nas.Name, "other", inUse.Holder)
	}
	e.rival, e.lease, e.own = inUse.Holder, pool.Lease{}, false
	return nil
}

// move makes the offer of a login that of its session, so that nobody has the address in between. False: it could not be.
func (s *Sessions) move(ctx context.Context, login *entry, session string) (pool.Lease, bool) {
	if s.config.Pools == nil || !login.lease.Address.IsValid() {
		return pool.Lease{}, false
	}
	lease, err := s.config.Pools.Allocate(ctx, pool.Request{
		Account: login.account, Address: login.lease.Address, PrefixLength: login.lease.PrefixLength, Holder: session, Offer: s.config.Offer,
	})
	return lease, err == nil
}

// takeOver has an address given back by its holder, if that is this session by another name. False: it is not.
func (s *Sessions) takeOver(ctx context.Context, e *entry, holder string) bool {
	if s.isOrphan(ctx, e, holder) {
		orphan := entry{session: holder, account: e.account, counted: true, lease: pool.Lease{Address: e.lease.Address, Holder: holder}}
		if _, moved := s.move(ctx, &orphan, e.session); moved {
			orphan.lease = pool.Lease{}
		}
		s.giveBack(ctx, &orphan)
		return true
	}
	if e.nas.Session == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second) // its turn is not ours
	defer cancel()
	ended, err := s.endIf(ctx, holder, func(last *aaa.Record) bool {
		return last.NAS != nil && last.NAS.Name == e.nas.Name && last.NAS.Session == e.nas.Session
	}, func(last *aaa.Record) ending {
		return ending{s.config.Now(), aaa.TerminateNASRequest, "its user has logged in anew, and it goes on as session " + e.session}
	})
	return ended && err == nil
}

// isOrphan says that an address was offered to a login that this session began with, and that nobody remembers: a NAS that
// sends no Class back does not tell which login a session belongs to.
func (s *Sessions) isOrphan(ctx context.Context, e *entry, holder string) bool {
	if !e.isEstimate() || !strings.HasPrefix(holder, e.nas.Client+"/") {
		return false
	}
	if _, known := s.get(holder); known {
		return false
	}
	found, err := s.config.Store.Find(ctx, Query{Session: holder, Limit: 1})
	return err == nil && len(found) == 0
}

// isEstimate says that the session has the name that its NAS gave it, and none of ours.
func (e *entry) isEstimate() bool { return e.session == e.nas.Name+"/"+e.nas.Session }
