package dynauth

import (
	"net/netip"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa/radius/wire"
)

// question tells one request from all others: an authenticator is a digest over everything in it. Where it was sent from counts
// only if it does not say when it was made. Two that say the same are one, and who sends the second from elsewhere has caught
// the first under way.
type question struct {
	from          netip.AddrPort
	identifier    byte
	authenticator [wire.AuthenticatorLength]byte
}

// answers keeps what was answered, so that a repeated request is not carried out again (RFC 5176 section 2.3 and 6.3). Whoever
// uses it holds a lock.
type answers struct {
	most  int
	kept  map[question][]byte // nil while it is being carried out
	order []deadline          // oldest first
}

// deadline is when an answer may be forgotten.
type deadline struct {
	question question
	at       time.Time
}

// questionOf is the question of a request that is authentic, and until when its answer is kept: as long as the request is not
// stale, or where nobody can say, for the window.
func questionOf(request *radius.Packet, from netip.AddrPort, now time.Time, window time.Duration) (question, time.Time) {
	q := question{from, request.Identifier, request.Authenticator}
	at, there := timestamp(request)
	if !there {
		return q, now.Add(window)
	}
	q.from = netip.AddrPort{}
	return q, at.Add(window + time.Second) // a timestamp is in whole seconds
}

// find says whether the question came before. The answer is nil while there is none yet.
func (a *answers) find(q question, now time.Time) (answer []byte, known bool) {
	a.forget(now)
	answer, known = a.kept[q]
	return answer, known
}

// begin notes a new question.
func (a *answers) begin(q question, until time.Time) {
	if a.kept == nil {
		a.kept = make(map[question][]byte)
	}
	a.kept[q] = nil
	a.order = append(a.order, deadline{q, until})
}

// end keeps the answer.
func (a *answers) end(q question, answer []byte) {
	if _, known := a.kept[q]; known {
		a.kept[q] = answer
	}
}

// forget drops answers whose time is over, and the oldest ones when there are too many. One may be kept for longer than it
// needs to be, behind another.
func (a *answers) forget(now time.Time) {
	n := 0
	for n < len(a.order) && (!now.Before(a.order[n].at) || len(a.order)-n >= a.most) {
		delete(a.kept, a.order[n].question)
		n++
	}
	a.order = a.order[n:]
}
