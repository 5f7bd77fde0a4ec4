package foreign

import (
	"context"
	"errors"
	"time"

	"lnsgate/aaa"
)

// Around gives the users of NASes that next lets in their place and their address. What next says to others, and no to them, is
// handed on.
func (s *Sessions) Around(next aaa.Authenticator) aaa.Authenticator { return &around{s, next} }

type around struct {
	sessions *Sessions
	next     aaa.Authenticator
}

// Authenticate implements aaa.Authenticator.
func (a *around) Authenticate(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	asked := a.sessions.config.Now()
	d, err := a.next.Authenticate(ctx, r)
	if err != nil || r.NAS == nil || r.AuthenticateOnly {
		return d, err
	}
	if err := a.sessions.admit(ctx, r, &d, asked); err != nil {
		return aaa.Decision{}, err
	}
	d.MaxSessions = 0 // it is counted here: a NAS that counted too (Port-Limit) would refuse whoever is to replace another
	return d, nil
}

// Authorize implements aaa.Authenticator.
func (a *around) Authorize(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	return a.next.Authorize(ctx, r)
}

// lapseAfter is how much longer than its address the place of a login waits for the Start.
const lapseAfter = 10 // parts of a hundred of Config.Offer

// admit gives a login a place and an address, or says why not.
func (s *Sessions) admit(ctx context.Context, r *aaa.Request, d *aaa.Decision, asked time.Time) error {
	if err := s.resumeFor(ctx, d); err != nil {
		return unavailable(d, "the sessions that live are not known yet", err)
	}
	release, err := s.turns.take(ctx, r.Session)
	if err != nil {
		return unavailable(d, "the session is busy", err)
	}
	defer release()
	before, again := s.get(r.Session)
	e := s.loginOf(r, d, before, again)
	e.asked = asked
	if !again {
		if err := s.hasRoom(r.NAS); err != nil {
			no := aaa.Reject(aaa.SessionLimit, "%v", err)
			no.Domain, no.Rule, no.Backend = d.Domain, d.Rule, d.Backend
			return no
		}
		s.supersede(ctx, &e)
	}
	if err := s.enter(ctx, &e); err != nil {
		if no := (*aaa.Rejection)(nil); !errors.As(err, &no) || no.Cause != aaa.SessionLimit {
			err = unavailable(d, "the session could not be counted", err)
			s.undo(ctx, &e, again) // it may have been counted all the same
		}
		return err
	}
	if err := s.offerTo(ctx, &e, d); err != nil {
		s.undo(ctx, &e, again)
		return err
	}
	s.set(e)
	return nil
}

// offerTo offers a login what it is to have, if its account has not too many offers that nobody has taken. One that has an address of
// its own is not kept out: it goes without prefixes then.
func (s *Sessions) offerTo(ctx context.Context, e *entry, d *aaa.Decision) error {
	address := s.drawsAddress(e, d)
	if !address && !s.drawsPrefix(e, d) {
		return s.offer(ctx, e, d)
	}
	release, err := s.reserve(e, d)
	switch {
	case err == nil:
		defer release()
	case address || !d.Address.IsValid() && !e.leases[four].Address.IsValid():
		return err
	default:
		s.goesWithout(e, err)
		d.IPv6Pools, d.DelegatedPools = nil, nil
	}
	return s.offer(ctx, e, d)
}

// undo gives back what a login got that is refused after all. One that was let in before keeps what it had then.
func (s *Sessions) undo(ctx context.Context, e *entry, again bool) {
	if !again {
		e.leases = leases{}
		s.giveBack(context.WithoutCancel(ctx), e)
	}
}

func unavailable(d *aaa.Decision, what string, err error) error {
	no := aaa.Reject(aaa.BackendUnavailable, "%s: %v", what, err)
	no.Err, no.Domain, no.Rule, no.Backend = err, d.Domain, d.Rule, d.Backend
	return no
}

// loginOf notes what a login was granted. A session that asks anew keeps its place and its address.
func (s *Sessions) loginOf(r *aaa.Request, d *aaa.Decision, before entry, again bool) entry {
	now := s.config.Now()
	if d.Interim == 0 && s.config.Interim > 0 {
		d.Interim = s.config.Interim
	}
	terms := d.Terms()
	e := entry{
		session: r.Session, name: r.Name, started: now, until: now.Add(s.config.Offer + s.config.Offer*lapseAfter/100),
		account: d.Account, domain: d.Domain, backend: d.Backend, method: r.Proof.Method, nas: *r.NAS, peer: r.Peer, calling: r.CallingNumber,
		terms: &terms, sinks: d.Accounting, userName: d.UserName, class: d.Class, cui: d.CUI, heard: now,
		limits: limits{d.MaxSessions, d.DomainSessions, d.SessionPolicy}, counted: s.counts != nil || d.MaxSessions > 0 || d.DomainSessions > 0,
	}
	if again {
		e.started, e.live, e.sequence, e.heard = before.started, before.live, before.sequence, before.heard
		e.leases, e.own, e.rivals, e.entered = before.leases, before.own, before.rivals, before.entered
		e.counted = e.counted || before.counted
	}
	return e
}

// supersede counts out the login that waits for its Start and comes from the same place: the NAS, or its user, has not heard
// the answer and tries again. What that one was offered stays its own until nobody waits for it, for it may come to life yet;
// then it is counted again.
func (s *Sessions) supersede(ctx context.Context, e *entry) {
	s.mu.Lock()
	old, there := s.book.before(e)
	s.mu.Unlock()
	if !there || !old.counted || old.entered.IsZero() {
		return
	}
	release, err := s.turns.take(ctx, old.session)
	if err != nil {
		return
	}
	defer release()
	if old, there = s.get(old.session); there && !old.live && s.registry.Leave(ctx, old.session) == nil {
		old.entered = s.config.Now().Add(-reenter)
		s.set(old)
	}
}
