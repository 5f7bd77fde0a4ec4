package lns

import (
	"bytes"
	"fmt"
	"time"

	"lnsgate/lns/control"
	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/trace"
	"lnsgate/lns/transport"
)

// stranger takes a control message for no tunnel. Only an SCCRQ is one that means something: it goes to the tunnel that it
// has opened already, or opens one.
func (s *Server) stranger(from datapath.Path, payload, datagram []byte) {
	if s.deps.Bans != nil && s.deps.Bans.Banned(from.Remote.Addr(), time.Now()) {
		s.counters.add(dropBannedSource)
		return
	}
	hostName, peerID, ok := l2tp.PeekSCCRQ(payload)
	switch {
	case ok:
	case l2tp.PeekType(payload) == l2tp.TypeSCCRQ:
		s.counters.add(dropMalformedSCCRQ)
		s.refused(from, "", trace.MalformedMessage, func() string { return "an SCCRQ without a host name or a tunnel id" }, time.Now())
		return
	default:
		if t := s.forgetfulAt(from.Remote); t != nil {
			t.handFrom(from, controlMessage{bytes.Clone(datagram)})
			return
		}
		s.counters.add(dropTunnelZero) // Apple's HELLOs before the SCCRQ, among others
		return
	}
	q := dialling{from: from, hostName: hostName, key: peerKey{from.Remote, peerID}, datagram: bytes.Clone(datagram)}
	if t := s.tunnels.findPeer(q.key); t != nil && !t.mail.isClosed() {
		t.handFrom(q.from, q)
		return
	}
	now := time.Now()
	if s.greetAgain(q, now) {
		return
	}
	if repeated, ok := s.admit(q, now); ok && !s.newcomers.try(&s.work.jobs, func() { s.receive(q, repeated, time.Now()) }) {
		s.counters.add(dropNewcomersWaiting)
	}
}

// handFrom is hand for what names no tunnel, and is the peer's by its address alone: of a peer behind IPsec it must have come that way.
func (t *tunnel) handFrom(from datapath.Path, l letter) {
	if t.group.RequireIPsec && !from.Secure {
		t.server.counters.add(dropWithoutIPsec)
		return
	}
	t.hand(l)
}

// receive opens a tunnel when it is the turn of its SCCRQ, unless the same has come twice while it waited.
func (s *Server) receive(q dialling, repeated bool, now time.Time) {
	if s.closing.Load() {
		s.counters.add(dropClosing)
		return
	}
	if t := s.tunnels.findPeer(q.key); t != nil && !t.mail.isClosed() {
		t.handFrom(q.from, q)
		return
	}
	if !s.greetAgain(q, now) {
		s.welcome(q, repeated, now)
	}
}

// dialling is an SCCRQ. As a letter it is one from a peer that the tunnel has already: said again, or said by a peer that was
// restarted and knows nothing of the tunnel.
type dialling struct {
	from     datapath.Path
	hostName string
	key      peerKey
	datagram []byte
	sketch   *sketch // what is known of the peer already, and the datagram is what it says next; nil: the datagram is an SCCRQ
}

func (q dialling) deliver(t *tunnel, now time.Time) {
	if t.core.SupersededBy(q.datagram, now) {
		if repeated, ok := t.server.admit(q, now); ok {
			t.server.welcome(q, repeated, now)
		}
		return
	}
	controlMessage{q.datagram}.deliver(t, now)
}

func (dialling) lost(s *Server) { s.counters.add(dropUnknownTunnel) }

// admit asks whether there is a budget for an SCCRQ, and whether it has been asked for before.
func (s *Server) admit(q dialling, now time.Time) (repeated, ok bool) {
	if s.closing.Load() {
		s.counters.add(dropClosing)
		return false, false
	}
	if s.deps.Admission == nil {
		return false, true
	}
	ok, why := s.deps.Admission.Allow(q.from.Remote, uint16(q.key.id), now)
	if !ok {
		s.counters.add(dropBudget)
		s.refused(q.from, q.hostName, trace.SourceLimit, why.String, now)
	}
	return why == transport.AdmittedAgain, ok
}

// welcome opens a tunnel, if the limits allow it.
func (s *Server) welcome(q dialling, repeated bool, now time.Time) {
	source := q.from.Remote.Addr()
	config := s.config.Load()
	group := config.match(q.hostName, source)
	if group == nil {
		s.counters.add(dropNoGroup)
		s.chatter.warn(s.deps.Log, "no l2tp group matches this peer", "peer", q.from.Remote, "host", q.hostName)
		s.refused(q.from, q.hostName, trace.NoGroup, func() string { return fmt.Sprintf("host name %q, address %s", q.hostName, source) }, now)
		s.refuse(q, l2tp.ResultCode{Result: l2tp.StopCCNNotAuthorized, Message: "no group for this peer"})
		return
	}
	if group.RequireIPsec && !q.from.Secure {
		s.counters.add(dropWithoutIPsec)
		s.refused(q.from, q.hostName, trace.IPsecRequired, func() string { return "l2tp group " + group.Name }, now)
		s.refuse(q, l2tp.ResultCode{Result: l2tp.StopCCNNotAuthorized, Message: "this server takes L2TP through IPsec alone"})
		return
	}
	if s.crowded(config) && s.greet(config, group, q, now) {
		return
	}
	s.openTunnel(config, group, q, repeated, now)
}

// firstSecret is the secret of the group that a peer is believed to have.
func (s *Server) firstSecret(g *Group, q dialling) int {
	if len(g.PreviousSecrets) == 0 {
		return 0
	}
	return s.rotation.first(secretHolder{g.Name, q.hostName, q.from.Remote.Addr()})
}

// openTunnel enters a new tunnel and starts its goroutine, with the datagram as its first letter.
func (s *Server) openTunnel(config *bindings, g *Group, q dialling, repeated bool, now time.Time) {
	t := &tunnel{server: s, key: q.key, path: q.from, group: g, since: now}
	t.home.Store(&q.from.Remote)
	t.mail = newMailbox(t.run, &s.readers)
	t.halfOpen.real = repeated
	if !s.halfOpen.enter(t, &t.halfOpen, q.from.Remote.Addr(), config.Limits.HalfOpenPerSource) {
		s.counters.add(dropHalfOpenPerSource)
		s.refused(q.from, q.hostName, trace.SourceLimit, func() string {
			return fmt.Sprintf("%d of them (limits.half_open_per_source)", config.Limits.HalfOpenPerSource)
		}, now)
		return
	}
	if evict, crowded := s.halfOpen.evict(config.Limits.HalfOpen + 1); crowded {
		s.counters.add(evictedHalfOpen)
		evict.mail.post(makeRoom{config.Limits.HalfOpen}, false)
	}
	if q.sketch != nil {
		t.id = q.sketch.id
	}
	if !s.tunnels.insert(t, config.Limits.Tunnels) {
		s.halfOpen.leave(&t.halfOpen)
		s.counters.add(dropTunnelLimit)
		s.refused(q.from, q.hostName, trace.TunnelLimit, func() string { return fmt.Sprintf("%d of them (limits.tunnels)", config.Limits.Tunnels) }, now)
		s.refuse(q, l2tp.ResultCode{Result: l2tp.StopCCNError, Error: l2tp.ErrTryAnother, Message: "too many tunnels"})
		return
	}
	t.log = s.deps.Log.With("tunnel", uint16(t.id), "peer", q.from.Remote)
	t.heard.Store(now.UnixNano())
	t.story = s.deps.Recorder.Begin(q.from.Remote, now)
	s.makeCore(t, config, q, now)
	t.timer = time.AfterFunc(farAway, t.mail.ring)
	t.mail.post(controlMessage{q.datagram}, false)
	s.readers.run(t.mail.read)
}

// makeCore makes the control connection of a new tunnel.
func (s *Server) makeCore(t *tunnel, config *bindings, q dialling, now time.Time) {
	if q.sketch == nil {
		t.secret = s.firstSecret(t.group, q)
	} else {
		t.secret = int(q.sketch.secret)
	}
	cfg := s.controlConfig(t.group, t.id, config.Limits.SessionsPerTunnel, t.secret)
	if q.sketch != nil {
		t.resume(cfg, q.sketch, now)
		return
	}
	t.core = control.New(cfg)
}

// refuse answers an SCCRQ with a StopCCN, without keeping anything. The id in it must not be zero, and means nothing.
func (s *Server) refuse(q dialling, r l2tp.ResultCode) {
	body := l2tp.Append(nil, l2tp.StopCCN{AssignedTunnel: 1, Result: r}, l2tp.AppendOptions{})
	if s.deps.Sender.Send(q.from, l2tp.AppendControl(nil, q.key.id, 0, 0, 1, body)) != nil {
		s.counters.add(sendFailed)
	}
}

// farAway is when a timer rings that has not been set yet.
const farAway = 365 * 24 * time.Hour
