package postgres

import (
	"container/heap"
	"time"

	"lnsgate/pool"
)

// state says where an entry is.
type state int

const (
	free     state = iota // not held; in a heap of its pool unless it is static or may not be given away now
	held                  // a session has it
	claiming              // the database is being asked for it
	away                  // its row says that another node has it
	leaving               // released, in no block of ours; forgotten as soon as that is written
)

// entry is an address that is, or was, in use: every address this node holds, and those of its blocks that have a row
// or soon will. The allocator's mutex guards it.
type entry struct {
	key
	state  state
	common bool // the database may say that it is free: others may have it
	dirty  bool // its row has to be written
	bound  bool // its row says that it is this node's, whoever holds it: nobody else takes it while leases live
	row    bool // it has a row, or may have one
	length int  // of the prefix; 0: it is an address
	block  *block
	home   *stock // the pool that it may be given from; nil: none
	static string // the account that it is reserved for

	lease    pool.Lease // while held
	account  string     // who had it last
	released time.Time
	offer    bool      // while free: it is offered until released, and needs no quarantine after that
	freeAt   time.Time // the end of the quarantine

	in *line
	at int // where in that line
}

// line is a queue of free entries, the one that is free longest first.
type line []*entry

func (l line) Len() int           { return len(l) }
func (l line) Less(i, j int) bool { return l[i].freeAt.Before(l[j].freeAt) }
func (l line) Swap(i, j int)      { l[i], l[j] = l[j], l[i]; l[i].at, l[j].at = i, j }

// Push implements heap.Interface.
func (l *line) Push(x any) {
	e := x.(*entry)
	e.in, e.at = l, len(*l)
	*l = append(*l, e)
}

// Pop implements heap.Interface.
func (l *line) Pop() any {
	last := len(*l) - 1
	e := (*l)[last]
	(*l)[last] = nil
	*l = (*l)[:last]
	e.in = nil
	return e
}

// ripe returns the entry that is free longest, nil if the quarantine of all lasts.
func (l line) ripe(now time.Time) *entry {
	if len(l) == 0 || now.Before(l[0].freeAt) {
		return nil
	}
	return l[0]
}

// shelve puts a free entry where it will be found again.
func (a *Allocator) shelve(e *entry) {
	if e.block == nil || e.home == nil || e.static != "" || e.in != nil {
		return
	}
	if e.freeAt = e.released; !e.offer {
		e.freeAt = e.released.Add(e.home.def.quarantine)
	}
	line := &e.home.private
	if e.common {
		line = &e.home.common
	}
	heap.Push(line, e)
	if e.home.def.sticky && e.account != "" {
		a.memory[e.account] = append(a.memory[e.account], e)
	}
}

// unshelve takes it out of there.
func (a *Allocator) unshelve(e *entry) {
	if e.in == nil {
		return
	}
	heap.Remove(e.in, e.at)
	remembered := a.memory[e.account]
	for i, other := range remembered {
		if other != e {
			continue
		}
		last := len(remembered) - 1
		remembered[i], remembered[last] = remembered[last], nil
		if last == 0 {
			delete(a.memory, e.account)
		} else {
			a.memory[e.account] = remembered[:last]
		}
		break
	}
}

// mark notes that the row of the entry has to be written.
func (a *Allocator) mark(e *entry) {
	if e.dirty {
		return
	}
	e.dirty = true
	a.dirty = append(a.dirty, e)
	if len(a.dirty) == 1 {
		a.rouse()
	}
}

// give makes the entry the holder's.
func (a *Allocator) give(e *entry, r pool.Request, now time.Time, why string) pool.Lease {
	a.unshelve(e)
	if e.block != nil && e.state != held {
		e.block.held++
	}
	e.state, e.account, e.offer = held, r.Account, false
	e.lease = pool.Lease{Address: e.address, Account: r.Account, Holder: r.Holder, Since: now, Why: why, PrefixLength: e.length}
	if home := a.stockFor(e.key, e.length); home != nil {
		e.lease.Pool = home.def.name
	}
	a.version++
	return e.lease
}

// takeBack ends the lease of a held entry.
func (a *Allocator) takeBack(e *entry, now time.Time) {
	e.released = now
	if e.block == nil {
		e.state = leaving
		a.noteLone(e.account, now)
	} else {
		e.state = free
		e.block.held--
	}
	if e.static != "" || e.lease.Pool == "" {
		e.account, e.released = "", time.Time{}
	}
	a.shelve(e)
	a.version++
	a.mark(e)
}

// maxLone bounds the accounts of which it is known that the database remembers a later address than this node.
const maxLone = 65536

// noteLone notes when an account released, or will release, an address of which only the database remembers which it was: it
// lies in no block of ours, or another node may have ended the lease.
func (a *Allocator) noteLone(account string, now time.Time) {
	if account == "" || !now.After(a.lone[account]) {
		return
	}
	if len(a.lone) >= maxLone {
		for other := range a.lone {
			delete(a.lone, other)
			break
		}
	}
	a.lone[account] = now
}

// forget drops an entry altogether.
func (a *Allocator) forget(e *entry) {
	a.unshelve(e)
	if e.state == held && e.block != nil {
		e.block.held--
	}
	if a.entries[e.key] == e {
		delete(a.entries, e.key)
	}
	e.block, e.home = nil, nil
	a.version++
}
