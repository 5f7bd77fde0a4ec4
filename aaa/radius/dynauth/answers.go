package dynauth

import (
	"net/netip"
	"time"

	"lnsgate/aaa/radius/wire"
)

// question tells one request from all others: an authenticator is a digest over everything in it.
type question struct {
	from          netip.AddrPort
	identifier    byte
	authenticator [wire.AuthenticatorLength]byte
}

// answers keeps what was answered, so that a repeated request is not carried out again (RFC 5176 section 2.3 and 6.3). Whoever
// uses it holds a lock.
type answers struct {
	window time.Duration
	most   int
	kept   map[question][]byte // nil while it is being carried out
	order  []deadline          // oldest first
}

// deadline is when an answer may be forgotten.
type deadline struct {
	question question
	at       time.Time
}

// begin says whether the question is new, and notes it. For one that is not, it returns the answer, or nil when there is none
// yet.
func (a *answers) begin(q question, now time.Time) (answer []byte, isNew bool) {
	a.forget(now)
	if answer, known := a.kept[q]; known {
		return answer, false
	}
	if a.kept == nil {
		a.kept = make(map[question][]byte)
	}
	a.kept[q] = nil
	a.order = append(a.order, deadline{q, now.Add(a.window)})
	return nil, true
}

// end keeps the answer.
func (a *answers) end(q question, answer []byte) {
	if _, known := a.kept[q]; known {
		a.kept[q] = answer
	}
}

// drop forgets a question that was not carried out. It stands at the end.
func (a *answers) drop(q question) {
	if n := len(a.order); n > 0 && a.order[n-1].question == q {
		a.order = a.order[:n-1]
		delete(a.kept, q)
	}
}

// forget drops answers whose time is over, and the oldest ones when there are too many.
func (a *answers) forget(now time.Time) {
	n := 0
	for n < len(a.order) && (!now.Before(a.order[n].at) || len(a.order)-n >= a.most) {
		delete(a.kept, a.order[n].question)
		n++
	}
	a.order = a.order[n:]
}
