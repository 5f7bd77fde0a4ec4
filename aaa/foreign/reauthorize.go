package foreign

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"lnsgate/aaa"
)

// Reauthorize asks again what the accounts of sessions may, and has them ended or changed when it is not what they have, as lns
// does with our own. A back end that cannot be asked changes nothing and is told as an error: ask again later.
func (s *Sessions) Reauthorize(ctx context.Context, q Query) error {
	s.mu.Lock()
	s.asked = s.config.Now()
	s.mu.Unlock()
	return s.reauthorize(ctx, q)
}

// recheck is a session that began while accounts were asked about.
type recheck struct {
	session string
	due     time.Time
}

// recheckAfter is when the Store knows a session that has just begun.
const recheckAfter = 2 * time.Second

// checkAgain has the account of a session that has just begun asked about once more, if accounts were asked about after its
// login and the session was not known then.
func (s *Sessions) checkAgain(e *entry) {
	now := s.config.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked.IsZero() || e.asked.After(s.asked) || e.asked.IsZero() && now.Sub(s.asked) > s.config.Offer {
		return
	}
	s.recheck = append(s.recheck, recheck{e.session, now.Add(recheckAfter)})
	if len(s.recheck) == 1 {
		s.hurry()
	}
}

// checkDue asks about the accounts of sessions that have just begun. It returns when the next one is due.
func (s *Sessions) checkDue(ctx context.Context, now time.Time) (next time.Time) {
	s.mu.Lock()
	n := 0
	for n < len(s.recheck) && !s.recheck[n].due.After(now) {
		n++
	}
	due := s.recheck[:n:n]
	if s.recheck = s.recheck[n:]; len(s.recheck) > 0 {
		next = s.recheck[0].due
	}
	s.mu.Unlock()
	err := each(ctx, due, func(r recheck) error { return s.reauthorize(ctx, Query{Session: r.session}) })
	if err != nil && ctx.Err() == nil {
		s.config.Log.Warn("foreign: new sessions were let in by what counted before a change, and could not be checked", "cause", err)
	}
	return next
}

func (s *Sessions) reauthorize(ctx context.Context, q Query) error {
	found, err := s.config.Store.Find(ctx, q)
	if err != nil {
		return fmt.Errorf("sessions of other NASes go on unchecked: %w", err)
	}
	in := inquiry{sessions: s, away: map[string]bool{}}
	err = each(ctx, found, func(r aaa.Record) error { return in.ask(ctx, &r) })
	return errors.Join(append(in.faults, err)...)
}

// inquiry is one round of questions about sessions.
type inquiry struct {
	sessions *Sessions

	mu     sync.Mutex
	away   map[string]bool // back ends that cannot be asked now
	faults []error
}

// askTimeout bounds one question.
const askTimeout = 30 * time.Second

// ask asks about one session, and has its NAS follow the answer.
func (q *inquiry) ask(ctx context.Context, r *aaa.Record) error {
	if q.isAway(r.Backend, nil) {
		return nil
	}
	s := q.sessions
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	d, err := s.config.AAA.Authorize(asking, s.question(r))
	no := (*aaa.Rejection)(nil)
	switch {
	case err == nil:
	case !errors.As(err, &no) || no.Retryable():
		q.isAway(r.Backend, err)
		return nil
	case no.Cause == aaa.OnlyAtLogin && (r.Backend == "" || no.Backend == r.Backend):
		return nil
	}
	if d.Interim == 0 && s.config.Interim > 0 {
		d.Interim = s.config.Interim
	}
	o := s.verdict(r, &d, err)
	if o.Kind == 0 {
		return nil
	}
	_, err = s.order(ctx, r, o)
	return err
}

// isAway says whether a back end could not be asked before; with an error it is so from now on.
func (q *inquiry) isAway(backend string, err error) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err != nil && !q.away[backend] {
		q.away[backend] = true
		q.faults = append(q.faults, fmt.Errorf("sessions of back end %q on other NASes go on unchecked: %w", backend, err))
	}
	return q.away[backend]
}

// question is what AAA is asked about a session: what was asked at its login, without a proof, and first of the back end that knew it.
func (s *Sessions) question(r *aaa.Record) *aaa.Request {
	c := s.client(r.NAS)
	q := &aaa.Request{
		Attempt: r.Session, Session: r.Session, Name: r.Name, Backend: r.Backend, Proof: aaa.Proof{Method: r.Method},
		Peer: r.Peer, TunnelName: r.TunnelName, CallingNumber: r.CallingNumber, CalledNumber: r.CalledNumber, NAS: r.NAS,
		ForcedDomain: c.ForcedDomain, DefaultDomain: c.DefaultDomain,
	}
	if r.NAS != nil {
		q.Group = r.NAS.Client
	}
	if r.Method == aaa.EAP { // the NAS may go on with the name that was shown outside
		q.Inner, q.DefaultDomain = r.Account, cmp.Or(r.Domain, q.DefaultDomain)
	}
	return q
}

// verdict is the order that follows from what is now said of a session's account. None: everything is as it was.
func (s *Sessions) verdict(r *aaa.Record, d *aaa.Decision, err error) Order {
	e, known := s.get(r.Session)
	by := s.client(r.NAS).Addresses
	switch {
	case err != nil:
		return disconnect(err.Error())
	case d.Domain != r.Domain && r.Domain != "":
		return disconnect(fmt.Sprintf("its domain is now %s", d.Domain))
	case by == None:
	case d.Address.IsValid() && r.Address.IsValid() && d.Address != r.Address:
		return disconnect(fmt.Sprintf("its address is now %s", d.Address))
	case !d.Address.IsValid() && known && e.own[four]:
		return disconnect("it has no address of its own any more")
	}
	if why := otherPrefix(&e, r, d); why != "" && by != None {
		return disconnect(why)
	}
	now := d.Terms()
	if r.Terms != nil && *r.Terms == now {
		return Order{}
	}
	o := Order{Kind: Change, Terms: now, Changed: difference(r.Terms, now), Reason: "its account or domain has changed"}
	o.Key = key(o.Kind, fmt.Sprintf("%+v", r.Terms), fmt.Sprintf("%+v", now))
	return o
}

// otherPrefix says why a session cannot go on with the prefixes that it has: its account has others of its own now, or none any more.
// No NAS can change them while a session is up, as little as its address.
func otherPrefix(e *entry, r *aaa.Record, d *aaa.Decision) (why string) {
	for _, p := range prefixes {
		own, has := *wishOf(d, p).own, told(p, r)
		switch {
		case len(own) == 0 && e.own[p]:
			return "it has no " + p.String() + " of its own any more"
		case len(own) > 0 && has.IsValid() && !slices.ContainsFunc(own, func(o netip.Prefix) bool { return liesIn(has, o) }):
			return fmt.Sprintf("its %s is now %s", p, own[0])
		}
	}
	return ""
}

func disconnect(reason string) Order {
	return Order{Kind: Disconnect, Reason: reason, Key: key(Disconnect, reason)}
}

// key names an order by what it comes from and what it is for, the same on every node that sees the same change. The Store compares
// it with the last order of the session alone, so one change and its opposite can follow each other for ever.
func key(k OrderKind, parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return k.String() + " " + hex.EncodeToString(h.Sum(nil)[:12])
}

// difference is what of the terms is not as it was. Of a session whose terms are not known all that is to be said: that there is
// no limit is not, for many a NAS has no word for it and would do nothing of what it is told.
func difference(before *aaa.Terms, now aaa.Terms) aaa.Change {
	if before == nil {
		before = &aaa.Terms{}
	}
	var c aaa.Change
	differ(&c.SessionTimeout, before.SessionTimeout, now.SessionTimeout)
	differ(&c.IdleTimeout, before.IdleTimeout, now.IdleTimeout)
	differ(&c.Interim, before.Interim, now.Interim)
	differ(&c.RateUp, before.RateUp, now.RateUp)
	differ(&c.RateDown, before.RateDown, now.RateDown)
	differ(&c.Filter, before.Filter, now.Filter)
	return c
}

func differ[T comparable](change **T, before, now T) {
	if before != now {
		*change = &now
	}
}
