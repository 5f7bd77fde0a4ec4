package lns

import (
	"bytes"
	"time"

	"lnsgate/lns/control"
	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/trace"
)

// stranger takes a control message for no tunnel. Only an SCCRQ is one that means something: it is given to the tunnel that it
// has opened already, or opens one, if the limits allow it.
func (s *Server) stranger(from datapath.Path, payload, datagram []byte) {
	hostName, peerID, ok := l2tp.PeekSCCRQ(payload)
	if !ok {
		s.counters.add(dropTunnelZero) // Apple's HELLOs before the SCCRQ, among others
		return
	}
	key := peerKey{remote: from.Remote, id: peerID}
	if t := s.tunnels.findPeer(key); t != nil && t.opening(datagram) {
		t.mail.post(controlMessage{bytes.Clone(datagram)}, true)
		return
	}
	now := time.Now()
	if s.closing.Load() {
		s.counters.add(dropClosing)
		return
	}
	if s.deps.Admission != nil {
		if ok, _ := s.deps.Admission.Allow(from.Remote.Addr(), now); !ok {
			s.counters.add(dropBudget)
			return
		}
	}
	config := s.config.Load()
	group := config.match(hostName, from.Remote.Addr())
	if group == nil {
		s.counters.add(dropNoGroup)
		s.deps.Log.Warn("no l2tp group matches this peer", "peer", from.Remote, "host", hostName)
		s.refuse(from, peerID, l2tp.ResultCode{Result: l2tp.StopCCNNotAuthorized, Message: "no group for this peer"})
		return
	}
	s.openTunnel(config, group, from, key, bytes.Clone(datagram), now)
}

// openTunnel enters a new tunnel and starts its goroutine, with the SCCRQ as its first letter.
func (s *Server) openTunnel(config *bindings, g *Group, from datapath.Path, key peerKey, sccrq []byte, now time.Time) {
	t := &tunnel{server: s, key: key, path: from, group: g, mail: newMailbox(), since: now, sccrq: sccrq}
	evict, ok := s.halfOpen.enter(t, config.Limits.HalfOpen, config.Limits.HalfOpenPerSource)
	if evict != nil {
		s.counters.add(evictedHalfOpen)
		evict.mail.post(abandon{trace.Verdict{Cause: trace.SetupTimeout}}, false)
	}
	if !ok {
		s.counters.add(dropHalfOpenPerSource)
		return
	}
	if !s.tunnels.insert(t, config.Limits.Tunnels) {
		s.halfOpen.leave(t)
		s.counters.add(dropTunnelLimit)
		s.refuse(from, key.id, l2tp.ResultCode{Result: l2tp.StopCCNError, Error: l2tp.ErrTryAnother, Message: "too many tunnels"})
		return
	}
	t.core = control.New(s.controlConfig(g, t.id, config.Limits.SessionsPerTunnel))
	t.log = s.deps.Log.With("tunnel", uint16(t.id), "peer", from.Remote)
	t.heard.Store(now.UnixNano())
	t.mail.post(controlMessage{sccrq}, false)
	go t.run()
}

// refuse answers an SCCRQ with a StopCCN, without keeping anything.
func (s *Server) refuse(to datapath.Path, peerID l2tp.TunnelID, r l2tp.ResultCode) {
	body := l2tp.Append(nil, l2tp.StopCCN{Result: r}, l2tp.AppendOptions{})
	if s.deps.Sender.Send(to, l2tp.AppendControl(nil, peerID, 0, 0, 1, body)) != nil {
		s.counters.add(sendFailed)
	}
}

// opening says whether the SCCRQ is the one that opened this tunnel, said again. Another one with the same ids comes from a peer
// that has restarted.
func (t *tunnel) opening(sccrq []byte) bool { return bytes.Equal(t.sccrq, sccrq) }
