package lns

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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

// askTunnel runs f on the goroutine of a tunnel and waits for it; false when the tunnel or the context ended first, and f has
// then not been run and never will be.
func (s *Server) askTunnel(ctx context.Context, t *tunnel, f func(*tunnel, time.Time)) bool {
	q := newQuestion(f)
	return t.mail.post(q, false) && q.wait(ctx)
}

// askAll runs f on the goroutine of every tunnel, one call of f at a time, and waits for all that answer in time.
func (s *Server) askAll(f func(*tunnel, time.Time)) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	var mu sync.Mutex
	var asked []*question
	for _, t := range s.tunnels.all() {
		q := newQuestion(func(t *tunnel, now time.Time) {
			mu.Lock()
			defer mu.Unlock()
			f(t, now)
		})
		if t.mail.post(q, false) {
			asked = append(asked, q)
		}
	}
	for _, q := range asked {
		q.wait(ctx)
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
		group:           t.group,
		backend:         d.Backend,
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
		Identification:  c.core.Identification(),
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
	uid, _, _ = strings.Cut(uid, "+") // what accounting calls a session whose peer has logged in anew
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
	// The configuration is in force now, so it goes for every session, whether or not somebody still waits for us.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	return s.Reauthorize(ctx, func(SessionInfo) bool { return true })
}

// Reauthorize asks again what the accounts of the matching sessions may. Sessions whose account may no longer log in, or is
// to have another address or domain, end; changed timeouts and rates apply at once. A back end that cannot be asked changes
// nothing and is told as an error: ask again later. Logins that are being checked meanwhile are checked again.
func (s *Server) Reauthorize(ctx context.Context, match func(SessionInfo) bool) error {
	s.epoch.Add(1)
	var faults []error
	away := make(map[string]bool) // back ends that cannot be asked now
	for _, i := range s.Sessions() {
		if i.Account == "" || away[i.backend] || !match(i) {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		d, err := s.authorize(ctx, i.request())
		if retryable(err) {
			away[i.backend] = true
			faults = append(faults, fmt.Errorf("sessions of back end %q go on unchecked: %w", i.backend, err))
			continue
		}
		s.askSession(ctx, i.Name, func(c *call, now time.Time) {
			if c.uid == i.UID {
				c.reauthorize(d, err, now)
			}
		})
	}
	return errors.Join(append(faults, ctx.Err())...)
}

// authorize asks about an account, for no longer than a login may take.
func (s *Server) authorize(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Load().Limits.AuthenticationTimeout)
	defer cancel()
	return s.deps.AAA.Authorize(ctx, r)
}

// request is what AAA is asked about the session, without a proof.
func (i SessionInfo) request() *aaa.Request {
	return &aaa.Request{
		Attempt: i.UID, Name: i.User, Peer: i.Remote, TunnelName: i.HostName,
		Group: i.group.Name, VirtualTemplate: i.group.Template,
		CallingNumber: i.CallingNumber, CalledNumber: i.CalledNumber,
		ForcedDomain: i.group.Domain, DefaultDomain: i.group.DefaultDomain,
	}
}

// reauthorize applies what is now said of the session's account.
func (c *call) reauthorize(d aaa.Decision, err error, now time.Time) {
	phase := c.core.Phase()
	if phase == session.Closing || phase == session.Ended {
		return
	}
	template := cmp.Or(d.VirtualTemplate, c.tunnel.group.Template)
	address := c.core.Lease().Address
	if !address.IsValid() { // the lease is still awaited
		address = c.core.Decision().Address
	}
	switch {
	case err != nil:
		c.close(trace.Because(trace.AccountChanged, "%v", err), now)
	case d.Address.IsValid() && d.Address != address:
		c.close(trace.Because(trace.AccountChanged, "its address is now %s", d.Address), now)
	case !d.Address.IsValid() && c.core.Decision().Address.IsValid():
		c.close(trace.Because(trace.AccountChanged, "it has no address of its own any more"), now)
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
