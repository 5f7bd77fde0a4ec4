package foreign

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"lnsgate/aaa"
)

// abreast is how many sessions are ended, or asked about, at the same time.
const abreast = 16

// each does something for all of a list, several at a time, and joins what went wrong.
func each[T any](ctx context.Context, list []T, do func(T) error) error {
	var mu sync.Mutex
	var faults []error
	var wait sync.WaitGroup
	next := make(chan T)
	for range min(abreast, len(list)) {
		wait.Go(func() {
			for one := range next {
				if err := do(one); err != nil {
					mu.Lock()
					faults = append(faults, err)
					mu.Unlock()
				}
			}
		})
	}
	for _, one := range list {
		if ctx.Err() != nil {
			faults = append(faults, ctx.Err())
			break
		}
		next <- one
	}
	close(next)
	wait.Wait()
	return errors.Join(faults...)
}

// Restarted says that a NAS has started, or is about to end: those of its sessions that began before are over.
func (s *Sessions) Restarted(ctx context.Context, nas string, at time.Time) error {
	if err := s.resume(ctx); err != nil {
		return err
	}
	for _, session := range s.loginsOf(nas, at) {
		s.forgetLogin(ctx, session)
	}
	found, err := s.config.Store.Find(ctx, Query{NAS: nas, Before: at})
	if err != nil {
		return err
	}
	return each(ctx, found, func(r aaa.Record) error {
		ended, err := s.endIf(ctx, r.Session, func(last *aaa.Record) bool { return last.Started.Before(at) }, func(*aaa.Record) ending {
			return ending{at, aaa.TerminateNASReboot, "the NAS has started anew, or ended"}
		})
		if ended {
			s.figures.restarted.Add(1)
		}
		return err
	})
}

// ending is when and why a session ends by a Stop of our own.
type ending struct {
	at     time.Time
	cause  aaa.TerminateCause
	reason string
}

// endIf ends a session that lives, if the last record says that it is to. Of several who want to end it one does.
func (s *Sessions) endIf(ctx context.Context, session string, is func(*aaa.Record) bool, how func(*aaa.Record) ending) (bool, error) {
	release, err := s.turns.take(ctx, session)
	if err != nil {
		return false, err
	}
	defer release()
	found, err := s.config.Store.Find(ctx, Query{Session: session, Limit: 1})
	if err != nil || len(found) == 0 || s.isOver(&found[0]) || !is(&found[0]) {
		return false, err
	}
	h := how(&found[0])
	err = s.end(ctx, &found[0], h.at, h.cause, h.reason)
	return err == nil, err
}

// loginsOf are those of a NAS that began before and wait for their Start.
func (s *Sessions) loginsOf(nas string, before time.Time) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.book.loginsAt(nas, before)
}

// Withdrawn gives back what a login has whose NAS was told no after all. One that another node has seen begin keeps it.
func (s *Sessions) Withdrawn(ctx context.Context, session string) {
	if s.config.Shared {
		if found, err := s.config.Store.Find(ctx, Query{Session: session, Limit: 1}); err != nil || len(found) > 0 {
			return
		}
	}
	s.forgetLogin(ctx, session)
}

// forgetLogin gives back what a login has that will have no Start.
func (s *Sessions) forgetLogin(ctx context.Context, session string) {
	release, err := s.turns.take(ctx, session)
	if err != nil {
		return
	}
	defer release()
	e, there := s.get(session)
	if !there || e.live {
		return
	}
	s.mu.Lock()
	s.book.drop(session)
	s.mu.Unlock()
	s.giveBack(ctx, &e)
}

// lapse counts out the logins for whose Start nobody waits any more. Their addresses fall back by themselves. It returns when
// the next one is due.
func (s *Sessions) lapse(ctx context.Context, now time.Time) time.Time {
	s.mu.Lock()
	sessions, next := s.book.lapsed(now)
	s.mu.Unlock()
	_ = each(ctx, sessions, func(session string) error { s.lapseOne(ctx, session, now); return nil })
	return next
}

func (s *Sessions) lapseOne(ctx context.Context, session string, now time.Time) {
	release, err := s.turns.take(ctx, session)
	if err != nil {
		return
	}
	defer release()
	e, there := s.get(session)
	if !there || e.live || e.until.After(now) {
		return
	}
	if s.config.Shared { // another node may have had the Start
		found, err := s.config.Store.Find(ctx, Query{Session: session, Limit: 1})
		if err != nil {
			e.until = now.Add(s.config.Offer)
			s.set(e)
			return
		}
		e.counted = e.counted && len(found) == 0
		if len(found) > 0 && e.doomed != "" {
			s.mustEnd(ctx, &found[0], e.doomed)
		}
	}
	s.mu.Lock()
	s.book.drop(session)
	s.mu.Unlock()
	if !e.counted {
		return
	}
	s.figures.lapsed.Add(1)
	if d, _ := s.settle(ctx, session, debt{leave: true}); d.isOwed() {
		s.owe(session, d)
	}
}

// strangersPatience is how much longer than its own a node waits for sessions that another node has heard of last.
const strangersPatience = 5 * time.Minute

// sweep gives up sessions of which nothing was heard for too long.
func (s *Sessions) sweep(ctx context.Context, now time.Time) {
	silent, err := s.config.Store.Find(ctx, Query{SilentAt: now})
	var longer []aaa.Record
	if err == nil {
		longer, err = s.config.Store.Find(ctx, Query{SilentAt: now.Add(-strangersPatience)})
	}
	if s.isBack(now, err == nil); err != nil {
		s.config.Log.Warn("foreign: silent sessions could not be looked for", "cause", err)
		return
	}
	old := map[string]bool{}
	for i := range longer {
		old[longer[i].Session] = true
	}
	err = each(ctx, silent, func(r aaa.Record) error {
		if r.Node != s.config.Node && !old[r.Session] {
			return nil
		}
		ended, err := s.endIf(ctx, r.Session, func(last *aaa.Record) bool { return last.Sequence == r.Sequence && s.isSilent(last, now) },
			func(last *aaa.Record) ending {
				return ending{last.At, aaa.TerminateLostService, fmt.Sprintf("nothing was heard of it for %s", now.Sub(last.At).Round(time.Second))}
			})
		if ended {
			s.figures.silent.Add(1)
		}
		return err
	})
	if err != nil {
		s.config.Log.Warn("foreign: silent sessions could not be ended, it is tried again", "cause", err)
	}
	s.forgetQuiet(ctx, now)
	if err := s.recount(ctx); err != nil {
		s.config.Log.Warn("foreign: the sessions of each NAS could not be counted, it is tried again", "cause", err)
	}
}

// isBack notes whether the Store is there. While it is away nobody tells it of sessions, and when it is back other nodes need a while
// to tell what they have heard meanwhile.
func (s *Sessions) isBack(now time.Time, there bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !there:
		s.there = time.Time{}
	case s.there.IsZero():
		s.there = now
	}
}

// isSilent says whether a session that its Store calls silent is so for us: we may have heard of it, or neither we nor the Store have
// been there to hear.
func (s *Sessions) isSilent(last *aaa.Record, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	patience := s.book.patience(nameOf(last), last.Terms, last.Sequence)
	e, known := s.book.get(last.Session)
	heard := s.there
	switch {
	case known && last.Node == s.config.Node:
		heard = e.heard
	case known:
		heard = later(s.there, e.heard)
	case last.Sequence <= firstSequence && !s.book.sendsInterims(nameOf(last)):
		heard = later(s.there, last.At) // else its clock may be wrong, and it is the Store that knows
	}
	return now.Sub(heard) > patience
}

// mostQuiet bounds how long one look takes.
const mostQuiet = 1000

// forgetQuiet forgets sessions of which this node hears nothing any more. Those that no Store knows are counted out: their NAS told of
// them after they had ended.
func (s *Sessions) forgetQuiet(ctx context.Context, now time.Time) {
	s.mu.Lock()
	quiet := s.book.quiet(now, mostQuiet)
	s.mu.Unlock()
	_ = each(ctx, quiet, func(session string) error {
		release, err := s.turns.take(ctx, session)
		if err != nil {
			return err
		}
		defer release()
		found, err := s.config.Store.Find(ctx, Query{Session: session, Limit: 1})
		e, there := s.get(session)
		if err != nil || !there || !e.live || len(found) > 0 && found[0].Node == s.config.Node {
			return err
		}
		s.mu.Lock()
		s.book.drop(session)
		s.mu.Unlock()
		if len(found) == 0 {
			s.giveBack(ctx, &e)
		}
		return nil
	})
}

// closing is a session that its NAS says it has ended: its Stop is to come.
type closing struct {
	order Order
	due   time.Time
}

// expect waits for a Stop.
func (s *Sessions) expect(o *Order) {
	s.mu.Lock()
	first := len(s.closing) == 0
	s.closing = append(s.closing, closing{*o, s.config.Now().Add(s.config.Closing)})
	s.mu.Unlock()
	if first {
		s.hurry()
	}
}

// closeExpected ends the sessions whose Stop did not come. It returns when the next one is due.
func (s *Sessions) closeExpected(ctx context.Context, now time.Time) (next time.Time) {
	s.mu.Lock()
	n := 0
	for n < len(s.closing) && !s.closing[n].due.After(now) {
		n++
	}
	due := s.closing[:n:n]
	if s.closing = s.closing[n:]; len(s.closing) > 0 {
		next = s.closing[0].due
	}
	s.mu.Unlock()
	_ = each(ctx, due, func(c closing) error {
		asked := c.due.Add(-s.config.Closing)
		session := c.order.Session.Session
		_, err := s.endIf(ctx, session, func(last *aaa.Record) bool { return c.order.isOf(last) && !s.heardSince(session, asked) }, func(*aaa.Record) ending {
			return ending{asked, aaa.TerminateAdminReset, c.order.Reason + "; the NAS said it has ended it, and sent no Stop"}
		})
		return err
	})
	return next
}

// heardSince says whether a NAS told of a session since: then it lives.
func (s *Sessions) heardSince(session string, at time.Time) bool {
	e, known := s.get(session)
	return known && e.heard.After(at)
}
