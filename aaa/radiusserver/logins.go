package radiusserver

import (
	"sync"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/fair"
)

// Bounds of logins that no record has come of.
const (
	mostLogins   = 1 << 16
	longestLogin = 2 * time.Minute // that a Start may take
)

// letIn is a login that was told yes, of a session that its NAS names already.
type letIn struct {
	at      nasSession
	place   loginPlace
	session string
	began   time.Time
	until   time.Time
}

// loginPlace is who logs in from where. A NAS that has but one name for all its sessions may tell them apart by it.
type loginPlace struct {
	client, name, calling, portID string
	port                          uint32
}

func placeOfLogin(r *aaa.Request) loginPlace {
	return loginPlace{r.NAS.Client, r.Name, r.CallingNumber, r.NAS.PortID, r.NAS.Port}
}

// logins remembers logins until a record of their session comes: a NAS that has not heard the answer and asks anew asks about the same
// session, which keeps what it was offered.
type logins struct {
	mu    sync.Mutex
	known map[nasSession]*fair.Place[letIn]
	order *fair.Queue[letIn]
}

func newLogins() *logins {
	return &logins{known: make(map[nasSession]*fair.Place[letIn]), order: fair.NewQueue[letIn](mostLogins)}
}

// note remembers a login that was told yes.
func (l *logins) note(r *aaa.Request, began, now time.Time) {
	if r.NAS.Session == "" {
		return
	}
	at, place := nasSession{r.NAS.Name, r.NAS.Session}, placeOfLogin(r)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(l.known[at])
	l.drop(l.order.Surplus())
	l.known[at] = l.order.Add(letIn{at, place, r.Session, began, now.Add(longestLogin)}, place.client)
}

// find returns the login that waits for its Start and is the same.
func (l *logins) find(r *aaa.Request, now time.Time) (session string, began time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for first := l.order.Oldest(); first != nil && !now.Before(first.Thing.until); first = l.order.Oldest() {
		l.drop(first)
	}
	if p := l.known[nasSession{r.NAS.Name, r.NAS.Session}]; p != nil && p.Thing.place == placeOfLogin(r) {
		return p.Thing.session, p.Thing.began, true
	}
	return "", time.Time{}, false
}

// forget drops the login of a session of which a record has come: what comes after it is for sessions to tell.
func (l *logins) forget(at nasSession) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(l.known[at])
}

func (l *logins) drop(p *fair.Place[letIn]) {
	if p != nil {
		l.order.Remove(p)
		delete(l.known, p.Thing.at)
	}
}
