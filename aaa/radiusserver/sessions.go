package radiusserver

import (
	"sync"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/fair"
)

// mostSessions is how many sessions of NASes are remembered.
const mostSessions = 1 << 18

// nasSession is a session as its NAS names it: a name that the NAS may use again some day.
type nasSession struct{ nas, id string }

// known is what is remembered of a session.
type known struct {
	mark  mark
	last  time.Time // when the latest login began whose mark came
	name  string    // of the user
	ended bool      // it had its Stop; a record that comes late still belongs to it
	told  time.Time // the latest Event-Timestamp that came

	place *fair.Place[nasSession]
}

// sessions remembers which login the sessions of NASes belong to. A NAS that asks anew while a session lives gets a new Class and
// sends that from then on, and one that sends no Class back gives no more than an estimate of the start: the session must
// stay what it was. What is forgotten, for want of room or by a restart, counts only for such NASes.
type sessions struct {
	mu    sync.Mutex
	known map[nasSession]known
	ofNAS map[string]map[string]bool // the same, by NAS: one that starts anew again and again must not cost the others their time
	order *fair.Queue[nasSession]
}

func newSessions() *sessions {
	return &sessions{known: make(map[nasSession]known), ofNAS: make(map[string]map[string]bool), order: fair.NewQueue[nasSession](mostSessions)}
}

// find returns the login of a live session, when it is of that user.
func (s *sessions) find(at nasSession, name string) (string, time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.known[at]
	if !ok || k.ended || k.name != name {
		return "", time.Time{}, false
	}
	return k.mark.session, k.mark.started, true
}

// news is a record, as far as it matters here.
type news struct {
	client string
	kind   aaa.RecordKind
	told   time.Time // its Event-Timestamp; zero: it has none
	came   time.Time
}

// settle says which login a record belongs to, and remembers it. The mark is that which came with the record, or where marked is
// false an estimate.
func (s *sessions) settle(at nasSession, name string, m mark, marked bool, n news) mark {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, there := s.known[at]
	last := before.last
	if marked && m.started.After(last) {
		last = m.started
	}
	switch {
	case !there:
	case marked && before.ended && m.started.After(before.last): // it is the next of this name, whose Start was lost
	case marked && before.isFollowed(m, n):
		m.started = n.came.Truncate(time.Second)
	case marked && m.session != before.mark.session && name != before.name && name != "" && before.name != "": // of another NAS behind the same address
	case marked && (n.kind != aaa.RecordStart || m.session == before.mark.session):
		m = before.mark
	case !marked && (n.kind != aaa.RecordStart || aaa.IsSameTime(m.started, before.mark.started)):
		m = before.mark
	}
	if !there {
		if most := s.order.Surplus(); most != nil {
			s.drop(most.Thing)
		}
		before.place = s.order.Add(at, n.client)
	}
	ended := n.kind == aaa.RecordStop || there && before.ended && before.mark == m
	told := before.told
	if n.told.After(told) {
		told = n.told
	}
	s.known[at] = known{m, last, name, ended, told, before.place}
	if s.ofNAS[at.nas] == nil {
		s.ofNAS[at.nas] = make(map[string]bool)
	}
	s.ofNAS[at.nas][at.id] = true
	return m
}

// isFollowed says that a Start is not that of the session, which had the same login: the NAS has lost it, without a word, has given
// its name to the next one of the same user, and has asked about that as if it were the same.
func (k *known) isFollowed(m mark, n news) bool {
	return n.kind == aaa.RecordStart && !k.ended && m.session == k.mark.session && !k.told.IsZero() && n.told.Sub(k.told) > aaa.SameTime
}

func (s *sessions) drop(at nasSession) {
	s.order.Remove(s.known[at].place)
	delete(s.known, at)
	if delete(s.ofNAS[at.nas], at.id); len(s.ofNAS[at.nas]) == 0 {
		delete(s.ofNAS, at.nas)
	}
}

// forget drops all sessions of a NAS that has started anew.
func (s *sessions) forget(nas string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.ofNAS[nas] {
		s.drop(nasSession{nas, id})
	}
}
