package foreign

import (
	"context"
	"sync"
	"time"

	"lnsgate/aaa"
)

// order writes an order down and has it told at once. It is not written when the session's last order is the same.
func (s *Sessions) order(ctx context.Context, r *aaa.Record, o Order) (bool, error) {
	o.Session, o.At = *r, s.config.Now()
	o.Key += " " + r.Started.UTC().Format(time.RFC3339) // the NAS may give its name to another one
	written, err := s.config.Store.Order(ctx, o)
	if written {
		s.config.Log.Info("foreign: the NAS is told to "+o.Kind.String()+" a session", "session", r.Session, "user", r.Name, "nas", nameOf(r),
			"cause", o.Reason)
		s.desk.ring()
	}
	return written, err
}

// Bounds of telling.
const (
	mostClaimed = 8192             // orders in hand at most
	mostAtATime = 256              // of those, claimed at a time
	mostInLine  = 128              // for one NAS: of one that has more, none is claimed
	mostPerNAS  = 8                // told to one NAS at the same time, while it answers
	claimFor    = 2 * time.Minute  // after which another node may tell it
	sendFor     = 45 * time.Second // that a Sender has for an answer
)

// tell tells NASes what there is to tell, until the context ends.
func (s *Sessions) tell(ctx context.Context) {
	var wait sync.WaitGroup
	defer wait.Wait()
	for claiming := true; ctx.Err() == nil; {
		var next time.Time
		if claiming {
			next = s.claim(ctx)
		} else {
			_, next = s.desk.room()
		}
		for c, ok := s.desk.pick(); ok; c, ok = s.desk.pick() {
			wait.Go(func() { s.deal(ctx, c) })
		}
		claiming = s.awaitBell(ctx, next)
	}
}

// awaitBell waits until there is something to tell. True: it has to be claimed first.
func (s *Sessions) awaitBell(ctx context.Context, next time.Time) bool {
	var due <-chan time.Time
	if !next.IsZero() {
		timer := time.NewTimer(max(next.Sub(s.config.Now()), 0))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
	case <-s.desk.bell:
	case <-s.desk.free:
		return false
	case <-ctx.Done():
	}
	return true
}

// claim takes what is due, as far as there is room. It returns when more will be.
func (s *Sessions) claim(ctx context.Context) (next time.Time) {
	now := s.config.Now()
	s.desk.passed(now)
	room, next := s.desk.room()
	if room <= 0 {
		return next
	}
	until := now.Add(claimFor)
	orders, err := s.config.Store.Claim(ctx, until, room, s.desk.full(now))
	if err != nil {
		if ctx.Err() == nil {
			s.config.Log.Warn("foreign: orders for NASes could not be read, it is tried again", "cause", err)
		}
		return earlier(next, now.Add(s.config.Retry[0]))
	}
	s.desk.take(orders, until, room)
	return next
}

// deal tells a NAS, and follows its answer.
func (s *Sessions) deal(ctx context.Context, c claimed) {
	a, asked := s.tellOne(ctx, &c)
	s.finishTelling(ctx, c, a, asked)
}

// notYet is how long after an order a session that no Store knows may have just begun: records take a while to get there.
const notYet = time.Minute

// tellOne tells a NAS, and returns what it answered; nil when it was not told and somebody else will. Asked says that the NAS was
// asked at all.
func (s *Sessions) tellOne(ctx context.Context, c *claimed) (a *Answer, asked bool) {
	o, now := &c.order, s.config.Now()
	if now.Add(sendFor).After(c.until) {
		return nil, false
	}
	found, err := s.config.Store.Find(ctx, Query{Session: o.Session.Session, Limit: 1})
	e, known := s.get(o.Session.Session)
	switch {
	case err != nil:
		return nil, false
	case len(found) > 0 && !o.isOf(&found[0]):
		return &Answer{Done: true, Text: "the session has ended, and the NAS has given its name to another one"}, false
	case len(found) > 0:
		o.Session = found[0]
	case known && e.live && o.isOf(&aaa.Record{Started: e.started}): // it has just begun
	case s.config.Shared && now.Sub(o.At) < notYet:
		return &Answer{Text: "the session is not known yet, or has ended", Again: now.Add(s.config.Retry[0])}, false
	default:
		return &Answer{Done: true, Text: "the session has ended"}, false
	}
	switch {
	case s.config.Sender == nil:
		return &Answer{Done: true, Text: "NASes are not told anything: no port for such requests is configured"}, false
	case now.Sub(o.At) > s.config.GiveUp:
		s.figures.givenUp.Add(1)
		return &Answer{Done: true, Text: "given up: " + s.config.GiveUp.String() + " without an answer"}, false
	}
	return s.send(ctx, o), true
}

// send asks a NAS; nil when this process ends.
func (s *Sessions) send(ctx context.Context, o *Order) *Answer {
	sending, cancel := context.WithTimeout(ctx, sendFor)
	defer cancel()
	a := s.config.Sender.Send(sending, *o)
	if ctx.Err() != nil && !a.Done {
		return nil
	}
	if !a.Done && !a.Lost {
		a.Again = s.config.Now().Add(s.config.Retry[min(o.Tries, len(s.config.Retry)-1)])
	}
	return &a
}

// finishTelling writes down what came of an order, and follows it.
func (s *Sessions) finishTelling(ctx context.Context, c claimed, a *Answer, asked bool) {
	var answered *bool
	var again time.Time
	if asked && a != nil {
		answered, again = new(a.Done || a.Lost), a.Again
	}
	for _, put := range s.desk.done(c, answered, again) { // the NAS is away: they are tried when this one is
		s.write(ctx, &put.order, Answer{Text: "not tried: the NAS did not answer another request", Again: a.Again})
	}
	switch {
	case a == nil:
		return
	case !asked && !a.Done:
		s.write(ctx, &c.order, *a)
		return
	}
	if a.Lost {
		a.Done = true
	}
	o := &c.order
	s.tellLog(o, a)
	if a.OK && o.Kind == Change {
		s.applied(ctx, o, *a)
		return
	}
	s.write(ctx, o, *a)
	switch {
	case a.Lost:
		s.lost(ctx, o, a)
	case a.OK:
		s.expect(o)
	}
}

// write writes down an answer. One that cannot be written is not lost: the order is claimed again.
func (s *Sessions) write(ctx context.Context, o *Order, a Answer) {
	if !a.Done {
		s.desk.again(a.Again)
	}
	if err := s.config.Store.Answer(ctx, *o, a); err != nil && ctx.Err() == nil {
		s.config.Log.Warn("foreign: the answer of a NAS could not be written down: it will be asked again", "session", o.Session.Session,
			"answer", a.Text, "cause", err)
	}
}

func (s *Sessions) tellLog(o *Order, a *Answer) {
	about := []any{"session", o.Session.Session, "user", o.Session.Name, "nas", nameOf(&o.Session), "order", o.Kind.String(), "cause", o.Reason,
		"answer", a.Text}
	switch {
	case a.OK:
		s.figures.done.Add(1)
		s.config.Log.Info("foreign: the NAS did what it was told", about...)
	case !a.Done:
		s.figures.repeated.Add(1)
		s.config.Log.Warn("foreign: the NAS does not answer; it is told again", append(about, "again", a.Again)...)
	default:
		s.figures.refused.Add(1)
		s.config.Log.Warn("foreign: the NAS did not do what it was told", about...)
	}
}

// applied notes what terms a session has now.
func (s *Sessions) applied(ctx context.Context, o *Order, a Answer) {
	release, err := s.turns.take(ctx, o.Session.Session)
	if err != nil {
		return
	}
	defer release()
	s.write(ctx, o, a)
	e, there := s.get(o.Session.Session)
	if !there {
		return
	}
	terms := o.Terms
	e.terms = &terms
	if o.Changed.Class != nil {
		e.class = o.Changed.Class
	}
	s.set(e)
}

// lost ends a session that its NAS does not know any more.
func (s *Sessions) lost(ctx context.Context, o *Order, a *Answer) {
	ended, err := s.endIf(ctx, o.Session.Session, func(last *aaa.Record) bool { return last.Sequence == o.Session.Sequence && o.isOf(last) }, func(*aaa.Record) ending {
		return ending{s.config.Now(), aaa.TerminateLostService, "the NAS does not know the session: " + a.Text}
	})
	switch {
	case err != nil:
		s.config.Log.Warn("foreign: a session that its NAS does not know could not be ended", "session", o.Session.Session, "cause", err)
	case ended:
		s.figures.lost.Add(1)
	}
}
