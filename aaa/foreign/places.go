package foreign

import (
	"context"
	"errors"
	"slices"
	"time"

	"lnsgate/aaa"
	"lnsgate/pool"
)

// reenter is how long a session is known to be in the registry: another node may have entered it since, and gone.
const reenter = 15 * time.Minute

// enter counts a session in, if it is to be counted.
func (s *Sessions) enter(ctx context.Context, e *entry) error {
	now := s.config.Now()
	if !e.counted || !e.entered.IsZero() && now.Sub(e.entered) < reenter {
		return nil
	}
	err := s.registry.Enter(ctx, aaa.Entry{
		Session: e.session, Name: e.name, Account: e.account, Domain: e.domain, Peer: e.peer, Since: e.started,
		AccountLimit: e.limits.account, DomainLimit: e.limits.domain, Policy: e.limits.policy,
	})
	if err == nil {
		e.entered = now
	}
	return err
}

// giveBack takes a session's address and place from it. What cannot be done now is owed.
func (s *Sessions) giveBack(ctx context.Context, e *entry) {
	d := debt{leases: e.leases.list(), leave: e.counted}
	e.leases, e.entered = leases{}, time.Time{}
	if d, _ = s.settle(ctx, e.session, d); d.isOwed() {
		s.owe(e.session, d)
	}
}

// debt is what could not be told to the pools or to the registry.
type debt struct {
	leases []pool.Lease // to be released
	leave  bool         // to be counted out
	keep   bool         // the session lives: what it has is to be kept, and it is to be counted in
}

func (d debt) isOwed() bool { return len(d.leases) > 0 || d.leave || d.keep }

// Bounds of the memory. Beyond them addresses run out by themselves, and places at the end of the process.
const (
	mostDebts = 1 << 17 // sessions
	mostOwed  = 16      // leases of one
)

// firstPay and lastPay bound the time until debts are tried again.
const (
	firstPay = time.Second
	lastPay  = 30 * time.Second
)

// owe notes a debt. What a session owed before and the pools do not know stays owed.
func (s *Sessions) owe(session string, d debt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, again := s.debts[session]
	if !again && len(s.debts) >= mostDebts {
		s.config.Log.Error("foreign: too much is owed to the pools and the registry: an address and a place stay taken for a while",
			"session", session, "addresses", len(d.leases))
		return
	}
	all := before.leases
	for _, l := range d.leases {
		if !slices.ContainsFunc(all, func(other pool.Lease) bool { return other.Address == l.Address }) {
			all = append(slices.Clip(all), l)
		}
	}
	d.leases = all[:min(len(all), mostOwed)] // what it had first it was given; the rest it may have said alone
	d.leave, d.keep = d.leave || before.leave && !d.keep, d.keep || before.keep
	s.debts[session] = d
	if s.pay.IsZero() {
		s.pay = s.config.Now().Add(firstPay)
		s.hurry()
	}
}

// settle does what is owed of a session that is over, and returns what is owed still.
func (s *Sessions) settle(ctx context.Context, session string, d debt) (debt, error) {
	var faults []error
	var rest []pool.Lease
	for _, lease := range d.leases {
		if s.config.Pools == nil {
			break
		}
		if err := s.config.Pools.Release(ctx, lease); err != nil {
			faults, rest = append(faults, err), append(rest, lease)
		}
	}
	d.leases = rest
	if d.leave {
		err := s.registry.Leave(ctx, session)
		d.leave = err != nil
		faults = append(faults, err)
	}
	return d, errors.Join(faults...)
}

// payDebts tries again what is owed. The first that fails ends the round: nobody is there.
func (s *Sessions) payDebts(ctx context.Context, now time.Time) {
	s.mu.Lock()
	due := !s.pay.IsZero() && !now.Before(s.pay)
	sessions := make([]string, 0, len(s.debts))
	if due {
		for session := range s.debts {
			sessions = append(sessions, session)
		}
	}
	s.mu.Unlock()
	if !due {
		return
	}
	fault := s.payAll(ctx, sessions)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(s.debts) == 0:
		s.pay = time.Time{}
	case fault != nil:
		s.pay = now.Add(lastPay)
		s.config.Log.Warn("foreign: addresses and places of sessions are not up to date, it is tried again", "sessions", len(s.debts), "cause", fault)
	default:
		s.pay = now.Add(firstPay)
	}
}

// payAll does it for several at a time: after an outage there are as many as sessions. It ends with the first that fails.
func (s *Sessions) payAll(ctx context.Context, sessions []string) (fault error) {
	round, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	_ = each(round, sessions, func(session string) error {
		if err := s.payOne(round, session); err != nil {
			stop(err)
		}
		return nil
	})
	return context.Cause(round)
}

// payOne does what is owed of one session.
func (s *Sessions) payOne(ctx context.Context, session string) error {
	release, err := s.turns.take(ctx, session)
	if err != nil {
		return err
	}
	defer release()
	s.mu.Lock()
	d, there := s.debts[session]
	e, known := s.book.get(session)
	delete(s.debts, session)
	s.mu.Unlock()
	if !there {
		return nil
	}
	if known { // it lives: it did not give back what it has now
		d.leave = false
		d.leases = slices.DeleteFunc(d.leases, func(l pool.Lease) bool { return e.leases.include(l.Address) })
	}
	d.keep = d.keep && known
	if d, err = s.settle(ctx, session, d); err == nil && d.keep {
		err = errors.Join(s.keepAgain(ctx, &e), s.enter(ctx, &e))
		d.keep = err != nil
		s.set(e)
	}
	if d.isOwed() {
		s.owe(session, d)
	}
	return err
}
