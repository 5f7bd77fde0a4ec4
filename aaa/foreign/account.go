package foreign

import (
	"cmp"
	"context"
	"errors"
	"math"
	"time"

	"lnsgate/aaa"
	"lnsgate/pool"
)

// Account takes what a NAS tells of one of its sessions, and returns nil only when it is where no crash takes it away. It fills
// in what is known of the login. After an error the NAS sends the record again; see the package for why that does no harm.
func (s *Sessions) Account(ctx context.Context, r *aaa.Record) error {
	r.Node = s.config.Node
	if r.NAS == nil {
		return s.store(ctx, r)
	}
	if err := s.resume(ctx); err != nil {
		return err
	}
	release, err := s.turns.take(ctx, r.Session)
	if err != nil {
		return err
	}
	defer release()
	if r.Kind == aaa.RecordInterim {
		s.mu.Lock()
		s.book.reported(r.NAS.Name, r.NAS.Client)
		s.mu.Unlock()
	}
	claimed := s.renew(r)
	if s.isOver(r) {
		s.figures.late.Add(1)
		return nil
	}
	e, there, err := s.recall(ctx, r)
	if err != nil {
		return err
	}
	if there {
		claimed = later(claimed, e.align(r, s.config.Now()))
	}
	switch {
	case there && began(e.started, r.Started): // the NAS uses the name of a session again that it never ended
		if err := s.replace(ctx, &e, r); err != nil {
			return err
		}
		e = s.successorOf(ctx, &e, r)
	case there && began(r.Started, e.started): // it is of one before, and only tells what that one did
		return s.store(ctx, r)
	case there && e.live && r.Sequence <= e.sequence:
		s.figures.late.Add(1)
		return nil
	case !there:
		e = s.strangerOf(r)
	}
	if !claimed.IsZero() {
		e.claimed = claimed
	}
	if r.Kind != aaa.RecordStop && !e.live {
		if err := s.hasRoom(r.NAS); err != nil {
			return err
		}
	}
	return s.follow(ctx, &e, r)
}

// isOver says that a record is of a session that has ended, and changes nothing.
func (s *Sessions) isOver(r *aaa.Record) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ended := s.book.tombs.Get(r.Session)
	switch {
	case !ended || began(t.started, r.Started):
		return false
	case r.Sequence <= t.sequence:
		return true
	}
	return r.Kind != aaa.RecordStop && !r.At.After(t.before)
}

// recall finds what is known of the session of a record: in memory, or else in the Store.
func (s *Sessions) recall(ctx context.Context, r *aaa.Record) (entry, bool, error) {
	if e, there := s.get(r.Session); there {
		return e, true, nil
	}
	if r.Session == r.NAS.Name+"/"+r.NAS.Session { // no Class came back
		if e, there := s.rename(ctx, r); there {
			return e, true, nil
		}
	}
	found, err := s.config.Store.Find(ctx, Query{Session: r.Session, Limit: 1})
	if err != nil || len(found) == 0 {
		return entry{}, false, err
	}
	e := s.entryOf(&found[0])
	e.live, e.sequence, e.heard = true, found[0].Sequence, s.config.Now()
	return e, true, nil
}

// rename gives the login that a session began with the name of the session.
func (s *Sessions) rename(ctx context.Context, r *aaa.Record) (entry, bool) {
	s.mu.Lock()
	e, there := s.book.claim(r)
	s.mu.Unlock()
	if !there {
		return entry{}, false
	}
	old := e
	e.session, e.started, e.entered, e.limits = r.Session, r.Started, time.Time{}, limits{}
	for p := range parts {
		if lease, moved := s.move(ctx, &old, p, e.session); moved {
			e.leases[p], old.leases[p] = lease, pool.Lease{}
		}
	}
	s.giveBack(ctx, &old) // what was not moved is taken again at once, by keep
	return e, true
}

// entryOf is what a record tells of its session. Whether a prefix is one of ours only the pools know.
func (s *Sessions) entryOf(r *aaa.Record) entry {
	e := entry{
		session: r.Session, name: r.Name, started: r.Started, account: r.Account, domain: r.Domain, backend: r.Backend, method: r.Method,
		nas: *r.NAS, peer: r.Peer, calling: r.CallingNumber, terms: r.Terms, sinks: r.Sinks, userName: r.UserName, class: r.Class, cui: r.CUI,
		counted: true,
	}
	if r.Pool != "" {
		e.leases[four] = pool.Lease{Address: r.Address, Pool: r.Pool, Account: r.Account, Holder: r.Session}
	}
	for _, p := range prefixes {
		if has := told(p, r); has.IsValid() && s.client(r.NAS).Addresses == Given {
			e.leases[p] = leaseOf(has)
			e.leases[p].Account, e.leases[p].Holder = r.Account, r.Session
		}
	}
	return e
}

// strangerOf is the same of a session whose login is not known here: another node had it, or it was before a Stop of our own.
func (s *Sessions) strangerOf(r *aaa.Record) entry {
	e := s.entryOf(r)
	if len(e.sinks) == 0 && s.config.Sinks != nil && e.domain != "" {
		e.sinks = s.config.Sinks(e.domain)
	}
	return e
}

// successorOf is the same of a session that has taken the name of another. Where that is one of ours, both began with one login, which
// the NAS has asked about anew.
func (s *Sessions) successorOf(ctx context.Context, before *entry, r *aaa.Record) entry {
	e := s.strangerOf(r)
	if e.isEstimate() {
		if login, there := s.rename(ctx, r); there {
			return login
		}
		return e
	}
	e.terms, e.sinks, e.userName, e.class, e.cui, e.asked = before.terms, before.sinks, before.userName, before.class, before.cui, before.asked
	return e
}

// follow has a session follow a record that is newer than all before.
func (s *Sessions) follow(ctx context.Context, e *entry, r *aaa.Record) error {
	e.nas = *r.NAS
	if r.Kind == aaa.RecordStop {
		s.complete(e, r)
		return s.finish(ctx, e, r, tomb{sequence: r.Sequence, started: r.Started})
	}
	if e.name == "" {
		e.name = r.Name
	}
	mustEnd := s.bind(ctx, e, r)
	s.complete(e, r)
	err := s.store(ctx, r)
	if err == nil {
		err = s.config.Store.Put(ctx, *r)
	}
	if errors.Is(err, ErrEnded) {
		s.figures.late.Add(1)
		s.giveBack(ctx, e)
		s.mu.Lock()
		s.book.bury(r.Session, r.NAS.Client, tomb{sequence: r.Sequence, started: r.Started})
		s.mu.Unlock()
		return nil
	}
	if !e.live {
		s.lives(r.NAS.Client)
	}
	e.live, e.heard, e.doomed = true, s.config.Now(), cmp.Or(e.doomed, mustEnd) // it is told when the record is stored
	if err == nil {
		e.sequence = r.Sequence
	}
	s.set(*e)
	if err != nil {
		return err
	}
	if r.Kind == aaa.RecordStart {
		s.checkAgain(e)
	}
	s.mu.Lock()
	mustEnd = s.book.condemned(e.session)
	s.mu.Unlock()
	if mustEnd != "" {
		s.mustEnd(ctx, r, mustEnd)
	}
	return nil
}

// mustEnd has the NAS end a session that should not have begun.
func (s *Sessions) mustEnd(ctx context.Context, r *aaa.Record, why string) {
	if _, err := s.order(ctx, r, disconnect(why)); err != nil {
		s.config.Log.Error("foreign: a session that must end could not be ended; end it by hand", "session", r.Session, "why", why, "cause", err)
	}
}

// bind keeps the address of a session and its place. What cannot be done now is owed; the session goes on in any case. It
// returns why it must end, if it must: another login of its account has taken its address or its place before it began.
func (s *Sessions) bind(ctx context.Context, e *entry, r *aaa.Record) (mustEnd string) {
	given := e.leases
	fault := s.keep(ctx, e, r)
	for p := range parts {
		if s.hasLost(ctx, e, p, &given[p], r) {
			mustEnd = lost(p, given[p])
		}
	}
	err := s.enter(ctx, e)
	no := (*aaa.Rejection)(nil)
	if e.limits = (limits{}); errors.As(err, &no) && no.Cause == aaa.SessionLimit {
		mustEnd = no.Error()
		err = s.enter(ctx, e) // until it ends it counts
	}
	if fault = errors.Join(fault, err); fault != nil {
		s.config.Log.Warn("foreign: the address and the place of a session could not be kept, it is tried again", "session", e.session,
			"user", e.name, "nas", e.nas.Name, "address", e.leases[four].Address, "cause", fault)
		s.owe(e.session, debt{keep: true})
	}
	return mustEnd
}

// lost says why a session must end.
func lost(p part, lease pool.Lease) string {
	return "its " + p.String() + " " + textOf(lease) + " has been given to another session"
}

// hasLost says that a session began with what another one has: an offer that was given to that one before the Start came.
func (s *Sessions) hasLost(ctx context.Context, e *entry, p part, given *pool.Lease, r *aaa.Record) bool {
	switch rival := e.rivals[p]; {
	case rival == "":
		return false
	case p == four:
		return given.Address == r.Address || s.isOf(ctx, rival, e.account)
	}
	return given.Pool != "" && given.Prefix() == told(p, r)
}

// isOf says that a session is one of an account.
func (s *Sessions) isOf(ctx context.Context, session, account string) bool {
	if e, known := s.get(session); known {
		return e.account == account
	}
	found, err := s.config.Store.Find(ctx, Query{Session: session, Limit: 1})
	return err == nil && len(found) > 0 && found[0].Account == account
}

// complete fills in what a NAS does not know, or does not say.
func (s *Sessions) complete(e *entry, r *aaa.Record) {
	if e.account != "" && (e.domain != "" || r.Domain == "") {
		r.Account, r.Domain = e.account, e.domain
	}
	if r.Name == "" {
		r.Name = e.name
	}
	if r.Backend == "" {
		r.Backend = e.backend
	}
	if r.Method == aaa.MethodNone {
		r.Method = e.method
	}
	if r.UserName == "" {
		r.UserName = e.userName
	}
	if len(r.Class) == 0 {
		r.Class = e.class
	}
	if r.CUI == nil {
		r.CUI = e.cui
	}
	if !r.Address.IsValid() {
		r.Address = e.leases[four].Address
	}
	if r.Address == e.leases[four].Address {
		r.Pool = e.leases[four].Pool
	}
	e.tellPrefixes(r)
	r.Sinks, r.Terms = e.sinks, e.terms
}

// store hands a record on and waits until no crash takes it away.
func (s *Sessions) store(ctx context.Context, r *aaa.Record) error {
	if err := s.config.Records.Take(*r); err != nil {
		return err
	}
	return s.config.Records.Sync(ctx)
}

// finish ends a session: first it is written down, then it gives back what it had.
func (s *Sessions) finish(ctx context.Context, e *entry, r *aaa.Record, t tomb) error {
	if err := s.store(ctx, r); err != nil {
		return err
	}
	if err := s.config.Store.Put(ctx, *r); err != nil && !errors.Is(err, ErrEnded) {
		return err
	}
	if !e.leases[four].Address.IsValid() && s.client(r.NAS).Addresses == Given && r.Address.IsValid() {
		e.leases[four] = pool.Lease{Address: r.Address, Account: r.Account, Holder: e.session}
	}
	s.giveBack(ctx, e)
	if e.live {
		s.livesNot(clientOf(r))
	}
	s.mu.Lock()
	s.book.bury(r.Session, clientOf(r), t)
	s.mu.Unlock()
	return nil
}

// end ends a session by a Stop of our own, made of its last record. It is a guess, and what the NAS says later counts more. Who
// calls it has the session's turn.
func (s *Sessions) end(ctx context.Context, last *aaa.Record, at time.Time, cause aaa.TerminateCause, reason string) error {
	r := *last
	r.Kind, r.Node, r.Terminate, r.Reason = aaa.RecordStop, s.config.Node, cause, reason
	if r.Sequence < math.MaxUint32 {
		r.Sequence++
	}
	if r.At = at; at.Before(last.At) {
		r.At = last.At
	}
	t := tomb{sequence: r.Sequence, started: r.Started}
	if cause == aaa.TerminateNASReboot {
		t.before = at
	}
	e, there := s.get(r.Session)
	if !there {
		e = s.entryOf(last)
		e.live = true
	}
	s.config.Log.Info("foreign: a session is closed", "session", r.Session, "user", r.Name, "nas", nameOf(&r), "cause", cause, "reason", reason)
	return s.finish(ctx, &e, &r, t)
}

func nameOf(r *aaa.Record) string {
	if r.NAS == nil {
		return ""
	}
	return r.NAS.Name
}

// replace ends a session whose name its NAS uses for another one now.
func (s *Sessions) replace(ctx context.Context, e *entry, r *aaa.Record) error {
	found, err := s.config.Store.Find(ctx, Query{Session: e.session, Limit: 1})
	if err != nil || len(found) == 0 || !began(found[0].Started, r.Started) {
		if err == nil {
			s.giveBack(ctx, e)
		}
		return err
	}
	return s.end(ctx, &found[0], found[0].At, aaa.TerminateNASReboot, "the NAS began another session of this name")
}
