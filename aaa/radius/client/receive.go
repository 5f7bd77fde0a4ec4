package client

import (
	"errors"
	"log/slog"
	"time"

	"layeh.com/radius"
	"lnsgate/aaa/radius/wire"
)

// receive takes what came from the socket. When it is the answer to a request, the request has it; else it is counted, and
// nothing else changes. The error is for connections, which end on it.
func (l *link) receive(datagram []byte) error {
	g := l.server.group
	if len(datagram) < wire.HeaderLength {
		l.discard(Malformed)
		return wire.ErrLength
	}
	id := datagram[1]
	g.mu.Lock()
	asked, signs := l.slots[id], l.server.signs
	l.heard, l.pinged = time.Now(), false
	g.mu.Unlock()
	if !asked.waiting {
		l.discard(Unexpected)
		return nil
	}
	v, err := l.server.key.VerifyReply(datagram, asked.authenticator)
	if errors.Is(err, wire.ErrAuthenticator) {
		// A busy server answers a request that was sent twice a second time, when the identifier may be in use again.
		if _, err := l.server.key.VerifyReply(datagram, asked.before); err == nil {
			l.discard(Unexpected)
			return nil
		}
	}
	if err != nil {
		l.discardFor(id, asked.serial, reasonOf(err))
		return err
	}
	if reason, bad := l.judge(v, &asked, signs); bad {
		l.discardFor(id, asked.serial, reason)
		return nil
	}
	packet := l.server.key.Parse(v)
	packet.Authenticator = asked.authenticator
	l.deliver(id, asked.serial, Reply{Packet: packet, Server: l.server.config.Name, At: l.server.config.Address, Signed: v.Signed}, v.EAP)
	return nil
}

func reasonOf(err error) Reason {
	switch {
	case errors.Is(err, wire.ErrAuthenticator):
		return Forged
	case errors.Is(err, wire.ErrMessageAuthenticator):
		return ForgedMessage
	}
	return Malformed
}

// judge says what is wrong with a reply that the server, or an attacker with much time for MD5, has made.
func (l *link) judge(v wire.Verified, asked *slot, signs bool) (Reason, bool) {
	access := asked.code == radius.CodeAccessRequest
	required := access && (signs || v.EAP) ||
		asked.code == radius.CodeStatusServer && l.server.config.MessageAuthenticator == Require && !l.stream
	switch {
	case required && !v.Signed:
		return Unsigned, true
	case v.ProxyState && !asked.proxyState:
		return ProxyState, true
	case !mayAnswer(asked.code, v.Code()):
		return WrongCode, true
	}
	return 0, false
}

// deliver hands the reply to the call that waits for it.
func (l *link) deliver(id byte, serial uint32, r Reply, eap bool) {
	s := l.server
	g := s.group
	g.mu.Lock()
	defer g.mu.Unlock()
	at := &l.slots[id]
	switch {
	case at.serial != serial || !at.waiting:
		s.stats.Discarded[Unexpected]++ // another copy of it was faster
		return
	case at.call == nil:
		at.waiting = false
		s.stats.Discarded[Late]++ // and no sign of health: who is always late is of no use
		return
	}
	c, now := at.call, time.Now()
	s.keeper.backoff = s.leastBackoff()
	if c.code == radius.CodeAccessRequest && r.Signed && !eap {
		s.learn()
	}
	r.RTT, r.Took, r.Sendings = now.Sub(c.last), now.Sub(c.first), c.transmissions
	if c.probe {
		s.finish(c, now, nil)
		return
	}
	s.stats.Answered++
	if c.transmissions == 1 { // else nobody knows which one it answers
		s.measure(r.RTT)
		if r.Packet.Code != radius.CodeAccessReject {
			s.young.measure(r.RTT)
		}
	}
	s.answered(now)
	if r.Packet.Code == wire.CodeProtocolError {
		s.refuse(c, now)
		return
	}
	c.reply = r
	s.finish(c, now, nil)
}

// refuse ends a call that the server cannot work with.
func (s *server) refuse(c *call, now time.Time) {
	l, id := c.link, c.id
	s.finish(c, now, ErrProtocol)
	l.slots[id].waiting = false
}

// measure smooths round trips as TCP does (RFC 6298 section 2).
func (s *server) measure(rtt time.Duration) {
	if s.stats.RTT == 0 {
		s.stats.RTT = rtt
		return
	}
	s.stats.RTT += (rtt - s.stats.RTT) / 8
}

// discardFor throws away what came in answer to a request, and has the request remember it: should there be no better answer,
// that is why.
func (l *link) discardFor(id byte, serial uint32, r Reason) {
	g := l.server.group
	g.mu.Lock()
	if at := &l.slots[id]; at.serial == serial && at.call != nil {
		switch r {
		case Forged, ForgedMessage:
			at.call.forged++
		case Unsigned:
			at.call.unsigned++
		}
	}
	g.mu.Unlock()
	l.discard(r)
}

// discard counts what was thrown away. What an administrator has to know is said now and then.
func (l *link) discard(r Reason) {
	s := l.server
	g := s.group
	g.mu.Lock()
	defer g.mu.Unlock()
	s.stats.Discarded[r]++
	advice, ok := advices[r]
	now := time.Now()
	if !ok || now.Sub(s.health.told[r]) < time.Minute && !s.health.told[r].IsZero() {
		return
	}
	s.health.told[r] = now
	g.note(slog.LevelWarn, "A RADIUS reply was thrown away: "+advice, "server", s.config.Name, "cause", r.String(),
		"count", s.stats.Discarded[r])
}

var advices = map[Reason]string{
	Forged: "it was not made with the shared secret. Compare the secret here with that on the server.",
	ForgedMessage: "its Message-Authenticator was not made with the shared secret. Compare the secrets; if they are the " +
		"same, somebody tampers with replies.",
	Unsigned: "it has no Message-Authenticator, which this server must send. Update the server, or set " +
		"message_authenticator: off for it if the network between is safe.",
	ProxyState: "it has a Proxy-State that we never sent. Somebody may be forging replies (CVE-2024-3596).",
}

// learn notes that the server signs its replies, so that no unsigned one is taken from now on.
func (s *server) learn() {
	if s.signs || s.tls != nil || s.config.MessageAuthenticator != Auto {
		return
	}
	s.signs = true
	s.keeper.learnt = true
	nudge(s.keeper.wake)
	s.group.note(slog.LevelInfo, "The RADIUS server signs its replies. Unsigned ones are thrown away from now on.",
		"server", s.config.Name)
}
