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

// rejected is what is left of the budget of one protocol: the time at which it is whole again.
type rejected struct {
	protocol ppp.Protocol
	whole    time.Time
}

// mayReject takes from the budget of a protocol, and says whether there was enough left.
func (s *Session) mayReject(p ppp.Protocol, now time.Time) bool {
	r := s.budget(p)
	from := now
	if r.whole.After(now) {
		from = r.whole
	}
	if from.Add(rejectEvery).After(now.Add(rejectAtOnce * rejectEvery)) {
		return false
	}
	r.whole = from.Add(rejectEvery)
	return true
}

// budget finds that of a protocol. A protocol too many takes over, as it is, the one of which most is left.
func (s *Session) budget(p ppp.Protocol) *rejected {
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
