package control

import (
	"time"

	"lnsgate/lns/l2tp"
)

// CallState is the state of an incoming call (RFC 2661 section 7.4.1 for the LAC, 7.4.2 for the LNS).
type CallState uint8

const (
	CallIdle        CallState = iota
	CallOffered               // LNS: ICRQ received, our own side has not yet decided
	CallWaitTunnel            // LAC: waits for the tunnel
	CallWaitReply             // LAC: ICRQ sent
	CallWaitConnect           // LNS: ICRP sent
	CallEstablished
)

// String is the RFC's name of the state.
func (s CallState) String() string {
	switch s {
	case CallIdle:
		return "idle"
	case CallOffered:
		return "offered"
	case CallWaitTunnel:
		return "wait-tunnel"
	case CallWaitReply:
		return "wait-reply"
	case CallWaitConnect:
		return "wait-connect"
	}
	return "established"
}

// RefusalSession is the id of ours in a CDN about a call that never got one (RFC 2661 section 6.12 asks for an id that is
// not 0). No call may have it.
const RefusalSession l2tp.SessionID = 0xffff

// call is one call. Once it is established only the ids remain.
type call struct {
	local, peer l2tp.SessionID // 0: not known yet
	state       CallState
	setup       *setup // nil once the call is established or over
}

// setup is what is needed only until the call is established.
type setup struct {
	deadline  time.Time
	request   l2tp.ICRQ
	connected l2tp.ICCN // LAC: to be sent when the LNS accepts
}

// calls finds the calls of a tunnel by either id and keeps those being set up in the order of their deadlines.
type calls struct {
	byLocal map[l2tp.SessionID]*call
	byPeer  map[l2tp.SessionID]*call
	pending []*call // may hold calls that are past set-up; they are skipped
	count   int
}

func (s *calls) add(c *call) {
	s.count++
	s.pending = append(s.pending, c)
	s.name(c, c.local, c.peer)
}

// name gives a call its ids, as far as they are known.
func (s *calls) name(c *call, local, peer l2tp.SessionID) {
	c.local, c.peer = local, peer
	if local != 0 {
		if s.byLocal == nil {
			s.byLocal = make(map[l2tp.SessionID]*call, 1)
		}
		s.byLocal[local] = c
	}
	if peer != 0 {
		if s.byPeer == nil {
			s.byPeer = make(map[l2tp.SessionID]*call, 1)
		}
		s.byPeer[peer] = c
	}
}

func (s *calls) remove(c *call) {
	s.count--
	c.state, c.setup = CallIdle, nil
	delete(s.byLocal, c.local)
	if s.byPeer[c.peer] == c {
		delete(s.byPeer, c.peer)
	}
	if s.count == 0 {
		*s = calls{}
	}
}

// oldest is the call whose set-up began first and is not over, or nil.
func (s *calls) oldest() *call {
	for len(s.pending) > 0 {
		if c := s.pending[0]; c.setup != nil {
			return c
		}
		s.pending[0] = nil
		s.pending = s.pending[1:]
	}
	s.pending = nil
	return nil
}

// free says whether a call may get this id.
func (s *calls) free(local l2tp.SessionID) bool {
	return local != 0 && local != RefusalSession && s.byLocal[local] == nil
}
