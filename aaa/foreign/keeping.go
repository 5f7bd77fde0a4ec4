package foreign

import (
	"context"
	"errors"
	"strings"
	"time"

	"lnsgate/aaa"
	"lnsgate/pool"
)

// keep binds what a record tells of. The session goes on whatever comes of it: it has it.
func (s *Sessions) keep(ctx context.Context, e *entry, r *aaa.Record) error {
	if s.config.Pools == nil {
		return nil
	}
	for p := range parts {
		s.adopt(e, p, r)
	}
	return s.keepAgain(ctx, e)
}

// adopt has an entry have what a record tells of, and the record tell what the entry has.
func (s *Sessions) adopt(e *entry, p part, r *aaa.Record) {
	has, lease := told(p, r), &e.leases[p]
	given := lease.Address.IsValid()
	if given && (!has.IsValid() || liesIn(has, lease.Prefix())) {
		tell(p, r, lease.Prefix())
		return
	}
	if !has.IsValid() {
		return
	}
	if given {
		s.figures.moved.Add(1)
		s.config.Log.Warn("foreign: a session has another "+p.String()+" than the one it was given; does the NAS have a pool of its own?",
			"session", e.session, "user", r.Name, "nas", r.NAS.Name, "given", textOf(*lease), "has", textOf(leaseOf(has)))
		s.owe(e.session, debt{leases: []pool.Lease{*lease}})
		e.drop(p)
	}
	if s.client(r.NAS).Addresses == Given { // else it is of the NAS
		*lease = leaseOf(has)
	}
}

// drop notes that a session has no such lease.
func (e *entry) drop(p part) {
	e.leases[p], e.own[p] = pool.Lease{}, false
}

// keepAgain prolongs the leases of a session.
func (s *Sessions) keepAgain(ctx context.Context, e *entry) error {
	var faults []error
	for p := range parts {
		faults = append(faults, s.keepOne(ctx, e, p))
	}
	return errors.Join(faults...)
}

// keepOne prolongs a lease of a session. What is another's is told, and is none of this session.
func (s *Sessions) keepOne(ctx context.Context, e *entry, p part) error {
	lease := &e.leases[p]
	if !lease.Address.IsValid() || s.config.Pools == nil {
		return nil
	}
	lease.Account, lease.Holder = e.account, e.session
	s.mu.Lock()
	until := s.config.Now().Add(s.book.patience(e.nas.Name, e.terms, max(e.sequence, firstSequence)))
	s.mu.Unlock()
	err := s.config.Pools.Keep(ctx, *lease, until)
	var inUse *pool.InUseError
	if errors.As(err, &inUse) && s.takeOver(ctx, e, p, inUse.Holder) {
		err = s.config.Pools.Keep(ctx, *lease, until)
	}
	var other *pool.MismatchError
	switch {
	case errors.As(err, &other): // it is a prefix of the NAS, or of the account's own, and none of our pools
		*lease = pool.Lease{}
		return nil
	case err == nil:
		e.rivals[p] = ""
		return nil
	case !errors.As(err, &inUse):
		return err
	}
	if e.rivals[p] != inUse.Holder {
		s.figures.conflicts.Add(1)
		s.config.Log.Error("foreign: two sessions say they have the same "+p.String()+": find out which of the NASes gives addresses of its own",
			"address", textOf(*lease), "session", e.session, "user", e.name, "nas", e.nas.Name, "other", inUse.Holder)
	}
	e.rivals[p] = inUse.Holder
	e.drop(p)
	return nil
}

// move makes an offer to a login that of its session, so that nobody has it in between. False: it could not be.
func (s *Sessions) move(ctx context.Context, login *entry, p part, session string) (pool.Lease, bool) {
	offered := login.leases[p]
	if s.config.Pools == nil || !offered.Address.IsValid() {
		return pool.Lease{}, false
	}
	lease, err := s.config.Pools.Allocate(ctx, pool.Request{
		Account: login.account, Address: offered.Address, PrefixLength: offered.PrefixLength, Holder: session, Offer: s.config.Offer,
	})
	return lease, err == nil
}

// takeOver has a lease given back by its holder, if that is this session by another name. False: it is not.
func (s *Sessions) takeOver(ctx context.Context, e *entry, p part, holder string) bool {
	if s.isOrphan(ctx, e, holder) {
		lease := pool.Lease{Address: e.leases[p].Address, PrefixLength: e.leases[p].PrefixLength, Holder: holder}
		orphan := entry{session: holder, account: e.account, counted: true, leases: only(p, lease)}
		if _, moved := s.move(ctx, &orphan, p, e.session); moved {
			orphan.leases = leases{}
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
