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
	mostClaimed = 1024             // orders in hand at most
	mostPerNAS  = 8                // told to one NAS at the same time, while it answers
	claimFor    = 2 * time.Minute  // after which another node may tell it
	sendFor     = 45 * time.Second // that a Sender has for an answer
)

// desk is where orders wait that this process has claimed. A NAS that does not answer holds up no other.
type desk struct {
	bell   chan struct{} // there may be orders to claim
	free   chan struct{} // there may be one in hand that can be told now
	atOnce int

	mu    sync.Mutex
	lines map[string]*line // by NAS
	held  int              // claimed and not yet answered
	busy  int              // of those, being told
	more  bool             // there were more to claim than there was room
	next  time.Time        // when an order is due again that was not answered
}

// line are the orders of one NAS.
type line struct {
	waiting []claimed
	busy    int
	away    bool // it did not answer the last time
}

type claimed struct {
	order Order
	nas   string // in whose line it is
	until time.Time
}

func newDesk(atOnce int) *desk {
	return &desk{bell: make(chan struct{}, 1), free: make(chan struct{}, 1), atOnce: atOnce, lines: map[string]*line{}}
}

// ring has the desk claim what is due.
func (d *desk) ring() { signal(d.bell) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (d *desk) len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.held
}

// take puts orders into the lines of their NASes.
func (d *desk) take(orders []Order, until time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, o := range orders {
		nas := nameOf(&o.Session)
		if d.lines[nas] == nil {
			d.lines[nas] = &line{}
		}
		d.lines[nas].waiting = append(d.lines[nas].waiting, claimed{o, nas, until})
	}
	d.more = len(orders) >= mostClaimed-d.held
	d.held += len(orders)
}

// pick returns an order that may be told now. A NAS that is away is asked one thing at a time.
func (d *desk) pick() (claimed, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy >= d.atOnce {
		return claimed{}, false
	}
	for _, l := range d.lines {
		most := mostPerNAS
		if l.away {
			most = 1
		}
		if len(l.waiting) == 0 || l.busy >= most {
			continue
		}
		c := l.waiting[0]
		l.waiting = l.waiting[1:]
		l.busy++
		d.busy++
		return c, true
	}
	return claimed{}, false
}

// done notes that an order has been told, and whether the NAS answered. It returns those that need not be tried now: the NAS is
// away.
func (d *desk) done(c claimed, answered bool) (put []claimed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lines[c.nas]
	l.busy--
	d.busy--
	d.held--
	if l.away = !answered; l.away {
		put, l.waiting = l.waiting, nil
		d.held -= len(put)
	}
	if l.busy == 0 && len(l.waiting) == 0 && !l.away {
		delete(d.lines, c.nas)
	}
	if signal(d.free); d.more && d.held <= mostClaimed/2 {
		d.ring()
	}
	return put
}

// again notes when an order is due again.
func (d *desk) again(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next = earlier(d.next, at)
	signal(d.free) // who waits does not know of this time
}

// passed forgets when orders are due that are claimed now.
func (d *desk) passed(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.next.After(now) {
		d.next = time.Time{}
	}
}

// room is how many orders may be claimed, and when some are due that this process has put back.
func (d *desk) room() (room int, next time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return mostClaimed - d.held, d.next
}

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
	orders, err := s.config.Store.Claim(ctx, until, room)
	if err != nil {
		if ctx.Err() == nil {
			s.config.Log.Warn("foreign: orders for NASes could not be read, it is tried again", "cause", err)
		}
		return earlier(next, now.Add(s.config.Retry[0]))
	}
	s.desk.take(orders, until)
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
	answered := !asked || a == nil || a.Done || a.Lost
	for _, put := range s.desk.done(c, answered) { // the NAS is away: they are tried when this one is
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
