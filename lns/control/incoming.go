package control

import (
	"strconv"
	"time"

	"lnsgate/lns/l2tp"
)

// PlaceCall (LAC) announces a call under the id local: ICRQ now, or once the tunnel is established, and iccn as soon as
// the LNS accepts. Errors: ErrClosing, ErrSessionID, ErrTooManySessions, ErrQueueFull.
func (t *Tunnel) PlaceCall(local l2tp.SessionID, c l2tp.ICRQ, iccn l2tp.ICCN, now time.Time, out *Out) error {
	switch {
	case t.state == StateClosing || t.state == StateFinished:
		return ErrClosing
	case !t.calls.free(local):
		return ErrSessionID
	case t.calls.count >= t.cfg.MaxSessions:
		return ErrTooManySessions
	case t.channel.Full():
		return ErrQueueFull
	}
	c.AssignedSession = local
	placed := &call{local: local, state: CallWaitTunnel,
		setup: &setup{deadline: now.Add(t.cfg.SetupTimeout), request: c, connected: iccn}}
	t.calls.add(placed)
	if t.state == StateEstablished {
		t.request(placed, now, out)
	}
	return nil
}

func (t *Tunnel) request(c *call, now time.Time, out *Out) {
	c.state = CallWaitReply
	t.say(0, c.setup.request, now, out)
}

// AcceptCall (LNS) answers the CallRequested of the session peer under the id local: it sends ICRP. Errors: ErrClosing,
// ErrUnknownSession (no such call waits), ErrSessionID.
func (t *Tunnel) AcceptCall(local, peer l2tp.SessionID, now time.Time, out *Out) error {
	if t.state != StateEstablished {
		return ErrClosing
	}
	c := t.calls.byPeer[peer]
	if c == nil || c.state != CallOffered {
		return ErrUnknownSession
	}
	if !t.calls.free(local) {
		return ErrSessionID
	}
	t.calls.name(c, local, peer)
	c.state = CallWaitConnect
	t.say(peer, l2tp.ICRP{AssignedSession: local}, now, out)
	t.settle(now, out)
	return nil
}

// RefuseCall (LNS) answers the CallRequested of the session peer with a CDN. It is silent if no such call waits.
func (t *Tunnel) RefuseCall(peer l2tp.SessionID, r l2tp.ResultCode, now time.Time, out *Out) {
	c := t.calls.byPeer[peer]
	if c == nil || c.state != CallOffered {
		return
	}
	t.calls.remove(c)
	t.disconnect(peer, r, now, out)
	t.settle(now, out)
}

// CloseCall closes a call with a CDN. It is silent about a call that does not exist.
func (t *Tunnel) CloseCall(local l2tp.SessionID, r l2tp.ResultCode, now time.Time, out *Out) {
	t.CloseCallFor(local, r, nil, now, out)
}

// CloseCallFor is CloseCall with the reason why PPP ended (RFC 3145), which the LAC may log or show.
func (t *Tunnel) CloseCallFor(local l2tp.SessionID, r l2tp.ResultCode, cause *l2tp.PPPDisconnectCause,
	now time.Time, out *Out) {
	if c := t.calls.byLocal[local]; c != nil {
		t.hangUp(c, WhyNone, r, cause, now, out)
		t.settle(now, out)
	}
}

// hangUp ends a call from our side. The peer is told if it has heard of the call.
func (t *Tunnel) hangUp(c *call, why Why, r l2tp.ResultCode, cause *l2tp.PPPDisconnectCause, now time.Time, out *Out) {
	if c.state != CallWaitTunnel {
		t.say(c.peer, l2tp.CDN{AssignedSession: t.idFor(c), Result: r, DisconnectCause: cause}, now, out)
	}
	out.add(CallDown{Session: c.local, PeerSession: c.peer, Result: r, Why: why})
	t.calls.remove(c)
}

func (t *Tunnel) idFor(c *call) l2tp.SessionID {
	if c.local != 0 {
		return c.local
	}
	return RefusalSession
}

// mostEarly is how many messages may wait before a refusal of a call is no longer sent, as long as the tunnel is not
// established: the peer has not proved yet that it is there, and must not make us queue without end.
const mostEarly = 4

// disconnect refuses a call that we have not taken on. The peer may name it by an id that a call of ours already has: it
// will end that one when it reads the CDN, so we do too.
func (t *Tunnel) disconnect(peer l2tp.SessionID, r l2tp.ResultCode, now time.Time, out *Out) {
	if c := t.calls.byPeer[peer]; c != nil {
		t.hangUp(c, WhyNone, r, nil, now, out)
		return
	}
	if t.state != StateEstablished && t.channel.Waiting() >= mostEarly {
		return
	}
	t.say(peer, l2tp.CDN{AssignedSession: RefusalSession, Result: r}, now, out)
}

// giveUp ends a call that was not established in time.
func (t *Tunnel) giveUp(c *call, now time.Time, out *Out) {
	t.hangUp(c, WhyNotConnected, l2tp.ResultCode{Result: l2tp.CDNTimeout,
		Message: "call not established within " + t.cfg.SetupTimeout.String()}, nil, now, out)
}

// receiveCall acts on a message of a call: the event of RFC 2661 section 7.4.1 or 7.4.2.
func (t *Tunnel) receiveCall(h l2tp.Header, m l2tp.Message, now time.Time, out *Out) error {
	if t.state != StateEstablished {
		return t.callTooEarly(m, now, out)
	}
	c := t.find(h, m)
	switch m := m.(type) {
	case l2tp.CDN:
		return t.receiveCDN(c, m, out)
	case l2tp.WEN, l2tp.SLI:
		if c == nil || c.state != CallEstablished {
			return ErrUnknownSession
		}
		out.add(LineInfo{Session: c.local, Info: m})
		return nil
	case l2tp.ICRQ:
		if c == nil {
			return t.offer(m, now, out)
		}
	case l2tp.ICRP:
		if c != nil && c.state == CallWaitReply {
			return t.replied(c, m, now, out)
		}
	case l2tp.ICCN:
		if c != nil && c.state == CallWaitConnect {
			t.connected(c, m, out)
			return nil
		}
	}
	if c != nil {
		return t.improperCall(c, m, now, out)
	}
	return t.strangeCall(m, now, out)
}

// find is the call a message is about. The header names it by our id. A CDN from a peer that does not know our id, and
// an ICRQ that takes an id a second time, name it by the peer's.
func (t *Tunnel) find(h l2tp.Header, m l2tp.Message) *call {
	if h.Session != 0 {
		if c := t.calls.byLocal[h.Session]; c != nil {
			return c
		}
	}
	switch m := m.(type) {
	case l2tp.CDN:
		if c := t.calls.byPeer[m.AssignedSession]; c != nil && h.Session == 0 {
			return c
		}
	case l2tp.ICRQ:
		return t.calls.byPeer[m.AssignedSession]
	}
	return nil
}

// offer hands an ICRQ to the owner, or refuses it.
func (t *Tunnel) offer(m l2tp.ICRQ, now time.Time, out *Out) error {
	switch {
	case t.cfg.Role == LAC:
		t.disconnect(m.AssignedSession, l2tp.ResultCode{Result: l2tp.CDNNoFacilities,
			Message: "this end is a LAC and takes no incoming calls"}, now, out)
		return nil
	case t.calls.count >= t.cfg.MaxSessions:
		r := l2tp.ResultCode{Result: l2tp.CDNNoFacilitiesNow,
			Message: "this tunnel already has " + strconv.Itoa(t.calls.count) + " calls, the most it may have"}
		t.disconnect(m.AssignedSession, r, now, out)
		out.add(CallDown{PeerSession: m.AssignedSession, Result: r, Why: WhyTooManyCalls})
		return nil
	}
	t.calls.add(&call{peer: m.AssignedSession, state: CallOffered,
		setup: &setup{deadline: now.Add(t.cfg.SetupTimeout), request: m}})
	t.offered = true
	out.add(CallRequested{PeerSession: m.AssignedSession, Call: m})
	return nil
}

// replied: the LNS accepts our call, unless it gives an id that it has already given to another.
func (t *Tunnel) replied(c *call, m l2tp.ICRP, now time.Time, out *Out) error {
	if other := t.calls.byPeer[m.AssignedSession]; other != nil {
		c.peer = m.AssignedSession
		t.hangUp(c, WhyMalformed, invalidSession("you have given this session id to another call"), nil, now, out)
		return ErrUnexpected
	}
	t.calls.name(c, c.local, m.AssignedSession)
	t.say(c.peer, c.setup.connected, now, out)
	t.connected(c, c.setup.connected, out)
	return nil
}

func (t *Tunnel) connected(c *call, m l2tp.ICCN, out *Out) {
	t.channel.Acknowledge(out) // before PPP starts: Android waits for it
	up := CallUp{Session: c.local, PeerSession: c.peer, Call: c.setup.request, Connected: m}
	c.state, c.setup = CallEstablished, nil
	out.add(up)
}

func (t *Tunnel) receiveCDN(c *call, m l2tp.CDN, out *Out) error {
	if c == nil {
		return ErrUnknownSession
	}
	out.add(CallDown{Session: c.local, PeerSession: c.peer, Result: m.Result, ByPeer: true, Cause: m.DisconnectCause})
	t.calls.remove(c)
	return nil
}

// improperCall ends a call because of a message that has no place in its state. Only the LAC that waits for ICRP and
// gets ICCN says nothing (RFC 2661 section 7.4.1).
func (t *Tunnel) improperCall(c *call, m l2tp.Message, now time.Time, out *Out) error {
	r := invalidSession(m.Type().String() + " does not belong in state " + c.state.String())
	if c.state == CallWaitReply && m.Type() == l2tp.TypeICCN {
		out.add(CallDown{Session: c.local, Result: r})
		t.calls.remove(c)
		return ErrUnexpected
	}
	t.hangUp(c, WhyMalformed, r, nil, now, out)
	return ErrUnexpected
}

// strangeCall answers a message about a call that does not exist. Who offers or accepts one is told that there is none.
func (t *Tunnel) strangeCall(m l2tp.Message, now time.Time, out *Out) error {
	switch m := m.(type) {
	case l2tp.OCRQ:
		t.disconnect(m.AssignedSession, l2tp.ResultCode{Result: l2tp.CDNNoFacilities,
			Message: "outgoing calls are not supported here"}, now, out)
		return nil
	case l2tp.OCRP:
		t.disconnect(m.AssignedSession, invalidSession("no such call"), now, out)
	case l2tp.ICRP:
		if t.cfg.Role == LNS {
			t.disconnect(m.AssignedSession, invalidSession("no such call"), now, out)
		}
	}
	return ErrUnknownSession
}

// callTooEarly: a message of a call before the tunnel is established.
func (t *Tunnel) callTooEarly(m l2tp.Message, now time.Time, out *Out) error {
	if t.state == StateIdle {
		t.finish(out)
		return ErrUnexpected
	}
	early := l2tp.ResultCode{Result: l2tp.CDNError, Error: l2tp.ErrNoControlConnection,
		Message: "the tunnel is not established yet"}
	switch m := m.(type) {
	case l2tp.ICRQ:
		t.disconnect(m.AssignedSession, early, now, out)
	case l2tp.OCRQ:
		t.disconnect(m.AssignedSession, early, now, out)
	}
	return ErrUnexpected
}

// faultOfCall answers an unreadable message of a call: the call it is about ends, or the one it would begin.
func (t *Tunnel) faultOfCall(h l2tp.Header, e *l2tp.MessageError, now time.Time, out *Out) {
	if c := t.calls.byLocal[h.Session]; c != nil {
		if c.peer == 0 {
			c.peer = e.PeerSession
		}
		t.hangUp(c, WhyMalformed, e.Result, nil, now, out)
		return
	}
	if t.state == StateIdle {
		t.finish(out)
		return
	}
	if (e.Type == l2tp.TypeICRQ || e.Type == l2tp.TypeOCRQ) && e.PeerSession != 0 {
		t.disconnect(e.PeerSession, e.Result, now, out)
	}
}

func invalidSession(text string) l2tp.ResultCode {
	return l2tp.ResultCode{Result: l2tp.CDNError, Error: l2tp.ErrInvalidSession, Message: text}
}
