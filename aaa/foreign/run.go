package foreign

import (
	"context"
	"slices"
	"sync"
	"time"

	"lnsgate/aaa"
	"lnsgate/pool"
)

// Run does what has its time, and tells NASes what there is to tell, until the context ends.
func (s *Sessions) Run(ctx context.Context) error {
	var wait sync.WaitGroup
	defer wait.Wait()
	wait.Go(func() { s.tell(ctx) })
	s.restore(ctx)
	nextSweep := s.config.Now().Add(s.config.Sweep)
	for ctx.Err() == nil {
		now := s.config.Now()
		next := earlier(earlier(s.lapse(ctx, now), s.closeExpected(ctx, now)), s.checkDue(ctx, now))
		s.payDebts(ctx, now)
		if !now.Before(nextSweep) {
			s.restore(ctx)
			s.sweep(ctx, now)
			s.desk.ring() // orders that others left
			nextSweep = now.Add(s.config.Sweep)
		}
		s.mu.Lock()
		next = earlier(earlier(next, s.pay), nextSweep)
		s.mu.Unlock()
		s.await(ctx, max(next.Sub(s.config.Now()), 0))
	}
	return nil
}

// earlier is the earlier of two times. Zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// await waits for a time, or until something is to be done sooner.
func (s *Sessions) await(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.wake:
	case <-ctx.Done():
	}
}

// resumption is how far this process knows the sessions of the one before.
type resumption struct {
	busy chan struct{} // holds a token while nobody resumes
	own  chan struct{} // closed when all addresses are taken of which only this process keeps books
	done chan struct{} // closed when all is known
}

func (r *resumption) init() {
	r.busy, r.own, r.done = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	r.busy <- struct{}{}
}

// open lets those in who wait for addresses of this process.
func (r *resumption) open() {
	select {
	case <-r.own:
	default:
		close(r.own)
	}
}

// resume waits until addresses and places of sessions that live are taken. What is shared by nodes lives on by itself.
func (s *Sessions) resume(ctx context.Context) error {
	if s.config.Shared {
		return nil
	}
	return s.resumeAll(ctx)
}

// resumeFor is resume for what a login may be given: of pools that are shared beside some that are not, only the latter are waited
// for.
func (s *Sessions) resumeFor(ctx context.Context, d *aaa.Decision) error {
	own := s.config.Own
	all := slices.Concat(d.Pools, d.IPv6Pools, d.DelegatedPools)
	if !s.config.Shared || own == nil || !slices.ContainsFunc(all, func(name string) bool { return own(pool.Lease{Pool: name}) }) &&
		!(d.Address.IsValid() && own(pool.Lease{Address: d.Address})) {
		return s.resume(ctx)
	}
	select {
	case <-s.resumed.own:
		return nil
	default:
		return s.resumeAll(ctx)
	}
}

// restore is resume in the course of Run, which nobody waits for.
func (s *Sessions) restore(ctx context.Context) {
	if err := s.resumeAll(ctx); err != nil && ctx.Err() == nil {
		s.config.Log.Error("foreign: the sessions that live could not be read, it is tried again", "cause", err)
	}
}

func (s *Sessions) resumeAll(ctx context.Context) error {
	select {
	case <-s.resumed.done:
		return nil
	default:
	}
	select {
	case <-s.resumed.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.resumed.busy:
	}
	defer func() { s.resumed.busy <- struct{}{} }()
	select {
	case <-s.resumed.done:
		return nil
	default:
	}
	found, err := s.config.Store.Find(ctx, Query{})
	if err == nil {
		err = s.resumeOwn(ctx, found)
	}
	if err == nil {
		err = each(ctx, found, func(r aaa.Record) error { return s.resumeOne(ctx, &r) })
	}
	if err == nil {
		err = s.resumeOffers(ctx)
	}
	if err == nil {
		err = s.recount(ctx)
	}
	if err == nil {
		close(s.resumed.done)
	}
	return err
}

// resumeOwn comes before the rest, because logins wait for it.
func (s *Sessions) resumeOwn(ctx context.Context, found []aaa.Record) error {
	if !s.config.Shared || s.config.Own == nil {
		return nil
	}
	err := each(ctx, found, func(r aaa.Record) error {
		if !s.isOwn(&r) {
			return nil
		}
		return s.resumeOne(ctx, &r)
	})
	if err == nil {
		s.resumed.open()
	}
	return err
}

// isOwn says that only this process keeps books of something that a session has.
func (s *Sessions) isOwn(r *aaa.Record) bool {
	if s.config.Own == nil {
		return false
	}
	for _, p := range prefixes {
		if has := told(p, r); has.IsValid() && s.config.Own(leaseOf(has)) {
			return true
		}
	}
	return r.Address.IsValid() && s.config.Own(pool.Lease{Address: r.Address, Pool: r.Pool})
}

// resumeOffers takes the addresses that the process before has offered and whose Start may come yet. Those of sessions that
// live are taken already.
func (s *Sessions) resumeOffers(ctx context.Context) error {
	if s.offers == nil {
		return nil
	}
	offers, err := s.offers.Offers(ctx)
	if err != nil {
		return err
	}
	for _, l := range offers {
		rest := min(l.Expires.Sub(s.config.Now()), s.config.Offer) // the clock may have been set back
		if _, known := s.get(l.Holder); known || rest <= 0 {
			continue
		}
		again := pool.Request{Account: l.Account, Address: l.Address, PrefixLength: l.PrefixLength, Holder: l.Holder, Offer: rest}
		if _, err := s.config.Pools.Allocate(ctx, again); err != nil {
			s.config.Log.Info("foreign: what was offered before the restart is another's now", "address", textOf(l),
				"session", l.Holder, "cause", err)
		}
	}
	return nil
}

// resumeOne takes the address and the place of a session that lives. Those that another node has heard of last are its own business.
func (s *Sessions) resumeOne(ctx context.Context, r *aaa.Record) error {
	if s.config.Shared && r.Node != s.config.Node && !s.isOwn(r) || r.NAS == nil {
		return nil
	}
	release, err := s.turns.take(ctx, r.Session)
	if err != nil {
		return err
	}
	defer release()
	if _, known := s.get(r.Session); known {
		return nil
	}
	e := s.entryOf(r)
	e.live, e.sequence, e.heard = true, r.Sequence, s.born
	if err := s.keep(ctx, &e, r); err != nil {
		return err
	}
	if err := s.enter(ctx, &e); err != nil {
		return err
	}
	s.set(e)
	return nil
}
