package session

import (
	"strconv"
	"strings"
	"time"

	"lnsgate/lns/l2tp"
	"lnsgate/lns/negotiate"
	"lnsgate/lns/ppp"
)

// stepLCP lets LCP act and follows what changed.
func (s *Session) stepLCP(out *Out, now time.Time, act func(*negotiate.Out)) {
	var o negotiate.Out
	act(&o)
	out.Frames = append(out.Frames, o.Frames...)
	s.identify(o.Identification)
	for _, c := range o.Changes {
		s.linkChanged(c, now, out)
	}
	for _, p := range o.PeerRejected {
		s.protocolRejected(p, now, out)
	}
}

// Question is a frame to which only the peer of this link knows the answer; false when there is none, or the session is not
// open.
func (s *Session) Question() (ppp.Frame, bool) {
	if s.phase != Open {
		return ppp.Frame{}, false
	}
	packet, ok := s.lcp.Question()
	return ppp.Frame{Protocol: ppp.LCP, Packet: packet}, ok
}

// Proves says that a frame answers a Question as only the peer can.
func (s *Session) Proves(b []byte) bool {
	protocol, packet, err := ppp.ParseFrame(b)
	return err == nil && protocol == ppp.LCP && s.phase == Open && s.lcp.Proves(packet)
}

// identify keeps what the peer says of itself (RFC 1570 section 2.3), as far as there is room, in printable form.
func (s *Session) identify(texts []string) {
	for _, text := range texts {
		if len(s.identification) < maxIdentifications {
			s.identification = append(s.identification, strings.Trim(strconv.QuoteToASCII(text[:min(len(text), maxIdentification)]), `"`))
		}
	}
}

// Windows sends three: its version, its host name and a GUID.
const (
	maxIdentifications = 3
	maxIdentification  = 64
)

func (s *Session) linkChanged(c negotiate.Change, now time.Time, out *Out) {
	switch c {
	case negotiate.LayerUp:
		if s.phase == Link {
			s.authenticate(now, out)
		}
	case negotiate.LayerDown:
		if s.phase != Closing {
			s.linkDown(now, out)
		}
	case negotiate.LayerFinished:
		s.linkFinished(now, out)
	}
}

// linkDown goes back to the start: the peer negotiates LCP again. The lease is kept, in case the same account comes back.
// A link that has ended, by whomever, does not come back; the peer has a moment to repeat its Terminate-Request, or to hear ours, and
// what it does then is not why.
func (s *Session) linkDown(now time.Time, out *Out) {
	out.Suspend = out.Suspend || s.phase == Open
	if r := s.lcp.Reason(); r != negotiate.ReasonNone {
		s.conclude(s.waited(s.linkVerdict(r), now))
		s.enterClosing(now)
		return
	}
	s.phase, s.auth, s.awaiting = Link, nil, false
	s.dropNetworks()
	w := s.moving()
	w.early, w.wishBy = nil, time.Time{}
	if w.setupBy.IsZero() {
		s.beginSetup(now)
	}
}

// linkFinished ends the session for LCP's reason, unless it is closing for one of ours.
func (s *Session) linkFinished(now time.Time, out *Out) {
	if s.phase != Closing {
		s.conclude(s.waited(s.linkVerdict(s.lcp.Reason()), now))
		out.Suspend = true
	}
	s.end(out)
}

// adopt uses what a LAC has negotiated with the peer, where the policy allows it and it can be used.
func (s *Session) adopt(call l2tp.ICCN, now time.Time, out *Out) bool {
	if !s.policy.ProxyLCP || len(call.LastSentLCP) == 0 || len(call.LastReceivedLCP) == 0 {
		return false
	}
	var o negotiate.Out
	if s.lcp.Adopt(call.InitialReceivedLCP, call.LastSentLCP, call.LastReceivedLCP, now, &o) != nil {
		return false
	}
	out.Frames = append(out.Frames, o.Frames...)
	if s.policy.ProxyAuthentication && s.authenticateByProxy(call.ProxyAuth, now, out) {
		return true
	}
	s.authenticate(now, out)
	return true
}
