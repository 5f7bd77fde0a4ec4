package lns

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/session"
	"lnsgate/lns/trace"
)

// askTimeout is how long the goroutine of a tunnel may take to answer an operator.
const askTimeout = 5 * time.Second

// askTunnel runs f on the goroutine of a tunnel and waits for it; false when the tunnel is over or the context is.
func (s *Server) askTunnel(ctx context.Context, t *tunnel, f func(*tunnel, time.Time)) bool {
	answered := false
	q := question{done: make(chan struct{}), ask: func(t *tunnel, now time.Time) { f(t, now); answered = true }}
	if !t.mail.post(q, false) {
		return false
	}
	select {
	case <-q.done:
		return answered
	case <-ctx.Done():
		return false
	}
}

// askAll runs f on the goroutine of every tunnel, one call of f at a time, and waits for all.
func (s *Server) askAll(f func(*tunnel, time.Time)) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	var mu sync.Mutex
	var asked []question
	for _, t := range s.tunnels.all() {
		q := question{done: make(chan struct{}), ask: func(t *tunnel, now time.Time) {
			mu.Lock()
			defer mu.Unlock()
			f(t, now)
		}}
		if t.mail.post(q, false) {
			asked = append(asked, q)
		}
	}
	for _, q := range asked {
		select {
		case <-q.done:
		case <-ctx.Done():
			return
		}
	}
}

// askSession runs f on the goroutine that owns the session of this name; false when there is none.
func (s *Server) askSession(ctx context.Context, name string, f func(*call, time.Time)) bool {
	tunnelID, sessionID, ok := parseName(name)
	t := s.tunnels.find(tunnelID)
	if !ok || t == nil {
		return false
	}
	found := false
	return s.askTunnel(ctx, t, func(t *tunnel, now time.Time) {
		if c := t.calls[sessionID]; c != nil {
			found = true
			f(c, now)
		}
	}) && found
}

// Tunnels returns what an operator sees of every tunnel, by local id.
func (s *Server) Tunnels() []TunnelInfo {
	var all []TunnelInfo
	s.askAll(func(t *tunnel, _ time.Time) { all = append(all, t.info()) })
	slices.SortFunc(all, func(a, b TunnelInfo) int { return cmp.Compare(a.LocalID, b.LocalID) })
	return all
}

func (t *tunnel) info() TunnelInfo {
	peer := t.core.Peer()
	return TunnelInfo{
		LocalID:   uint16(t.id),
		RemoteID:  uint16(peer.Tunnel),
		Remote:    t.path.Remote,
		Local:     t.path.Local,
		HostName:  peer.HostName,
		Vendor:    peer.Vendor,
		Group:     t.group.Name,
		State:     t.core.State().String(),
		Sessions:  len(t.calls),
		Since:     t.since,
		LastHeard: time.Unix(0, t.heard.Load()),
	}
}

// Sessions returns what an operator sees of every session, by local tunnel and session id.
func (s *Server) Sessions() []SessionInfo {
	var all []SessionInfo
	s.askAll(func(t *tunnel, _ time.Time) {
		for _, c := range t.calls {
			all = append(all, c.info())
		}
	})
	slices.SortFunc(all, func(a, b SessionInfo) int {
		return cmp.Or(cmp.Compare(a.LocalTunnel, b.LocalTunnel), cmp.Compare(a.LocalID, b.LocalID))
	})
	return all
}

func (c *call) info() SessionInfo {
	t, link, d, lease := c.tunnel, c.core.Link(), c.core.Decision(), c.core.Lease()
	return SessionInfo{
		Name:            c.name(),
		UID:             c.uid,
		LocalTunnel:     uint16(t.id),
		LocalID:         uint16(c.id),
		RemoteTunnel:    uint16(t.core.Peer().Tunnel),
		RemoteID:        uint16(c.peer),
		Remote:          t.path.Remote,
		HostName:        t.core.Peer().HostName,
		User:            c.core.Name(),
		Account:         d.Account,
		Domain:          d.Domain,
		VirtualTemplate: c.template,
		Address:         lease.Address,
		Pool:            lease.Pool,
		Phase:           c.core.Phase().String(),
		Method:          c.core.Method().String(),
		MRU:             int(link.LocalMRU),
		PeerMRU:         int(link.PeerMRU),
		Since:           c.since,
		OpenSince:       c.openSince,
		CallingNumber:   c.request.CallingNumber,
		CalledNumber:    c.request.CalledNumber,
		SessionTimeout:  d.SessionTimeout,
		IdleTimeout:     d.IdleTimeout,
		Counters:        c.counters(),
	}
}

// Kick ends sessions: the one of that name, "12/7", or every one of that user, as typed at login. It returns how many.
func (s *Server) Kick(ctx context.Context, who, reason string) (int, error) {
	verdict := trace.Verdict{Cause: trace.Kicked, Detail: reason}
	if strings.Contains(who, "/") {
		found := s.askSession(ctx, who, func(c *call, now time.Time) { c.close(verdict, now) })
		if found {
			return 1, nil
		}
	}
	kicked := 0
	s.askAll(func(t *tunnel, now time.Time) {
		for _, c := range t.calls {
			if c.core.Name() == who || c.core.Decision().Account == who {
				kicked++
				c.close(verdict, now)
			}
		}
	})
	return kicked, ctx.Err()
}

// Drop ends the session of this unique name at once, if it is one of this node: another has taken its place.
func (s *Server) Drop(ctx context.Context, uid, reason string) bool {
	name, ours := s.localName(uid)
	return ours && s.askSession(ctx, name, func(c *call, now time.Time) {
		if c.uid == uid {
			c.drop(trace.Verdict{Cause: trace.Displaced, Detail: reason}, now)
		}
	})
}

// Reload takes a new configuration. What exists goes on: tunnels keep the group that they matched, sessions what they
// negotiated. Every session is reauthorized. A configuration with faults is refused whole.
func (s *Server) Reload(ctx context.Context, config *Config) error {
	if err := s.setConfig(config); err != nil {
		return err
	}
	return s.Reauthorize(ctx, func(SessionInfo) bool { return true })
}

// Reauthorize asks again what the accounts of the matching sessions may. Sessions whose account may no longer log in, or is
// to have another address, domain or virtual template, end; changed timeouts and rates apply at once. A back end that cannot be asked changes
// nothing.
func (s *Server) Reauthorize(ctx context.Context, match func(SessionInfo) bool) error {
	for _, i := range s.Sessions() {
		if i.Account == "" || !match(i) {
			continue
		}
		request := &aaa.Request{Name: i.User, Attempt: i.UID, Peer: i.Remote, TunnelName: i.HostName,
			CallingNumber: i.CallingNumber, CalledNumber: i.CalledNumber}
		s.askSession(ctx, i.Name, func(c *call, _ time.Time) {
			request.Group, request.VirtualTemplate = c.tunnel.group.Name, c.tunnel.group.Template
			request.ForcedDomain, request.DefaultDomain = c.tunnel.group.Domain, c.tunnel.group.DefaultDomain
		})
		d, err := s.deps.AAA.Authorize(ctx, request)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.askSession(ctx, i.Name, func(c *call, now time.Time) {
			if c.uid == i.UID {
				c.reauthorize(d, err, now)
			}
		})
	}
	return ctx.Err()
}

// reauthorize applies what is now said of the session's account.
func (c *call) reauthorize(d aaa.Decision, err error, now time.Time) {
	if p := c.core.Phase(); p == session.Closing || p == session.Ended {
		return
	}
	template := cmp.Or(d.VirtualTemplate, c.tunnel.group.Template)
	switch {
	case retryable(err):
		c.log().Warn("account not checked after the reload, the session goes on", "cause", err)
	case err != nil:
		c.close(trace.Because(trace.AccountChanged, "%v", err), now)
	case d.Address.IsValid() && d.Address != c.core.Lease().Address:
		c.close(trace.Because(trace.AccountChanged, "its address is now %s", d.Address), now)
	case d.Domain != c.core.Decision().Domain:
		c.close(trace.Because(trace.AccountChanged, "its domain is now %s", d.Domain), now)
	case template != c.template:
		c.close(trace.Because(trace.AccountChanged, "its virtual template is now %s", template), now)
	default:
		c.step(now, func(*session.Out) { c.core.Reauthorized(d, now) })
		if c.carrier != nil {
			c.carrier.SetRates(d.RateUp, d.RateDown)
		}
	}
}

// retryable says that nobody could tell: the fault is on our side.
func retryable(err error) bool {
	var r interface{ Retryable() bool }
	return errors.As(err, &r) && r.Retryable()
}
