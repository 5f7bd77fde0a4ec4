package client

import (
	"crypto/tls"
	"net"
	"slices"
	"time"

	"layeh.com/radius"
	"lnsgate/aaa/radius/wire"
)

// server is one server of a group, with its sockets, its queue and what is known of its health. The mutex of the group
// guards all but config, key and tls.
type server struct {
	group  *Group
	config Server
	key    *wire.Key
	tls    *tls.Config // nil: UDP

	links    []*link
	want     int // how many links there should be
	busiest  int // identifiers in use at most since the last look
	keeper   keeper
	waiting  callList
	inFlight int
	young    burst // of UDP alone: TCP minds the buffers
	ripe     timer // when an identifier has rested enough, or the burst is over, while calls wait
	current  int   // of the shares by weight
	health   health
	signs    bool // replies to Access-Requests must be signed
	stats    Stats
}

func newServer(g *Group, c Server, signing []string, now time.Time) *server {
	secret := c.Secret.Reveal()
	if c.TLS != nil && c.Secret.IsZero() {
		secret = radSecSecret
	}
	s := &server{group: g, config: c, key: wire.NewKey(secret), keeper: keeper{wake: make(chan struct{}, 1)}}
	if c.TLS != nil {
		s.tls = c.TLS.Clone()
		s.tls.MinVersion = max(s.tls.MinVersion, tls.VersionTLS12)
		if s.tls.ServerName == "" {
			s.tls.ServerName, _, _ = net.SplitHostPort(c.Address)
		}
		s.want = 1 // at once, as opening takes time
	}
	s.signs = c.TLS == nil && (c.MessageAuthenticator == Require ||
		c.MessageAuthenticator == Auto && slices.Contains(signing, c.Address))
	s.ripe.fire = s.dispatch
	s.health = health{since: now}
	s.health.timer.fire = s.checkHealth
	return s
}

// admit gives the call an identifier, or puts it in the queue. The call is granted or queued afterwards, unless it fails.
func (s *server) admit(c *call, now time.Time) error {
	if s.waiting.count == 0 && s.grant(c, now) {
		s.young.add(c, now)
		return nil
	}
	if s.waiting.count >= s.group.config.Queue {
		s.stats.Refused++
		return ErrBusy
	}
	c.stage = queued
	s.waiting.push(c)
	if !c.until.IsZero() {
		s.group.timers.set(&c.timer, c.until)
	}
	s.want = max(s.want, 1)
	nudge(s.keeper.wake)
	s.awaitRipe()
	return nil
}

// grant gives the call an identifier if the budget and the sockets have one.
func (s *server) grant(c *call, now time.Time) bool {
	if s.inFlight >= s.config.InFlight || s.young.full(now) {
		return false
	}
	l := s.roomiest(now)
	if l == nil || !l.identify(c, now) {
		return false
	}
	s.inFlight++
	return true
}

// roomiest is the socket with the most identifiers left, or nil when none is open.
func (s *server) roomiest(now time.Time) (best *link) {
	used := 0
	for _, l := range s.links {
		l.ids.ripen(now)
		used += l.ids.used()
		if !l.retired && (best == nil || l.ids.used() < best.ids.used()) {
			best = l
		}
	}
	s.busiest = max(s.busiest, used+1)
	s.grow(used + 1)
	return best
}

// identify gives the call an identifier of the socket, if one is left.
func (l *link) identify(c *call, now time.Time) bool {
	id, ok := l.ids.take(now)
	if !ok {
		return false
	}
	c.stage, c.link, c.id = granted, l, id
	l.slots[id] = slot{call: c, serial: l.slots[id].serial, before: l.slots[id].authenticator}
	return true
}

// comfortable is how many identifiers of a socket are used before another is opened.
const comfortable = 200

// grow wants as many sockets as that many identifiers need: what is in use is the rate times the round trip.
func (s *server) grow(used int) {
	need := min((used+comfortable-1)/comfortable, s.group.config.Sockets)
	if need > s.want && s.want > 0 {
		s.want = need
		nudge(s.keeper.wake)
	}
}

// dispatch grants what waits, as far as it goes.
func (s *server) dispatch(now time.Time) {
	for s.waiting.count > 0 && s.grant(s.waiting.first, now) {
		c := s.waiting.first
		s.waiting.remove(c)
		s.young.add(c, now)
		s.group.timers.stop(&c.timer)
		c.signal()
	}
	s.awaitRipe()
}

// awaitRipe dispatches again when an identifier has rested enough, or there is room in the burst, if calls wait for that.
func (s *server) awaitRipe() {
	if s.waiting.count == 0 || s.inFlight >= s.config.InFlight {
		return
	}
	earliest := s.young.over()
	for _, l := range s.links {
		if at, ok := l.ids.nextRipe(); ok && (earliest.IsZero() || at.Before(earliest)) {
			earliest = at
		}
	}
	if !earliest.IsZero() {
		s.group.timers.set(&s.ripe, earliest)
	}
}

// finish ends a call, whatever its stage, and hands its place to one that waits. An error of nil means that it has its
// reply.
func (s *server) finish(c *call, now time.Time, err error) {
	switch c.stage {
	case over:
		return
	case queued:
		s.waiting.remove(c)
	case granted, sent:
		s.vacate(c, now, err == nil || c.stage == granted)
	}
	s.group.timers.stop(&c.timer)
	c.stage, c.err = over, err
	if c.trial {
		s.health.trial = false
	}
	if c.probe {
		s.probed(now, err == nil)
		s.group.recycle(c)
	} else {
		c.signal()
	}
	s.dispatch(now)
}

// vacate gives back the identifier of a call. It may be used at once when it is clean: answered, or never sent.
func (s *server) vacate(c *call, now time.Time, clean bool) {
	l := c.link
	if clean {
		l.slots[c.id] = slot{serial: l.slots[c.id].serial, authenticator: l.slots[c.id].authenticator}
		l.ids.release(c.id)
	} else {
		l.slots[c.id].call = nil
		l.ids.rest(c.id, now.Add(s.group.config.Health.Rest))
	}
	if !c.probe {
		s.inFlight--
		s.young.remove(c)
	}
	if l.retired {
		l.retire()
	}
}

// flush ends all calls that wait in the queue.
func (s *server) flush(err error) {
	now := time.Now()
	for s.waiting.count > 0 {
		s.finish(s.waiting.first, now, err)
	}
}

// drop closes a socket. Its calls end with the error.
func (s *server) drop(l *link, err error) {
	i := slices.Index(s.links, l)
	if i < 0 {
		return
	}
	s.links = slices.Delete(s.links, i, i+1)
	s.group.running.Go(l.farewell)
	s.group.timers.stop(&l.watchdog)
	now := time.Now()
	for i := range l.slots {
		if c := l.slots[i].call; c != nil {
			s.finish(c, now, err)
		}
	}
	nudge(s.keeper.wake)
}

// retire has a socket closed as soon as it has no call any more. It gets no new ones.
func (l *link) retire() {
	l.retired = true
	if !l.busy() {
		l.server.drop(l, ErrClosed)
	}
}

// renew replaces all sockets: the name may stand for another address by now, or something in between may have forgotten
// the way back.
func (s *server) renew() {
	for _, l := range slices.Clone(s.links) {
		l.retire()
	}
	nudge(s.keeper.wake)
}

// mayAnswer says whether a reply of that code can answer a request of the other (RFC 2865, 2866, 5176, 5997, 7930).
func mayAnswer(request, reply radius.Code) bool {
	switch reply {
	case radius.CodeAccessAccept:
		return request == radius.CodeAccessRequest || request == radius.CodeStatusServer
	case radius.CodeAccessReject, radius.CodeAccessChallenge:
		return request == radius.CodeAccessRequest
	case radius.CodeAccountingResponse:
		return request == radius.CodeAccountingRequest || request == radius.CodeStatusServer
	case radius.CodeDisconnectACK, radius.CodeDisconnectNAK:
		return request == radius.CodeDisconnectRequest
	case radius.CodeCoAACK, radius.CodeCoANAK:
		return request == radius.CodeCoARequest
	case wire.CodeProtocolError:
		return request != radius.CodeStatusServer
	}
	return false
}
