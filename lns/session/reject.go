package session

import (
	"slices"
	"time"

	"lnsgate/lns/ppp"
)

// A peer that does not heed a Protocol-Reject, or sends a protocol at line rate until it has read ours, is not answered
// frame by frame: five at once, then one a second (RFC 1661 section 5.7 asks for one at the first opportunity).
const (
	rejectEvery     = time.Second
	rejectAtOnce    = 5
	rejectProtocols = 4 // that are told apart; those beyond share their budgets
)

// rejected is the budget of one protocol.
type rejected struct {
	protocol ppp.Protocol
	budget
}

// budget bounds how often a peer may have something done. The zero budget is whole.
type budget struct{ whole time.Time } // when it is so again

// take says whether something may be done that may be done so many times at once, and then every so often.
func (b *budget) take(every time.Duration, atOnce int, now time.Time) bool {
	from := latest(now, b.whole)
	if from.Add(every).After(now.Add(time.Duration(atOnce) * every)) {
		return false
	}
	b.whole = from.Add(every)
	return true
}

// A network protocol that is negotiated anew costs us a change of the data path, accounting and routes, and the peer one frame.
// Nobody needs that often.
const (
	renegotiateEvery  = 5 * time.Second
	renegotiateAtOnce = 20
)

// mayNegotiate says whether a packet of IPCP or IPv6CP may be taken. Those that reach an open layer are counted, because they take
// it down.
func (s *Session) mayNegotiate(p ppp.Protocol, now time.Time) bool {
	open := p == ppp.IPCP && s.carriesIPv4() || p == ppp.IPv6CP && s.carriesIPv6()
	return !open || s.renegotiated.take(renegotiateEvery, renegotiateAtOnce, now)
}

// mayReject takes from the budget of a protocol, and says whether there was enough left.
func (s *Session) mayReject(p ppp.Protocol, now time.Time) bool {
	return s.rejects(p).take(rejectEvery, rejectAtOnce, now)
}

// rejects finds the budget of a protocol. A protocol too many takes over, as it is, the one of which most is left.
func (s *Session) rejects(p ppp.Protocol) *rejected {
	i := slices.IndexFunc(s.rejected, func(r rejected) bool { return r.protocol == p })
	switch {
	case i >= 0:
	case len(s.rejected) < rejectProtocols:
		s.rejected = append(s.rejected, rejected{protocol: p})
		i = len(s.rejected) - 1
	default:
		i = 0
		for k, r := range s.rejected {
			if r.whole.Before(s.rejected[i].whole) {
				i = k
			}
		}
		s.rejected[i].protocol = p
	}
	return &s.rejected[i]
}
