package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"time"
)

// errCut is ErrConnection for a request that was under way: it may be asked again on another connection.
var errCut = fmt.Errorf("%w: it was cut", ErrConnection)

var errWatchdog = errors.New("it answered nothing, not even Status-Server")

// keeper is what the goroutine knows that opens and closes the sockets of a server.
type keeper struct {
	wake    chan struct{} // buffered by one
	learnt  bool          // the state file is to be written
	tried   time.Time     // when a socket was opened last, or was not
	backoff time.Duration // from then on
	looked  time.Time     // when it was last thought about whether there are too many sockets
}

// keep is the goroutine that opens and closes the sockets of the server.
func (s *server) keep() {
	g := s.group
	clock := time.NewTimer(time.Hour)
	defer clock.Stop()
	for {
		g.mu.Lock()
		now := time.Now()
		s.shrink(now)
		open, wait := s.plan(now)
		g.mu.Unlock()
		s.remember()
		if open {
			s.open()
			continue
		}
		clock.Reset(wait)
		select {
		case <-clock.C:
		case <-s.keeper.wake:
		case <-g.ctx.Done():
			s.remember() // of the last moment
			return
		}
	}
}

// plan says whether to open a socket now, or else how long nothing is to be done.
func (s *server) plan(now time.Time) (open bool, wait time.Duration) {
	k := &s.keeper
	if s.group.closed || s.active() >= s.want {
		return false, s.group.config.Health.Idle
	}
	backoff := k.backoff
	if s.waiting.count > 0 {
		backoff = min(backoff, s.group.config.Health.Redial) // somebody wants to know
	}
	if at := k.tried.Add(backoff); now.Before(at) {
		return false, at.Sub(now)
	}
	return true, 0
}

// active counts the sockets that take new calls.
func (s *server) active() (n int) {
	for _, l := range s.links {
		if !l.retired {
			n++
		}
	}
	return n
}

// shrink retires a socket when fewer would have done since the last look.
func (s *server) shrink(now time.Time) {
	k := &s.keeper
	if now.Sub(k.looked) < s.group.config.Health.Idle {
		return
	}
	k.looked = now
	need := max(1, (s.busiest+comfortable-1)/comfortable)
	s.busiest = 0
	if s.want <= need {
		return
	}
	s.want--
	for i := len(s.links) - 1; i >= 0 && s.active() > s.want; i-- {
		if l := s.links[i]; !l.retired {
			l.retire()
		}
	}
}

// open opens one socket and starts to read from it.
func (s *server) open() {
	g := s.group
	ctx, cancel := context.WithTimeout(g.ctx, g.config.Health.DialTime)
	conn, err := s.dial(ctx)
	cancel()
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	switch {
	case g.closed:
		if err == nil {
			conn.Close() //nolint:errcheck // nobody used it
		}
	case err != nil:
		s.unreachable(now, err)
	default:
		s.opened(now, conn)
	}
}

func (s *server) dial(ctx context.Context) (net.Conn, error) {
	network := "udp"
	if s.tls != nil {
		network = "tcp"
	}
	raw, err := s.group.config.Dial(ctx, network, s.config.Address)
	if err != nil {
		return nil, err
	}
	if s.tls == nil {
		enlarge(raw)
		return raw, nil
	}
	secured := tls.Client(raw, s.tls)
	if err = secured.HandshakeContext(ctx); err != nil {
		raw.Close() //nolint:errcheck // the other error tells more
		return nil, err
	}
	return secured, nil
}

// opened takes a new socket into use.
func (s *server) opened(now time.Time, conn net.Conn) {
	l := &link{server: s, conn: conn, stream: s.tls != nil, ids: newIdentifiers(byte(rand.Uint32())), heard: now}
	l.watchdog.fire = l.watch
	s.links = append(s.links, l)
	s.health.fault = ""
	if l.stream {
		s.backOff(now) // for one that is cut again; the first answer undoes it
		l.watchIn(jittered(s.group.config.Health.Check))
	}
	if s.health.cut {
		s.become(Alive, now, "it can be connected to again")
	} else if s.health.state != Alive {
		s.checkIn(0)
	}
	s.group.running.Go(l.read)
	s.dispatch(now)
}

// unreachable notes that no socket could be opened. With no other, the server is dead, and who waits is told at once.
func (s *server) unreachable(now time.Time, err error) {
	s.backOff(now)
	s.stats.Cut++
	s.health.fault = err.Error()
	if len(s.links) > 0 {
		return
	}
	s.become(Dead, now, "it cannot be connected to: "+err.Error())
	s.health.cut = true
	s.flush(fmt.Errorf("%w: %v", ErrConnection, err))
}

// cut notes that a socket is of no use any more. Its calls fail; they may be tried again elsewhere.
func (s *server) cut(l *link, err error) {
	if !slices.Contains(s.links, l) {
		return // somebody else was faster
	}
	s.stats.Cut++
	if !l.stream {
		s.backOff(time.Now())
	}
	why := fmt.Errorf("%w: %v", errCut, err)
	s.drop(l, why)
	if l.stream && len(s.links) == 0 {
		s.flush(why) // others need not wait for the next connection
	}
	s.group.note(slog.LevelInfo, "A socket to the RADIUS server was closed.", "server", s.config.Name, "cause", err.Error())
}

// backOff has the next socket opened later than the one before, unless an answer comes meanwhile.
func (s *server) backOff(now time.Time) {
	all, k := &s.group.config.Health, &s.keeper
	k.tried = now
	k.backoff = max(all.Redial, jittered(min(2*k.backoff, max(all.Check, all.Redial))))
}

// leastBackoff is that of a socket that was of use.
func (s *server) leastBackoff() time.Duration {
	if s.tls == nil {
		return 0
	}
	return s.group.config.Health.Redial
}

// remember writes the state file, if the server has shown something new. What it says of servers that are not ours stays: after
// a reload two groups have one file for a while.
func (s *server) remember() {
	g := s.group
	g.saving.Lock()
	defer g.saving.Unlock()
	g.mu.Lock()
	learnt := s.keeper.learnt
	s.keeper.learnt = false
	var signs, off []string
	for _, s := range g.servers {
		switch {
		case s.config.MessageAuthenticator == Off:
			off = append(off, s.config.Address)
		case s.signs && s.config.MessageAuthenticator == Auto:
			signs = append(signs, s.config.Address)
		}
	}
	g.mu.Unlock()
	if !learnt {
		return
	}
	before, _ := recall(g.config.StateFile) // a damaged one was told of at the start
	for _, address := range before {
		if !slices.Contains(signs, address) && !slices.Contains(off, address) {
			signs = append(signs, address)
		}
	}
	if err := keepInMind(g.config.StateFile, signs); err != nil {
		g.log.Warn("What was learnt about RADIUS servers cannot be written, and is forgotten at the next start.",
			"file", g.config.StateFile, "cause", err)
	}
}
