package postgres

import (
	"slices"
	"strconv"
	"time"

	"lnsgate/pool"
)

// candidate is an address that the database says the account had.
type candidate struct {
	key
	pool     string
	released time.Time
	offer    bool // it was an offer that ran out
}

// move is what to do next for an ask. At most one of err, lease, entry, claim, want and steal is set; none of them means that
// the pools of the request are exhausted.
type move struct {
	err    error
	lease  *pool.Lease // the holder has it already
	entry  *entry      // give it: it is private
	claim  *claim      // ask the database for a common address
	exact  bool        // ask the database for an address that lies in no block of ours
	want   *stock      // take blocks
	steal  *stock      // take a common address, whichever
	before state       // of the claim's entry
	why    string
}

// claim is a common address that an ask is to get if the database agrees.
type claim struct {
	ask    *ask
	key    key
	entry  *entry // in a block of ours; nil: elsewhere
	forced bool   // its quarantine does not matter
	sticky bool   // only while the account is the last that had it
	mine   bool   // only while the holder has it
	fresh  bool   // it is private and is to be lent
	why    string
}

// length is that of the prefix that is claimed; 0: an address.
func (a *Allocator) lengthOf(m *claim) int {
	if m.ask.Address.IsValid() {
		return m.ask.PrefixLength
	}
	if m.entry != nil {
		return m.entry.length
	}
	if home := a.defs.find(m.key).home; home != nil {
		return home.length
	}
	return 0
}

// needsMemory reports whether the database has to be asked first what the account had.
func (a *Allocator) needsMemory(q *ask) bool {
	if q.looked || q.Address.IsValid() || q.Account == "" {
		return false
	}
	if q.Offer > 0 { // it may have been lent one before
		return true
	}
	if e := a.lastOf(q, a.latest); e != nil && !a.lone[q.Account].After(e.released) {
		return false
	}
	return slices.ContainsFunc(q.Pools, func(name string) bool {
		s := a.stocks[name]
		return s != nil && s.def.sticky
	})
}

// choose decides what comes next for an ask. Without the database only private addresses come into question.
func (a *Allocator) choose(q *ask, now time.Time) move {
	if q.Address.IsValid() {
		return a.chooseExact(q, now)
	}
	for _, name := range q.Pools {
		if a.stocks[name] == nil {
			return move{err: &pool.UnknownPoolError{Name: name}}
		}
	}
	if !a.usable(now) {
		return move{}
	}
	if c := a.chooseOwn(q); c != nil {
		return move{claim: c}
	}
	const sticky = "sticky: the last address of the account"
	own := a.lastOf(q, now)
	for len(q.remembered) > 0 {
		last := len(q.remembered) - 1
		c := q.remembered[last]
		if own != nil && !c.released.After(own.released) {
			break
		}
		q.remembered = q.remembered[:last]
		e := a.entries[c.key]
		if e == nil && a.blockOf(c.key) != nil || e != nil && (e.state == held || e.state == claiming || e.static != "") {
			continue // it has changed hands meanwhile
		}
		return move{claim: &claim{ask: q, key: c.key, entry: e, forced: true, sticky: true, why: sticky}}
	}
	if own != nil {
		return a.reach(q, own, sticky, true)
	}
	for q.stage < len(q.Pools) {
		if m := a.chooseFree(q, a.stocks[q.Pools[q.stage]], now); m != (move{}) {
			return m
		}
		q.stage++
	}
	return move{}
}

// chooseOwn claims what the holder was lent before, once.
func (a *Allocator) chooseOwn(q *ask) *claim {
	c := q.has
	if q.has = nil; c == nil {
		return nil
	}
	e := a.entries[c.key]
	m := &claim{ask: q, key: c.key, mine: true, why: "the session asks again and has this address"}
	switch {
	case e == nil && a.blockOf(c.key) == nil:
		return m
	case e == nil, e.state == held, e.state == claiming, !e.common:
		return nil // it has changed hands meanwhile
	}
	m.entry = e
	a.unshelve(e)
	e.state = claiming
	return m
}

// chooseFree decides which free address of a pool to give. Common ones go first while the reserve of fresh ones is low.
func (a *Allocator) chooseFree(q *ask, s *stock, now time.Time) move {
	why := s.why(q.stage)
	s.used = true
	if e := s.private.ripe(now); e != nil {
		return move{entry: e, why: why}
	}
	if s.fresh <= s.lowest && a.up {
		if e := s.common.ripe(now); e != nil {
			return a.reach(q, e, why, false)
		}
	}
	if address, b := s.pop(); b != nil {
		return move{entry: a.enter(key{b.context, address}, b), why: why}
	}
	switch {
	case !a.up || len(s.def.spans) == 0:
		return move{}
	case s.size > 0 && !s.dry:
		return move{want: s}
	}
	return move{steal: s}
}

func (s *stock) why(position int) string {
	why := "free address of pool " + s.def.name
	if position == 0 {
		return why
	}
	return why + ", pool " + strconv.Itoa(position+1) + " of the list: the ones before it are full"
}

// chooseExact decides about a request that names its address.
func (a *Allocator) chooseExact(q *ask, now time.Time) move {
	for _, routing := range a.defs.contexts() {
		// A repeated request must find its lease, in whichever context it was given.
		e := a.entries[key{routing, q.Address}]
		if e != nil && e.state == held && e.length == q.PrefixLength && e.lease.Holder == q.Holder && (q.keep || e.lease.Account == q.Account) {
			return move{lease: &e.lease}
		}
	}
	k := key{a.contextFor(q), q.Address}
	if d := a.defs.unfit(k, q.PrefixLength); d != nil && !q.keep {
		return move{err: &pool.MismatchError{Prefix: pool.PrefixOf(q.Address, q.PrefixLength), Pool: d.name, Length: d.length}}
	}
	e, b := a.entries[k], a.blockOf(k)
	switch {
	case e != nil && e.static != "" && e.static != q.Account && !q.keep:
		return move{err: &pool.ReservedError{Address: q.Address, Account: e.static}}
	case e != nil && e.state == held:
		return move{err: &pool.InUseError{Address: q.Address, Holder: e.lease.Holder}}
	case q.refused != nil:
		return move{err: q.refused}
	case q.keep && b == nil && !q.absent:
		return move{claim: &claim{ask: q, key: k, forced: true, why: "the session says that it has it"}}
	case b == nil || !a.usable(now) || q.absent:
		return move{exact: a.up}
	}
	if e == nil {
		a.wear(b, k)
		e = a.enter(k, b)
	}
	why := "the address that was asked for"
	if e.static != "" && e.static == q.Account {
		why = "static address of the account"
	}
	return a.reach(q, e, why, true)
}

// contextFor is the routing context that an exact address is looked for in. The database knows static addresses better;
// see exactly.
func (a *Allocator) contextFor(q *ask) string {
	for _, routing := range a.defs.contexts() {
		if e := a.entries[key{routing, q.Address}]; e != nil && e.static != "" && e.static == q.Account {
			return routing
		}
	}
	for _, name := range q.Pools {
		if d := a.defs.named[name]; d != nil {
			return d.context
		}
	}
	if q.keep {
		for _, routing := range a.defs.contexts() {
			if a.defs.find(key{routing, q.Address}).home != nil {
				return routing
			}
		}
	}
	return "default"
}

// reach gives an entry of ours if it is private, and asks the database for it if not.
func (a *Allocator) reach(q *ask, e *entry, why string, forced bool) move {
	switch {
	case !e.common && e.state == free:
		return move{entry: e, why: why}
	case !a.up || e.state == claiming:
		return move{}
	}
	m := move{before: e.state, claim: &claim{ask: q, key: e.key, entry: e, forced: forced, why: why}}
	a.unshelve(e)
	e.state = claiming
	return m
}

// undo takes back a move that will not be made.
func (a *Allocator) undo(m move) {
	if m.claim == nil || m.claim.entry == nil || m.claim.entry.state != claiming {
		return
	}
	m.claim.entry.state = m.before
	if m.before == away {
		a.aside[m.claim.entry] = true
	} else {
		a.shelve(m.claim.entry)
	}
}

// lastOf returns the address of our blocks that the account released last, if the request may have it.
func (a *Allocator) lastOf(q *ask, now time.Time) *entry {
	var last *entry
	if q.Account == "" {
		return nil
	}
	for _, e := range a.memory[q.Account] {
		if !slices.Contains(q.Pools, e.home.def.name) || e.common && !a.up || e.offer && now.Before(e.released) {
			continue
		}
		if last == nil || e.released.After(last.released) {
			last = e
		}
	}
	return last
}

// enter makes the entry of an address of ours that has none. It is private.
func (a *Allocator) enter(k key, b *block) *entry {
	return a.enterPrefix(k, b, b.length)
}

// enterPrefix is enter for what may lie in no block of ours.
func (a *Allocator) enterPrefix(k key, b *block, length int) *entry {
	e := &entry{key: k, block: b, length: length, home: a.stockFor(k, length)}
	a.entries[k] = e
	return e
}
