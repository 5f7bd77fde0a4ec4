package lns

import (
	"context"
	"errors"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/session"
	"lnsgate/lns/trace"
	"lnsgate/pool"
)

// check asks the AAA layer and posts the answer to the tunnel.
func (s *Server) check(t *tunnel, c *call, generation uint32, r *aaa.Request, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(s.life, timeout)
	defer cancel()
	decision, err := s.deps.AAA.Authenticate(ctx, r)
	entered := false
	if err == nil {
		entered, err = s.enter(ctx, c, r, &decision)
	}
	switch {
	case err == nil:
		s.counters.add(loginsAccepted)
	case errors.Is(err, context.DeadlineExceeded):
		err = aaa.Reject(aaa.Timeout, "no answer within %s", timeout)
		fallthrough
	default:
		s.counters.add(loginsRejected)
	}
	answer := loginAnswer{call: c, generation: generation, decision: decision, entered: entered, err: err}
	if !t.mail.post(answer, false) {
		answer.lost(s)
	}
}

// enter counts a session in, where its account or domain has a limit.
func (s *Server) enter(ctx context.Context, c *call, r *aaa.Request, d *aaa.Decision) (bool, error) {
	if s.deps.Registry == nil || (d.MaxSessions == 0 && d.DomainSessions == 0) {
		return false, nil
	}
	err := s.deps.Registry.Enter(ctx, aaa.Entry{
		Session: c.uid, Name: r.Name, Account: d.Account, Domain: d.Domain, Peer: r.Peer, Since: time.Now(),
		AccountLimit: d.MaxSessions, DomainLimit: d.DomainSessions, Policy: d.SessionPolicy,
	})
	return err == nil, err
}

// leave counts a session out, away from the tunnel's goroutine.
func (s *Server) leave(uid string) {
	s.work.must(func() {
		ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
		defer cancel()
		if err := s.deps.Registry.Leave(ctx, uid); err != nil {
			s.deps.Log.Error("session still counted", "session", uid, "cause", err)
		}
	})
}

// askAddress has an address leased, away from this goroutine.
func (c *call) askAddress(a session.AddressAsk) {
	t, s := c.tunnel, c.tunnel.server
	request := pool.Request{
		Pools:   a.Decision.Pools,
		Account: a.Decision.Account,
		Address: a.Decision.Address,
		Holder:  c.uid,
	}
	timeout := s.config.Load().Limits.AuthenticationTimeout
	job := func() {
		lease, err := s.lease(request, timeout)
		answer := leaseAnswer{call: c, generation: a.Generation, lease: lease, err: err}
		if !t.mail.post(answer, false) {
			answer.lost(s)
		}
	}
	if !s.work.try(job) {
		err := errors.New("too many addresses are being leased at once (limits.pending_authentications)")
		t.mail.post(leaseAnswer{call: c, generation: a.Generation, err: err}, false)
	}
}

// lease asks the pools. When the account's own address is held by an earlier session of the same account, that one is a remnant of
// a connection that broke: it gives way.
func (s *Server) lease(r pool.Request, timeout time.Duration) (pool.Lease, error) {
	ctx, cancel := context.WithTimeout(s.life, timeout)
	defer cancel()
	lease, err := s.deps.Pools.Allocate(ctx, r)
	var inUse *pool.InUseError
	if !errors.As(err, &inUse) || !s.displace(ctx, inUse.Holder, r.Account) {
		return lease, err
	}
	return s.deps.Pools.Allocate(ctx, r)
}

// displace ends the session that holds an address, if it is one of the same account, and gives the address back.
func (s *Server) displace(ctx context.Context, holder, account string) bool {
	var lease pool.Lease
	name, ok := s.localName(holder)
	if !ok {
		return false
	}
	s.askSession(ctx, name, func(c *call, now time.Time) {
		if c.core.Decision().Account == account {
			lease = c.core.Lease()
			c.drop(trace.Because(trace.Displaced, "%s logged in again", account), now)
		}
	})
	return lease.Address.IsValid() && s.deps.Pools.Release(ctx, lease) == nil
}
