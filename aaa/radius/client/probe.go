package client

import (
	"crypto/rand"
	"time"

	"layeh.com/radius"
)

// probe sends a Status-Server (RFC 5997) on the best socket, while no other is under way.
func (s *server) probe(now time.Time) {
	if !s.config.StatusServer || s.health.probing {
		return
	}
	if l := s.roomiest(now); l != nil {
		l.probe(now)
	} else if s.tls == nil {
		s.want = max(s.want, 1)
		nudge(s.keeper.wake)
	}
}

// probe sends a Status-Server on this socket, with an identifier of its own, and only once.
func (l *link) probe(now time.Time) {
	s := l.server
	c := s.newCall(radius.CodeStatusServer, now)
	if !l.identify(c, now) {
		s.group.recycle(c)
		return
	}
	c.probe = true
	rand.Read(c.authenticator[:]) // never fails
	c.packet.Code, c.packet.Identifier, c.packet.Authenticator = c.code, c.id, c.authenticator
	c.octets, _ = s.key.AppendRequest(c.octets[:0], &c.packet) // one without attributes fits
	c.until = now.Add(s.group.config.Health.Answer)
	c.launch(now)
	s.health.probing = true
	s.stats.Probes++
	s.group.send(l, c.octets)
}

// watch looks after a TLS connection (RFC 3539 section 3.4): when nothing was heard for a while it asks, and when nothing
// was heard after that for as long again it cuts.
func (l *link) watch(now time.Time) {
	s, interval := l.server, l.server.group.config.Health.Check
	quiet := now.Sub(l.heard)
	switch {
	case !s.config.StatusServer:
		return
	case l.pinged && quiet >= interval:
		s.cut(l, errWatchdog)
		return
	case quiet >= interval-interval/10:
		l.pinged = true
		l.probe(now)
		l.watchIn(jittered(interval))
	default:
		l.watchIn(jittered(interval) - quiet)
	}
}

func (l *link) watchIn(wait time.Duration) {
	l.server.group.timers.set(&l.watchdog, time.Now().Add(wait))
}
