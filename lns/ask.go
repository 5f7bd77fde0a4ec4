package lns

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/session"
	"lnsgate/lns/trace"
	"lnsgate/pool"
)

// asking gives a question of the session its time, and takes it from the one before: nobody waits for that any more.
func (c *call) asking(timeout time.Duration) context.Context {
	c.giveUpAsking()
	ctx, cancel := context.WithTimeout(c.tunnel.server.life, timeout)
	c.stopAsking = cancel
	return ctx
}

func (c *call) giveUpAsking() {
	if c.stopAsking != nil {
		c.stopAsking()
		c.stopAsking = nil
	}
}

// check asks the AAA layer and posts the answer to the tunnel.
func (s *Server) check(ctx context.Context, t *tunnel, c *call, generation uint32, r *aaa.Request) {
	answer := loginAnswer{call: c, request: r, generation: generation, epoch: s.epoch.Load()}
	if s.deps.Recorder != nil {
		answer.trail = &aaa.Trail{Now: time.Now}
		ctx = aaa.WithTrail(ctx, answer.trail)
	}
	answer.decision, answer.err = s.deps.AAA.Authenticate(ctx, r)
	if answer.err == nil {
		answer.entered, answer.counted, answer.err = s.enter(ctx, c, r, &answer.decision)
	}
	if answer.err == nil { // who is over a limit ends nobody's session
		s.clearRoutes(ctx, c.uid, &answer.decision)
	}
	var said *aaa.Rejection
	var more *aaa.Challenge
	switch {
	case answer.err == nil:
		s.counters.add(loginsAccepted)
	case errors.As(answer.err, &more):
		s.counters.add(loginsChallenged)
		if r.MTU > 0 && len(more.Packet) > r.MTU {
			s.counters.add(eapTooLong)
		}
	case ctx.Err() == context.DeadlineExceeded && !errors.As(answer.err, &said):
		answer.err = aaa.Reject(aaa.Timeout, "no answer in time (limits.authentication_timeout)")
		fallthrough
	default:
		s.counters.add(loginsRejected)
	}
	s.answer(t, answer)
}

// answer posts what is known of a login; a tunnel that has ended meanwhile has no use for it.
func (s *Server) answer(t *tunnel, a loginAnswer) {
	if !t.mail.post(a, false) {
		a.lost(s)
	}
}

// recheck asks once more about a login that was checked against accounts and domains from before a change.
func (s *Server) recheck(t *tunnel, a loginAnswer) {
	s.work.must(func() {
		a.epoch = s.epoch.Load()
		question := *a.request
		question.Inner = a.decision.Inner
		d, err := s.authorize(s.life, &question)
		if !keeps(err, a.decision.Backend) {
			d.Reply, d.Message, d.Packet, d.Inner = a.decision.Reply, a.decision.Message, a.decision.Packet, a.decision.Inner
			a.decision, a.err = d, err
		}
		s.answer(t, a)
	})
}

// keeps says that what a back end granted at the login stands: it cannot tell more without the peer's proof. The no of
// another back end than the one that granted is a no.
func keeps(err error, backend string) bool {
	var no *aaa.Rejection
	return errors.As(err, &no) && no.Cause == aaa.OnlyAtLogin && no.Backend == backend
}

// enter counts a session in, where its account or domain has a limit, and tells how long that took.
func (s *Server) enter(ctx context.Context, c *call, r *aaa.Request, d *aaa.Decision) (entered bool, took time.Duration, err error) {
	if s.deps.Registry == nil || (d.MaxSessions <= 0 && d.DomainSessions <= 0) {
		return false, 0, nil
	}
	began := time.Now()
	err = s.deps.Registry.Enter(ctx, aaa.Entry{
		Session: c.uid, Name: r.Name, Account: d.Account, Domain: d.Domain, Peer: r.Peer, Since: began,
		AccountLimit: d.MaxSessions, DomainLimit: d.DomainSessions, Policy: d.SessionPolicy,
	})
	var said *aaa.Rejection
	refused := errors.As(err, &said) && said.Cause == aaa.SessionLimit
	return !refused, time.Since(began), err // what went wrong may have counted it all the same
}

// leave counts a session out, away from the tunnel's goroutine, however long the registry is away: an account whose session
// stayed counted could not log in again.
func (s *Server) leave(uid string) { s.work.must(func() { s.tryLeave(uid, true) }) }

func (s *Server) tryLeave(uid string, first bool) {
	ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	err := s.deps.Registry.Leave(ctx, uid)
	switch {
	case err == nil:
		return
	case s.life.Err() != nil:
		s.deps.Log.Warn("session still counted; it ends with this node's epoch", "session", uid, "cause", err)
		return
	case first:
		s.deps.Log.Warn("session still counted, trying on", "session", uid, "cause", err)
	}
	s.work.begin(func() {
		pause(s.life, leavePause)
		s.work.must(func() { s.tryLeave(uid, false) })
	})
}

// leavePause is how long a registry that is away is left alone.
const leavePause = 5 * time.Second

// askAddress has an address leased, away from this goroutine.
func (c *call) askAddress(a session.AddressAsk) {
	t, s := c.tunnel, c.tunnel.server
	if a.Wish.IsValid() && !s.config.Load().mayChoose(a.Wish, a.Decision.Pools) {
		c.log().Info("the peer gets an address of its pools, not the one of its choice, which is of none", "wish", a.Wish, "pools", a.Decision.Pools)
		a.Wish = netip.Addr{}
	}
	request := pool.Request{
		Pools:   a.Decision.Pools,
		Account: a.Decision.Account,
		Address: cmp.Or(a.Wish, a.Decision.Address),
		Holder:  c.uid,
	}
	ctx := c.asking(s.config.Load().Limits.AuthenticationTimeout)
	underway := slices.Clone(c.debts.underway)
	job := func() {
		began := time.Now()
		answer := leaseAnswer{call: c, generation: a.Generation}
		if answer.err = paid(ctx, underway); answer.err == nil {
			answer = s.leaseAll(ctx, c, a, request)
		}
		answer.took = time.Since(began)
		if !t.mail.post(answer, false) {
			answer.lost(s)
		}
	}
	s.work.soon(job)
}

// lease asks the pools. When the account's own address is held by an earlier session of the same account, that one is a remnant of
// a connection that broke: it gives way, and the address is asked for again until it is free.
func (s *Server) lease(ctx context.Context, r pool.Request) (pool.Lease, error) {
	for tries := 1; ; tries++ {
		lease, err := s.deps.Pools.Allocate(ctx, r)
		var inUse *pool.InUseError
		if !errors.As(err, &inUse) || tries == displaceTries || !s.displace(ctx, inUse.Holder, r.Account) {
			return lease, s.blame(ctx, err)
		}
		pause(ctx, displacePause)
	}
}

// How often, and how long apart, an address is asked for whose holder is on its way out.
const (
	displaceTries = 30
	displacePause = 100 * time.Millisecond
)

// displace ends the session that holds an address, if it is one of the same account. It says whether the address is free or
// about to be.
func (s *Server) displace(ctx context.Context, holder, account string) bool {
	name, ours := s.localName(holder)
	if !ours {
		return false
	}
	same := true // a session that is gone gives its address back now
	var lease pool.Lease
	s.askSession(ctx, name, func(c *call, now time.Time) {
		if same = c.core.Decision().Account == account; same && c.uid == holder {
			lease = c.core.Lease()
			c.drop(trace.Because(trace.Displaced, "%s logged in again", account), now)
		}
	})
	if lease.Address.IsValid() {
		return s.deps.Pools.Release(ctx, lease) == nil
	}
	return same
}

// pause waits a moment, or until the context ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
