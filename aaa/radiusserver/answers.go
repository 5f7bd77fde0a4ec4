package radiusserver

import (
	"net/netip"
	"sync"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa/fair"
	"lnsgate/aaa/radius/wire"
)

// question tells the requests of a client apart that it can have under way at one time (RFC 2865 section 3).
type question struct {
	listener   int
	from       netip.AddrPort
	identifier byte
	code       radius.Code
}

// entry is a question that came, with the authenticator that tells it from the next one with the same identifier.
type entry struct {
	question      question
	client        string
	authenticator [wire.AuthenticatorLength]byte
	reply         []byte // nil while there is none
	until         time.Time
}

// answers remembers what was answered, so that a request that comes again gets the same octets and is not carried out twice
// (RFC 5080 section 2.2.2). It holds what is being answered, which others bound, and so many answers at most.
type answers struct {
	life time.Duration

	mu    sync.Mutex
	known map[question]*entry
	order *fair.Queue[*entry] // that are answered
}

func newAnswers(most int, life time.Duration) *answers {
	return &answers{life: life, known: make(map[question]*entry), order: fair.NewQueue[*entry](most)}
}

// fate is what begin found.
type fate int

const (
	isNew     fate = iota
	isPending      // the same, and its answer is still to come
	isAnswered
	isBusy // new, and not admitted
)

// begin notes a question of a client, unless it came before. A different one with the same identifier takes the place of the older, whose
// answer nobody waits for any more. admit is asked before a new one is noted.
func (a *answers) begin(q question, client string, authenticator [wire.AuthenticatorLength]byte, now time.Time, admit func() bool) (e *entry, reply []byte, f fate) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forget(now)
	if e = a.known[q]; e != nil && e.authenticator == authenticator {
		if e.reply == nil {
			return nil, nil, isPending
		}
		return nil, e.reply, isAnswered
	}
	if !admit() {
		return nil, nil, isBusy
	}
	e = &entry{question: q, client: client, authenticator: authenticator}
	a.known[q] = e
	return e, nil, isNew
}

// end keeps the reply. False: another question has taken the place.
func (a *answers) end(e *entry, reply []byte, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known[e.question] != e {
		return false
	}
	a.forget(now)
	if most := a.order.Surplus(); most != nil {
		a.remove(most)
	}
	e.reply, e.until = reply, now.Add(a.life)
	a.order.Add(e, e.client)
	return true
}

// drop forgets a question that gets no answer: if it comes again, that is another try. False: another has taken its place.
func (a *answers) drop(e *entry) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known[e.question] != e {
		return false
	}
	delete(a.known, e.question)
	return true
}

// forget drops answers whose time is over.
func (a *answers) forget(now time.Time) {
	for first := a.order.Oldest(); first != nil && !now.Before(first.Thing.until); first = a.order.Oldest() {
		a.remove(first)
	}
}

func (a *answers) remove(p *fair.Place[*entry]) {
	a.order.Remove(p)
	if e := p.Thing; a.known[e.question] == e {
		delete(a.known, e.question)
	}
}

func (a *answers) len() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.order.Len()
}
