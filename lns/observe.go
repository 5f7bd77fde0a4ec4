package lns

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"lnsgate/lns/l2tp"
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
func (s *Server) askAll(ctx context.Context, f func(*tunnel, time.Time)) {
	var mu sync.Mutex
	s.askEach(ctx, func(t *tunnel, now time.Time) {
		mu.Lock()
		defer mu.Unlock()
		f(t, now)
	})
}

// askEach runs f on the goroutine of every tunnel, many at once, and waits for all that answer in time.
func (s *Server) askEach(ctx context.Context, f func(*tunnel, time.Time)) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var asked []*question
	for _, t := range s.tunnels.all() {
		q := newQuestion(f)
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
	s.askAll(context.Background(), func(t *tunnel, _ time.Time) { all = append(all, t.info()) })
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
		Profile:   t.profile.String(),
		State:     t.core.State().String(),
		Sessions:  len(t.calls),
		Since:     t.since,
		LastHeard: time.Unix(0, t.heard.Load()),
	}
}

// SessionCount is how many sessions there are, those included that have not opened.
func (s *Server) SessionCount() int { return int(s.sessions.Load()) }

// Sessions returns what an operator sees of every session, by local tunnel and session id.
func (s *Server) Sessions() []SessionInfo {
	var mu sync.Mutex
	var parts [][]SessionInfo
	s.askEach(context.Background(), func(t *tunnel, now time.Time) {
		if len(t.calls) == 0 {
			return
		}
		part := t.sessions(now)
		mu.Lock()
		defer mu.Unlock()
		parts = append(parts, part)
	})
	// There are many, and they are large: each is copied once, into its place.
	slices.SortFunc(parts, func(a, b []SessionInfo) int { return cmp.Compare(a[0].LocalTunnel, b[0].LocalTunnel) })
	return slices.Concat(parts...)
}

// sessions returns what an operator sees of those of one tunnel, by local id.
func (t *tunnel) sessions(now time.Time) []SessionInfo {
	all := make([]SessionInfo, 0, len(t.calls))
	for _, id := range slices.Sorted(maps.Keys(t.calls)) {
		all = append(all, t.calls[id].info(now))
	}
	return all
}

func (c *call) info(now time.Time) SessionInfo {
	line := c.line()
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
		IPv6:            c.core.Prefixes().Networks(),
		Phase:           c.core.Phase().String(),
		Method:          c.core.Method().String(),
		MRU:             int(link.LocalMRU),
		PeerMRU:         int(link.PeerMRU),
		Since:           c.since,
		OpenSince:       c.openSince,
		Identification:  c.core.Identification(),
		CallingNumber:   c.request.CallingNumber,
		CalledNumber:    c.request.CalledNumber,
		CircuitID:       line.CircuitID,
		LineID:          line.RemoteID,
		LineUp:          line.UpstreamBPS,
		LineDown:        line.DownstreamBPS,
		SessionTimeout:  d.SessionTimeout,
		IdleTimeout:     d.IdleTimeout,
		RateUp:          d.RateUp,
		RateDown:        d.RateDown,
		Filter:          d.Filter,
		Routes:          prefixes(bothFamilies(&d)),
		Backend:         d.Backend,
		Counters:        c.counters(),
		Quality:         c.core.Quality(),
		LoginsLastHour:  t.server.reconnects.count(d.Account, now),
	}
}

// line is what a LAC has told of the subscriber's line.
func (c *call) line() l2tp.AccessLine {
	if c.request.Line == nil {
		return l2tp.AccessLine{}
	}
	return *c.request.Line
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
	s.askAll(context.Background(), func(t *tunnel, now time.Time) {
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
	return s.drop(ctx, uid, trace.Verdict{Cause: trace.Displaced, Detail: reason})
}

// LoseLease does the same with a session whose address this node may hold no longer.
func (s *Server) LoseLease(ctx context.Context, uid, reason string) bool {
	return s.drop(ctx, uid, trace.Verdict{Cause: trace.LeaseLost, Detail: reason})
}

func (s *Server) drop(ctx context.Context, uid string, v trace.Verdict) bool {
	uid, _, _ = strings.Cut(uid, "+") // what accounting calls a session whose peer has logged in anew
	name, ours := s.localName(uid)
	return ours && s.askSession(ctx, name, func(c *call, now time.Time) {
		if c.uid == uid {
			c.drop(v, now)
		}
	})
}
