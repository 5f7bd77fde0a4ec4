package foreign

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/fair"
)

// How much of what is over a Ledger remembers.
const (
	mostEnded = 10_000 // sessions, so that a late record does not open one again
	mostDone  = 1_000  // orders
)

// Ledger is what a Store knows, and the rules by which it changes, for Stores that have all of it in memory. It is no Store
// itself: it has neither a lock nor a clock, and it keeps nothing. What has changed since it was last asked is told by Changed.
type Ledger struct {
	sessions map[string]*Held
	by       map[index]map[string]*Held
	ended    *fair.Map[string, Ended]

	orders map[int64]*Told
	last   map[string]int64 // session -> its last order
	serial int64
	done   []int64 // the oldest first

	changed Changed
}

// Held is a live session.
type Held struct {
	Record aaa.Record // its last
	Heard  time.Time  // when that came
}

// Ended is a session that has had its Stop.
type Ended struct {
	Sequence uint32 // of the Stop
	Started  time.Time
	Client   string // of the RADIUS server, whose NAS had it
}

// Told is an order and what came of it so far.
type Told struct {
	Order  Order
	Answer Answer
	Due    time.Time // when it may be claimed
	until  time.Time // the claim ends: not kept, for who claimed it ends with the process
}

// Changed are the names of what has changed. One that is not in the Ledger any more is gone.
type Changed struct {
	Sessions map[string]bool // live or ended
	Orders   map[int64]bool
}

// index is a field of a record by which sessions are found without looking at all of them.
type index struct {
	field byte // 'a': account, 'n': NAS, 'c': client of the RADIUS server
	value string
}

// NewLedger makes an empty one.
func NewLedger() *Ledger {
	l := &Ledger{
		sessions: map[string]*Held{}, by: map[index]map[string]*Held{}, ended: fair.NewMap[string, Ended](mostEnded),
		orders: map[int64]*Told{}, last: map[string]int64{},
	}
	l.Changed()
	return l
}

// Changed tells what has changed since it was last called.
func (l *Ledger) Changed() Changed {
	c := l.changed
	l.changed = Changed{map[string]bool{}, map[int64]bool{}}
	return c
}

// Session returns a live session, and the Stop of one that has ended. Nil: it is not live, or not known to have ended.
func (l *Ledger) Session(name string) (*Held, *Ended) {
	if h := l.sessions[name]; h != nil {
		return h, nil
	}
	if e, there := l.ended.Get(name); there {
		return nil, &e
	}
	return nil, nil
}

// Told returns an order. Nil: there is none, or it is forgotten.
func (l *Ledger) Told(id int64) *Told { return l.orders[id] }

// Resume puts back what a Store has kept: live sessions, ended ones the oldest first, and orders by their ID.
func (l *Ledger) Resume(sessions []Held, ended []string, ends []Ended, orders []Told) {
	for i := range sessions {
		l.enter(&sessions[i])
	}
	for i, name := range ended {
		l.end(name, ends[i])
	}
	for i := range orders {
		t := &orders[i]
		l.orders[t.Order.ID] = t
		l.serial = max(l.serial, t.Order.ID)
		l.last[t.Order.Session.Session] = t.Order.ID
		if t.Answer.Done {
			l.finished(t)
		}
	}
	l.Changed()
}

// Put is Store.Put.
func (l *Ledger) Put(r aaa.Record, now time.Time) error {
	before := l.sessions[r.Session]
	if e, over := l.ended.Get(r.Session); over && before == nil && !began(e.Started, r.Started) && r.Sequence <= e.Sequence {
		if r.Kind == aaa.RecordStop {
			return nil
		}
		return ErrEnded
	}
	if before != nil && !began(before.Record.Started, r.Started) && r.Sequence <= before.Record.Sequence {
		before.Heard = now
		return nil
	}
	l.changed.Sessions[r.Session] = true
	if before != nil {
		l.leave(before)
	}
	if r.Kind == aaa.RecordStop {
		l.end(r.Session, Ended{r.Sequence, r.Started, clientOf(&r)})
		l.supersede(r.Session, "the session has ended")
		delete(l.last, r.Session)
		return nil
	}
	l.forget(r.Session)
	l.enter(&Held{Record: r, Heard: now})
	return nil
}

// began says that a session is not the one before: a NAS may use its names again.
func began(before, now time.Time) bool { return now.Sub(before) > aaa.SameTime }

// isOf says that an order is about a session, and not about another one to which the NAS has given the same name since, or before.
func (o *Order) isOf(r *aaa.Record) bool { return aaa.IsSameTime(o.Session.Started, r.Started) }

func (l *Ledger) enter(h *Held) {
	l.sessions[h.Record.Session] = h
	for _, at := range indexes(&h.Record) {
		if l.by[at] == nil {
			l.by[at] = map[string]*Held{}
		}
		l.by[at][h.Record.Session] = h
	}
}

func (l *Ledger) leave(h *Held) {
	delete(l.sessions, h.Record.Session)
	for _, at := range indexes(&h.Record) {
		if delete(l.by[at], h.Record.Session); len(l.by[at]) == 0 {
			delete(l.by, at)
		}
	}
}

func indexes(r *aaa.Record) []index {
	list := []index{{'a', r.Account}}
	if r.NAS != nil {
		list = append(list, index{'n', r.NAS.Name}, index{'c', r.NAS.Client})
	}
	return list
}

func clientOf(r *aaa.Record) string {
	if r.NAS == nil {
		return ""
	}
	return r.NAS.Client
}

func (l *Ledger) end(session string, e Ended) {
	if gone, full := l.ended.Put(session, e, e.Client); full {
		l.changed.Sessions[gone] = true
	}
}

// forget forgets that a session has ended.
func (l *Ledger) forget(session string) {
	if l.ended.Delete(session) {
		l.changed.Sessions[session] = true
	}
}

// Live is Store.Live.
func (l *Ledger) Live() map[string]int {
	live := map[string]int{}
	for at, of := range l.by {
		if at.field == 'c' {
			live[at.value] = len(of)
		}
	}
	return live
}

// Find is Store.Find.
func (l *Ledger) Find(q *Query) []aaa.Record {
	var found []aaa.Record
	for _, h := range l.candidates(q) {
		if q.Matches(&h.Record) && (q.SilentAt.IsZero() || h.Heard.Add(Patience(h.Record.Terms)).Before(q.SilentAt)) {
			found = append(found, h.Record)
		}
	}
	slices.SortFunc(found, func(a, b aaa.Record) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.Session, b.Session))
	})
	if q.Limit > 0 && len(found) > q.Limit {
		found = found[:q.Limit]
	}
	return found
}

// candidates are the sessions that have to be looked at.
func (l *Ledger) candidates(q *Query) map[string]*Held {
	switch {
	case q.Session != "":
		if h := l.sessions[q.Session]; h != nil {
			return map[string]*Held{q.Session: h}
		}
		return nil
	case q.Account != "":
		return l.by[index{'a', q.Account}]
	case q.NAS != "":
		return l.by[index{'n', q.NAS}]
	case q.Client != "":
		return l.by[index{'c', q.Client}]
	}
	return l.sessions
}

// Matches says whether a session is one of those, but for SilentAt.
func (q *Query) Matches(r *aaa.Record) bool {
	n := r.NAS
	if n == nil {
		n = &aaa.NAS{}
	}
	for _, field := range [...][2]string{
		{q.Session, r.Session}, {q.Name, r.Name}, {q.Account, r.Account}, {q.Domain, r.Domain},
		{q.Client, n.Client}, {q.NAS, n.Name}, {q.NASID, n.Session},
	} {
		if field[0] != "" && field[0] != field[1] {
			return false
		}
	}
	return q.Before.IsZero() || r.Started.Before(q.Before)
}

// Order is Store.Order.
func (l *Ledger) Order(o Order) bool {
	if last := l.orders[l.last[o.Session.Session]]; last != nil {
		if last.Order.Key == o.Key || !last.Answer.Done && last.Order.Kind == Disconnect && o.Kind == Change {
			return false
		}
	}
	l.supersede(o.Session.Session, "a newer order took its place")
	l.serial++
	o.ID, o.Tries = l.serial, 0
	t := &Told{Order: o, Due: o.At}
	if before := l.orders[l.last[o.Session.Session]]; before != nil { // who tells it to the NAS now comes first
		t.Due = later(o.At, before.until)
	}
	l.orders[o.ID], l.last[o.Session.Session] = t, o.ID
	l.changed.Orders[o.ID] = true
	return true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// supersede ends the wait of a session's last order: of a session, no other waits.
func (l *Ledger) supersede(session, why string) {
	if t := l.orders[l.last[session]]; t != nil && !t.Answer.Done {
		t.Answer = Answer{Done: true, Text: why}
		l.finished(t)
	}
}

func (l *Ledger) finished(t *Told) {
	l.changed.Orders[t.Order.ID] = true
	l.done = append(l.done, t.Order.ID)
	for len(l.done) > mostDone {
		id := l.done[0]
		if session := l.orders[id].Order.Session.Session; l.last[session] == id {
			delete(l.last, session)
		}
		l.changed.Orders[id] = true
		delete(l.orders, id)
		l.done = l.done[1:]
	}
}

// Claim is Store.Claim.
func (l *Ledger) Claim(now, until time.Time, limit int, not []string) []Order {
	var due []*Told
	for _, id := range l.last {
		if t := l.orders[id]; t != nil && !t.Answer.Done && !t.Due.After(now) && !slices.Contains(not, nameOf(&t.Order.Session)) {
			due = append(due, t)
		}
	}
	slices.SortFunc(due, func(a, b *Told) int { return cmp.Compare(a.Order.ID, b.Order.ID) })
	claimed := make([]Order, 0, min(limit, len(due)))
	for _, t := range due[:min(limit, len(due))] {
		t.Due, t.until = until, until
		if h := l.sessions[t.Order.Session.Session]; h != nil && t.Order.isOf(&h.Record) {
			t.Order.Session = h.Record
		}
		claimed = append(claimed, t.Order)
	}
	return claimed
}

// Answer is Store.Answer.
func (l *Ledger) Answer(o *Order, a Answer) {
	t := l.orders[o.ID]
	if h := l.sessions[o.Session.Session]; h != nil && a.OK && o.Kind == Change {
		terms := o.Terms
		h.Record.Terms = &terms
		l.changed.Sessions[o.Session.Session] = true
	}
	if next := l.orders[l.last[o.Session.Session]]; next != nil && next != t && t != nil && next.Due.Equal(t.until) {
		next.Due = next.Order.At // it waited for this answer
	}
	if t == nil || t.Answer.Done && !a.OK {
		return
	}
	was := t.Answer.Done
	t.Order.Tries++
	t.Answer, t.until, t.Due = a, time.Time{}, a.Again
	t.Answer.Done = a.Done || was
	l.changed.Orders[o.ID] = true
	if t.Answer.Done && !was {
		l.finished(t)
	}
}

// History returns the last orders and what came of them, the newest first.
func (l *Ledger) History(limit int) []Told {
	ids := slices.Sorted(maps.Keys(l.orders))
	slices.Reverse(ids)
	var list []Told
	for _, id := range ids[:min(limit, len(ids))] {
		list = append(list, *l.orders[id])
	}
	return list
}
