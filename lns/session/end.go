package session

import (
	"time"

	"lnsgate/lns/l2tp"
	"lnsgate/lns/negotiate"
	"lnsgate/lns/ppp"
	"lnsgate/lns/trace"
	"lnsgate/pool"
)

// Close ends the session politely: user traffic stops, LCP says goodbye, and once the peer has acknowledged that, or has not in
// time, the call is over. Only the first verdict counts.
func (s *Session) Close(v trace.Verdict, now time.Time, out *Out) {
	s.closeAs(v, general(v.Cause, s.phase), now, out)
}

// closeAs is Close with another cause told to the peer.
func (s *Session) closeAs(v trace.Verdict, told trace.Cause, now time.Time, out *Out) {
	if s.phase == Closing || s.phase == Ended {
		return
	}
	s.concludeAs(v, told)
	if s.phase == Early {
		s.end(out)
		return
	}
	s.closeLink(now, out)
}

// Lost ends the session at once: its call or tunnel is already gone.
func (s *Session) Lost(v trace.Verdict, now time.Time, out *Out) {
	if s.phase == Ended {
		return
	}
	s.Drop(s.waited(v, now), out)
	out.End.PeerKnows = true
}

// Drop ends the session at once, by CDN alone: its text tells more than an LCP Terminate-Request could.
func (s *Session) Drop(v trace.Verdict, out *Out) {
	if s.phase == Ended {
		return
	}
	if s.phase != Closing {
		s.conclude(v)
	}
	s.end(out)
}

func (s *Session) closeLink(now time.Time, out *Out) {
	out.Suspend, out.Open = true, nil
	s.enterClosing(now)
	s.stepLCP(out, now, func(o *negotiate.Out) { s.lcp.Close(now, o) })
}

// enterClosing leaves LCP alone on the link (RFC 1661 section 3.7), and the peer a moment to say goodbye.
func (s *Session) enterClosing(now time.Time) {
	s.phase, s.auth = Closing, nil
	s.dropNetworks()
	s.endBy = time.Time{}
	w := s.moving()
	w.setupBy, w.wishBy, w.closeBy = time.Time{}, time.Time{}, now.Add(closeTimeout)
}

func (s *Session) conclude(v trace.Verdict) { s.concludeAs(v, general(v.Cause, s.phase)) }

func (s *Session) concludeAs(v trace.Verdict, told trace.Cause) {
	w := s.moving()
	w.verdict, w.told, w.result, w.endedIn = v, told, resultFor(v, told), s.phase
	s.awaiting = false
}

// end is the last act: everything held is given back.
func (s *Session) end(out *Out) {
	if s.phase == Ended {
		return
	}
	s.phase = Ended
	w := s.moving()
	w.early, s.awaiting = nil, false
	out.Suspend, out.Open, out.Ask, out.Address = true, nil, nil, nil
	s.giveBack(out)
	out.End = &End{Verdict: w.verdict, Result: w.result, Cause: disconnectCause(w.told)}
}

func (s *Session) giveBack(out *Out) {
	if s.lease.Address.IsValid() {
		s.returnAddress(out)
	}
	s.returnPrefixes(out)
}

func (s *Session) returnAddress(out *Out) {
	out.Returns = append(out.Returns, s.lease)
	s.lease = pool.Lease{}
}

func (s *Session) returnPrefixes(out *Out) {
	out.Returns = append(out.Returns, s.Prefixes().All()...)
	s.prefixes = nil
}

// resultFor chooses what a CDN says about a verdict (RFC 2661 section 4.4.2). The peer learns the kind of the cause, not whose
// name or password was wrong.
func resultFor(v trace.Verdict, told trace.Cause) l2tp.ResultCode {
	switch c := told; c {
	case trace.Kicked: // the administrator's words are meant for the peer too
		return l2tp.ResultCode{Result: l2tp.CDNAdministrative, Message: v.String()}
	case trace.EchoLost, trace.PeerTerminated, trace.TunnelLost:
		return l2tp.ResultCode{Result: l2tp.CDNCarrierLost}
	case trace.NoAddress, trace.AddressInUse, trace.AddressFault, trace.TooManySessions:
		return l2tp.ResultCode{Result: l2tp.CDNError, Error: l2tp.ErrNoResources, Message: c.String()}
	case trace.NoPool, trace.DataPathFault:
		return l2tp.ResultCode{Result: l2tp.CDNError, Error: l2tp.ErrVendor, Message: c.String()}
	case trace.SetupTimeout, trace.LinkNoAnswer, trace.IPCPNoAnswer, trace.AuthenticationNoAnswer, trace.ChallengeNoAnswer:
		return l2tp.ResultCode{Result: l2tp.CDNTimeout, Message: c.String()}
	case trace.AuthenticationUnavailable, trace.AuthenticationTimeout: // as for a wrong password
		return l2tp.ResultCode{Result: l2tp.CDNAdministrative, Message: trace.AuthenticationRejected.String()}
	default:
		return l2tp.ResultCode{Result: l2tp.CDNAdministrative, Message: c.String()}
	}
}

// Directions of a PPP disconnect cause: which end it is about (RFC 3145 section 3.4).
const (
	directionGlobal = 0
	directionPeer   = 1
	directionLocal  = 2
)

// disconnectCause tells the LAC what PPP died of (RFC 3145 section 3.2); nil when it was not PPP.
func disconnectCause(c trace.Cause) *l2tp.PPPDisconnectCause {
	cause := func(code uint16, p ppp.Protocol, direction uint8) *l2tp.PPPDisconnectCause {
		return &l2tp.PPPDisconnectCause{Code: code, Protocol: uint16(p), Direction: direction}
	}
	switch c {
	case trace.Kicked, trace.Requested, trace.AccountChanged, trace.Shutdown, trace.Displaced, trace.IdleTimeout, trace.SessionTimeout:
		return cause(1, 0, directionGlobal)
	case trace.PeerTerminated:
		return cause(3, 0, directionPeer)
	case trace.LinkNoAnswer:
		return cause(5, 0, directionPeer)
	case trace.LinkLooped:
		return cause(7, 0, directionGlobal)
	case trace.EchoLost:
		return cause(8, 0, directionPeer)
	case trace.AuthenticationNoAnswer, trace.ChallengeNoAnswer:
		return cause(13, 0, directionPeer)
	case trace.AuthenticationRefused:
		return cause(15, 0, directionPeer)
	case trace.AuthenticationRejected, trace.AuthenticationUnavailable, trace.AuthenticationTimeout:
		return cause(16, 0, directionPeer)
	case trace.IPCPNoAnswer:
		return cause(17, ppp.IPCP, directionPeer)
	case trace.IPCPRejected, trace.PeerClosedIPCP:
		return cause(18, 0, directionPeer)
	case trace.IPCPNotConverging:
		return cause(19, ppp.IPCP, directionGlobal)
	case trace.NoPool:
		return cause(20, ppp.IPCP, directionLocal)
	default:
		return nil
	}
}
