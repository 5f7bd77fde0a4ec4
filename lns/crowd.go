package lns

import (
	"bytes"
	"time"

	"lnsgate/lns/control"
	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/trace"
)

// What a stranger costs while there are already many: the SCCRP is sent, and a sketch of the peer is all that is kept until it answers.

// crowded reports whether a newcomer gets a sketch instead of a tunnel.
func (s *Server) crowded(config *bindings) bool {
	return config.Limits.HalfOpenTunnels > 0 && s.halfOpen.len() >= config.Limits.HalfOpenTunnels
}

// greet answers an SCCRQ and keeps a sketch. It says false when this peer needs a tunnel all the same.
func (s *Server) greet(config *bindings, g *Group, q dialling, now time.Time) bool {
	id := s.sketches.room(q.key, func(id l2tp.TunnelID) bool { return s.tunnels.find(id) != nil }, now)
	if id == 0 {
		return false
	}
	defer s.sketches.settle(id)
	if !s.tunnels.free(id) {
		return false
	}
	secret := s.firstSecret(g, q)
	var out control.Out
	h, ok, err := control.Greet(s.controlConfig(g, id, config.Limits.SessionsPerTunnel, secret), nil, q.datagram, now, &out)
	if !ok {
		s.turnAway(q, &out, err, now)
		return true
	}
	k, fits := draw(id, q.from, &h, secret, now)
	if !fits {
		return false
	}
	if s.sketches.put(&k, now) {
		s.counters.add(evictedSketches)
	}
	s.counters.add(sketchesMade)
	s.sendAll(q.from, &out)
	return true
}

// turnAway says and records why there is no tunnel for an SCCRQ.
func (s *Server) turnAway(q dialling, out *control.Out, err error, now time.Time) {
	if err != nil {
		s.counters.add(controlFault(err))
	}
	s.sendAll(q.from, out)
	for _, a := range out.Actions {
		if down, ok := a.(control.TunnelDown); ok {
			v := tunnelVerdict(down)
			s.refused(q.from, q.hostName, v.Cause, func() string { return v.Detail }, now)
		}
	}
}

func (s *Server) sendAll(to datapath.Path, out *control.Out) {
	for _, a := range out.Actions {
		if m, ok := a.(control.Send); ok && s.deps.Sender.Send(to, m.Datagram) != nil {
			s.counters.add(sendFailed)
		}
	}
}

// greetAgain answers a peer that repeats the SCCRQ of its sketch with what it was told before. It says false when there is no sketch.
func (s *Server) greetAgain(q dialling, now time.Time) bool {
	k, found, answer := s.sketches.again(q.key, control.Opening(q.datagram), now)
	if !answer {
		return found
	}
	config := s.config.Load()
	g := config.match(q.hostName, q.from.Remote.Addr())
	if g == nil {
		return true
	}
	var out control.Out
	if _, ok, _ := control.Greet(s.controlConfig(g, k.id, config.Limits.SessionsPerTunnel, int(k.secret)), k.challenge[:], q.datagram, now, &out); ok {
		s.sendAll(q.from, &out)
	}
	return true
}

// awaken makes a tunnel of a sketch when its peer goes on: it has our SCCRP, so its address is its own. It says false when there is none.
func (s *Server) awaken(from datapath.Path, h l2tp.Header, payload, datagram []byte, now time.Time) bool {
	if len(payload) == 0 { // the bare acknowledgement of the SCCRP: what counts comes behind it
		return false
	}
	k, ok := s.sketches.find(h.Tunnel, from.Remote, now)
	if !ok {
		return false
	}
	from.Local, from.Socket = k.path().Local, k.path().Socket // as the SCCRQ came
	if s.deps.Bans != nil && s.deps.Bans.Banned(from.Remote.Addr(), now) {
		s.counters.add(dropBannedSource)
		return true
	}
	config := s.config.Load()
	hostName := k.hostName()
	g := config.match(hostName, from.Remote.Addr())
	if g == nil || s.closing.Load() || g.RequireIPsec && !from.Secure {
		return false
	}
	if k, ok = s.sketches.take(h.Tunnel, from.Remote, now); !ok {
		return false
	}
	defer s.sketches.settle(h.Tunnel)
	q := dialling{from: from, hostName: hostName, key: peerKey{from.Remote, k.peer}, datagram: bytes.Clone(datagram), sketch: &k}
	s.openTunnel(config, g, q, true, now)
	return true
}

// resume gives a new tunnel what its sketch has kept.
func (t *tunnel) resume(cfg control.Config, k *sketch, now time.Time) {
	t.core = control.Resume(cfg, k.handshake(), now)
	t.server.counters.add(sketchesAwakened)
	t.story.Note(time.Unix(0, k.born), trace.Step{Stage: trace.StageTunnel, Actor: trace.LNS, What: l2tp.TypeSCCRP.String(),
		Detail: "so many tunnels were half open that of the SCCRQ only a sketch was kept"})
}
