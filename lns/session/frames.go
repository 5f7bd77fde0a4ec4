package session

import (
	"bytes"
	"time"

	"lnsgate/lns/authenticate"
	"lnsgate/lns/negotiate"
	"lnsgate/lns/ppp"
)

// A peer may be ahead of us: its IPCP Configure-Request right behind our CHAP Success, or its LCP Configure-Request in front of
// the ICCN. Such frames are kept, a few of them and no long ones, until their phase has come.
const (
	maxEarlyFrames = 8
	maxEarlyOctets = 1500
)

// Frame takes a PPP frame from the peer: what stands in a data message behind the L2TP header. It says false when the frame is
// dropped as unreadable or out of place.
func (s *Session) Frame(b []byte, now time.Time, out *Out) bool {
	protocol, packet, err := ppp.ParseFrame(b)
	if err != nil {
		return false
	}
	return s.take(ppp.Frame{Protocol: protocol, Packet: packet}, now, out)
}

// take puts a frame where it belongs in the present phase.
func (s *Session) take(f ppp.Frame, now time.Time, out *Out) bool {
	switch {
	case s.phase == Early:
		return s.keep(f)
	case s.phase == Ended:
		return false
	case (f.Protocol == ppp.LCP || f.Protocol == ppp.IPCP || f.Protocol == ppp.IPv6CP) && !readable(f.Packet):
		return false
	case f.Protocol == ppp.LCP:
		s.stepLCP(out, now, func(o *negotiate.Out) { s.lcp.Receive(f.Packet, now, o) })
		return true
	case s.phase == Closing:
		return isAuth(f) && s.takeAuth(f, now, out)
	case s.phase == Link:
		s.stepLCP(out, now, func(o *negotiate.Out) { s.lcp.Nudge(now, o) }) // the peer is there: our earlier requests were too early
		return s.keep(f)
	case isAuth(f):
		return s.takeAuth(f, now, out)
	case s.phase < Network:
		kept := s.keep(f)
		s.hearWish(now, out)
		return kept
	case (f.Protocol == ppp.IPCP || f.Protocol == ppp.IPv6CP) && !s.mayNegotiate(f.Protocol, now):
		return false
	case f.Protocol == ppp.IPv6CP && s.six != nil:
		s.stepIPv6CP(out, now, func(o *negotiate.Out) { s.six.Receive(f.Packet, now, o) })
		return true
	case f.Protocol == ppp.IPv6 && s.six != nil:
		return s.hearIPv6(f.Packet, now, out)
	case f.Protocol == ppp.IPCP && s.ipcp != nil:
		s.stepIPCP(out, now, func(o *negotiate.Out) { s.ipcp.Receive(f.Packet, now, o) })
		return true
	case f.Protocol == ppp.IPv4:
		return false // user data outside the data path: the session is only just opening or closing
	case !s.mayReject(f.Protocol, now):
		return false
	default:
		s.stepLCP(out, now, func(o *negotiate.Out) { s.lcp.RejectProtocol(f.Protocol, f.Packet, now, o) })
		return true
	}
}

// readable says that a control packet has a header that fits it. The machines drop one that has not; here it is counted too.
func readable(packet []byte) bool {
	_, err := ppp.ParsePacket(packet)
	return err == nil
}

func isAuth(f ppp.Frame) bool {
	return f.Protocol == ppp.PAP || f.Protocol == ppp.CHAP || f.Protocol == ppp.EAP
}

func (s *Session) takeAuth(f ppp.Frame, now time.Time, out *Out) bool {
	if s.auth == nil {
		return false
	}
	s.stepAuth(out, now, func(o *authenticate.Out) { s.auth.Receive(f, now, o) })
	return true
}

// keep stores a frame until its phase; a newer one of the same kind takes its place, because an answer to the older would be
// none. User data is not worth the room.
func (s *Session) keep(f ppp.Frame) bool {
	if f.Protocol < ppp.FirstControl || len(f.Packet) == 0 || len(f.Packet) > maxEarlyOctets {
		return false
	}
	f.Packet = bytes.Clone(f.Packet)
	w := s.moving()
	for i, k := range w.early {
		if k.Protocol == f.Protocol && k.Packet[0] == f.Packet[0] {
			w.early[i] = f
			return true
		}
	}
	if len(w.early) >= maxEarlyFrames {
		return false
	}
	w.early = append(w.early, f)
	return true
}

// replay takes the kept frames again after the phase has moved; those still too early are kept again.
func (s *Session) replay(now time.Time, out *Out) {
	w := s.moving()
	kept := w.early
	w.early = nil
	for _, f := range kept {
		s.take(f, now, out)
	}
}
