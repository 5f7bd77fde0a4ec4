package lns

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/session"
	"lnsgate/lns/trace"
)

var _ aaa.Sessions = (*Server)(nil)

// Find implements aaa.Sessions: the open sessions that match, of one tunnel where the match tells which.
func (s *Server) Find(ctx context.Context, m aaa.Match) []aaa.Live {
	var found []aaa.Live
	look := func(c *call) {
		if c.isLive() && c.matches(&m) && c.carries(&m) {
			found = append(found, c.live())
		}
	}
	switch {
	case m.Session != "":
		if name, ours := s.handle(m.Session); ours {
			s.askSession(ctx, name, func(c *call, _ time.Time) { look(c) })
		}
	case m.LocalTunnel != 0:
		if t := s.tunnels.find(l2tp.TunnelID(m.LocalTunnel)); t != nil {
			s.askTunnel(ctx, t, func(t *tunnel, _ time.Time) { t.each(look) })
		}
	default:
		s.askAll(ctx, func(t *tunnel, _ time.Time) { t.each(look) })
	}
	return found
}

func (t *tunnel) each(f func(*call)) {
	for _, c := range t.calls {
		f(c)
	}
}

// handle returns the handle "12/7" of a session by what accounting calls it; false when it is not of this process.
func (s *Server) handle(record string) (string, bool) {
	uid, _, _ := strings.Cut(record, "+") // of a session whose peer has logged in anew as somebody else
	return s.localName(uid)
}

// isLive says that the records of the session are open: it may just now negotiate anew.
func (c *call) isLive() bool {
	phase := c.core.Phase()
	return !c.openSince.IsZero() && phase != session.Closing && phase != session.Ended
}

// matches compares what the session is called and where it comes from.
func (c *call) matches(m *aaa.Match) bool {
	t := c.tunnel
	is := func(wanted, have string) bool { return wanted == "" || wanted == have }
	peer := t.path.Remote.Addr()
	return is(m.Session, c.recordName()) && is(m.Name, c.who.name) && is(m.UserName, c.userName()) &&
		(m.CallingNumber == "" || m.CallingNumber == aaa.Station(c.request.CallingNumber, peer)) &&
		(m.CalledNumber == "" || m.CalledNumber == aaa.Station(c.request.CalledNumber, t.path.Local)) &&
		(!m.Address.IsValid() || m.Address.Unmap() == c.who.address) &&
		(!m.Peer.IsValid() || m.Peer.Unmap() == peer.Unmap()) &&
		(m.LocalTunnel == 0 || m.LocalTunnel == uint16(t.id)) &&
		(m.LocalSession == 0 || m.LocalSession == uint16(c.id))
}

// carries compares the marks that a RADIUS server has put on the session.
func (c *call) carries(m *aaa.Match) bool {
	for _, wanted := range m.Class {
		if !slices.ContainsFunc(c.marks.class, func(have []byte) bool { return bytes.Equal(have, wanted) }) {
			return false
		}
	}
	return m.CUI == nil || bytes.Equal(m.CUI, c.marks.cui)
}

func (c *call) userName() string { return cmp.Or(c.marks.userName, c.who.name) }

func (c *call) live() aaa.Live {
	return aaa.Live{
		Session: c.recordName(), Name: c.who.name, UserName: c.userName(), Account: c.who.account, Domain: c.who.domain,
		Backend: c.who.backend, Address: c.who.address, Peer: c.tunnel.path.Remote, Since: c.openSince,
	}
}

// Change implements aaa.Sessions. What could be wrong with a change is wrong for every session, so it is found before the
// first is changed. An accounting record of each tells what is now so.
func (s *Server) Change(ctx context.Context, sessions []string, c aaa.Change) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	change, err := s.prepare(c)
	if err != nil {
		return err
	}
	byTunnel := make(map[*tunnel][]string)
	for _, name := range sessions {
		if t := s.tunnelOfRecord(name); t != nil {
			byTunnel[t] = append(byTunnel[t], name)
		}
	}
	// Begun is begun: not the caller's patience decides how many of them are changed.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	var wait sync.WaitGroup
	for t, names := range byTunnel {
		q := newQuestion(func(t *tunnel, now time.Time) { t.change(names, change, now) })
		if t.mail.post(q, false) {
			wait.Go(func() { q.wait(ctx) })
		}
	}
	wait.Wait()
	return ctx.Err()
}

// change is an aaa.Change that is known to be possible.
type change struct {
	aaa.Change
	filter *datapath.Filter // if Filter is set
}

func (s *Server) prepare(c aaa.Change) (change, error) {
	prepared := change{Change: c}
	for what, d := range map[string]*time.Duration{
		"session timeout": c.SessionTimeout, "idle timeout": c.IdleTimeout, "interval of accounting records": c.Interim,
	} {
		if d != nil && *d < 0 {
			return change{}, fmt.Errorf("the %s is negative", what)
		}
	}
	if c.Filter != nil {
		f, err := s.config.Load().filter(*c.Filter)
		if err != nil {
			return change{}, err
		}
		prepared.filter = f
	}
	return prepared, nil
}

// tunnelOfRecord finds the tunnel of a session by what accounting calls it, or nil.
func (s *Server) tunnelOfRecord(record string) *tunnel {
	name, ours := s.handle(record)
	id, _, ok := parseName(name)
	if !ours || !ok {
		return nil
	}
	return s.tunnels.find(id)
}

// change changes those of the named sessions that still live.
func (t *tunnel) change(names []string, ch change, now time.Time) {
	for _, record := range names {
		name, _ := t.server.handle(record)
		_, id, _ := parseName(name)
		if c := t.calls[id]; c != nil && c.recordName() == record && c.isLive() {
			c.change(ch, now)
		}
	}
}

func (c *call) change(ch change, now time.Time) {
	before := c.core.Decision()
	c.step(now, func(*session.Out) {
		c.core.Change(ch.Change)
		if ch.Class != nil {
			c.marks.class = ch.Class
		}
		c.account(aaa.RecordInterim, trace.Verdict{}, now)
	})
	d := c.core.Decision()
	if c.carrier != nil {
		c.carrier.SetRates(d.RateUp, d.RateDown)
	}
	if ch.Filter != nil {
		c.setFilter(ch.filter)
		c.refilter() // the configuration may have changed since
	}
	c.notedChange(&before, &d, now)
	c.log().Info("session changed", "session_timeout", d.SessionTimeout, "idle_timeout", d.IdleTimeout, "interim", d.Interim,
		"rate_up", d.RateUp, "rate_down", d.RateDown, "filter", d.Filter)
}

// Disconnect implements aaa.Sessions.
func (s *Server) Disconnect(ctx context.Context, record, reason string) bool {
	name, ours := s.handle(record)
	ended := false
	return ours && s.askSession(ctx, name, func(c *call, now time.Time) {
		if c.recordName() == record && c.isLive() {
			ended = true
			c.close(trace.Verdict{Cause: trace.Requested, Detail: reason}, now)
		}
	}) && ended
}
