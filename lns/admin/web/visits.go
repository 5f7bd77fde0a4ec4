package web

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"

	"lnsgate/lns/admin"
)

// How long a log-in lasts, and how many there may be.
const (
	visitIdle     = time.Hour      // since the operator last did something
	visitLife     = 12 * time.Hour // in any case
	mostVisits    = 256
	mostOfOne     = 16                  // of one operator
	cookieName    = "__Host-lnsgate"    // the prefix has the browser insist on TLS, this host and the whole path
	entranceToken = "__Host-lnsgate-in" // of the form to log in
)

// visit is a log-in of an operator. Its first fields never change.
type visit struct {
	actor admin.Actor // who it is
	csrf  string      // what each form of this visit carries
	began time.Time
	ended chan struct{} // closed when the visit is over, so that streams end with it

	seen   time.Time // guarded by visits.mu, like notice
	notice string    // what the next view says first
}

// visits are the log-ins that last. They are found by a hash of what the cookie holds, so that comparing takes the same time whatever
// a stranger sends. It is safe for concurrent use.
type visits struct {
	mu   sync.Mutex
	byID map[[sha256.Size]byte]*visit
}

func (v *visits) init() { v.byID = make(map[[sha256.Size]byte]*visit) }

// begin makes a visit with an id of its own, whatever the browser had before. When there are too many the one that was silent
// longest ends.
func (v *visits) begin(actor admin.Actor, now time.Time) (id string, made *visit) {
	id = rand.Text() + rand.Text()
	made = &visit{actor: actor, csrf: rand.Text(), began: now, seen: now, ended: make(chan struct{})}
	v.mu.Lock()
	defer v.mu.Unlock()
	for key, old := range v.byID {
		if old.over(now) {
			v.end(key)
		}
	}
	v.makeRoom(mostVisits, func(*visit) bool { return true })
	v.makeRoom(mostOfOne, func(old *visit) bool { return old.actor.Name == made.actor.Name })
	v.byID[sha256.Sum256([]byte(id))] = made
	return id, made
}

// makeRoom ends the most silent of those that count, until there are fewer than most.
func (v *visits) makeRoom(most int, counts func(*visit) bool) {
	for {
		n, oldest, silent := 0, [sha256.Size]byte{}, time.Time{}
		for key, one := range v.byID {
			if !counts(one) {
				continue
			}
			if n++; n == 1 || one.seen.Before(silent) {
				oldest, silent = key, one.seen
			}
		}
		if n < most {
			return
		}
		v.end(oldest)
	}
}

// find returns the visit of a cookie. Only what the operator does keeps it alive: used is false for what the page asks by itself.
func (v *visits) find(id string, now time.Time, used bool) *visit {
	key := sha256.Sum256([]byte(id))
	v.mu.Lock()
	defer v.mu.Unlock()
	one := v.byID[key]
	if one == nil {
		return nil
	}
	if one.over(now) {
		v.end(key)
		return nil
	}
	if used {
		one.seen = now
	}
	return one
}

// drop ends the visit of a cookie.
func (v *visits) drop(id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.end(sha256.Sum256([]byte(id)))
}

func (v *visits) end(key [sha256.Size]byte) {
	if one := v.byID[key]; one != nil {
		delete(v.byID, key)
		close(one.ended)
	}
}

func (one *visit) over(now time.Time) bool {
	return now.Sub(one.seen) >= visitIdle || now.Sub(one.began) >= visitLife
}

// say keeps a sentence for the next view.
func (v *visits) say(one *visit, notice string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	one.notice = notice
}

// said returns that sentence once.
func (v *visits) said(one *visit) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	notice := one.notice
	one.notice = ""
	return notice
}

// visitOf finds the visit of a request. It ends when its operator is gone, or has another role, password or token now.
func (p *Page) visitOf(r *http.Request) (*visit, admin.Actor, bool) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return nil, admin.Actor{}, false
	}
	one := p.visits.find(cookie.Value, p.cfg.Now(), r.Header.Get(liveHeader) == "")
	if one == nil {
		return nil, admin.Actor{}, false
	}
	actor := one.actor
	if actor.Over() {
		p.visits.drop(cookie.Value)
		return nil, admin.Actor{}, false
	}
	actor.From = admin.Source(r).String()
	return one, actor, true
}

// liveHeader marks what the page asks by itself.
const liveHeader = "X-Lnsgate-Live"
