package control

import "lnsgate/lns/l2tp"

// Out collects what the caller has to do, in order. The caller owns and resets it.
type Out struct {
	Actions []Action
}

// Action is one of the types below.
type Action interface{ action() }

// Send: send this datagram to the peer. The memory is fresh and nobody else's.
type Send struct{ Datagram []byte }

// TunnelUp: the control connection is established.
type TunnelUp struct{}

// CallRequested: the LAC announces a call (LNS). Answer at once with AcceptCall or RefuseCall.
type CallRequested struct {
	PeerSession l2tp.SessionID
	Call        l2tp.ICRQ
}

// CallUp: the call is connected; ICCN was received (LNS) or sent (LAC).
type CallUp struct {
	Session, PeerSession l2tp.SessionID
	Call                 l2tp.ICRQ
	Connected            l2tp.ICCN
}

// LineInfo: the peer reports on a call's line. Info is an l2tp.SLI or l2tp.WEN.
type LineInfo struct {
	Session l2tp.SessionID
	Info    l2tp.Message
}

// CallDown: the call is over and forgotten, or was refused without a question to the owner (LNS: WhyTooManyCalls).
type CallDown struct {
	Session     l2tp.SessionID // 0 if the call never got a local id
	PeerSession l2tp.SessionID // 0 if the peer never gave one
	Result      l2tp.ResultCode
	ByPeer      bool
	Why         Why
	Cause       *l2tp.PPPDisconnectCause // what the peer says PPP died of (RFC 3145); nil: nothing
}

// TunnelDown: the tunnel is over, and every call with it: there is no CallDown for them.
type TunnelDown struct {
	Result l2tp.ResultCode
	ByPeer bool
	Lost   bool // the peer no longer answers
	Why    Why
}

// Finished: the last act. The caller forgets the tunnel and its id may be used again.
type Finished struct{}

// Collision: the peer sent an SCCRQ while ours was unanswered, and it needs a tunnel of its own: hand this datagram to a
// new Tunnel (RFC 2661 section 4.4.3, Tie Breaker).
type Collision struct{ Datagram []byte }

// Said tells, for the log, what control message went which way.
type Said struct {
	Sent    bool             // we said it; else the peer
	Message l2tp.MessageType // l2tp.TypeZLB for a bare acknowledgement
	Session l2tp.SessionID   // of the header: the receiver's id of the call, 0 for the tunnel
	Own     l2tp.SessionID   // our id of the call, where we said it
	Detail  string           // what it said, in words; may be empty
	Again   bool             // said before: a resend
}

func (Send) action()          {}
func (TunnelUp) action()      {}
func (CallRequested) action() {}
func (CallUp) action()        {}
func (LineInfo) action()      {}
func (CallDown) action()      {}
func (TunnelDown) action()    {}
func (Finished) action()      {}
func (Collision) action()     {}
func (Said) action()          {}

func (o *Out) add(a Action) { o.Actions = append(o.Actions, a) }
