package tun

import (
	"math/bits"
	"sync/atomic"
)

// table finds sessions by a 32-bit key: our tunnel and session id, or an IPv4 address. Reading takes no lock and no
// allocation; writers take turns under the lock of the data path.
//
// It is a hash table with open addressing and not an array indexed by the ids, because clients that dial in by
// themselves have a tunnel each: an array per tunnel would cost kilobytes for a single session, an entry here costs some
// 40 octets. Keys are chosen by us, so nobody can pile them up. An entry never moves within its slots: when they fill
// up, new ones are made and readers of the old ones still find everything that was there.
type table struct {
	slots atomic.Pointer[slots]
	// live counts entries, used also those that were removed and still take a slot.
	live, used int
}

type slots struct {
	shift   uint8
	entries []atomic.Pointer[entry]
}

type entry struct {
	key     uint32
	session *session
}

// removed takes the place of an entry that has been taken out, so that a search goes on behind it.
var removed = new(entry)

const smallestTable = 64

// get finds the session of a key, or nil.
func (t *table) get(key uint32) *session {
	s := t.slots.Load()
	if s == nil {
		return nil
	}
	for i := s.start(key); ; i = s.next(i) {
		e := s.entries[i].Load()
		if e == nil {
			return nil
		}
		if e.key == key && e.session != nil {
			return e.session
		}
	}
}

// insert adds a key that is not there yet.
func (t *table) insert(key uint32, session *session) {
	s := t.slots.Load()
	if s == nil || 2*(t.used+1) > len(s.entries) {
		s = t.rebuild()
	}
	s.put(&entry{key, session})
	t.live++
	t.used++
}

// remove takes a key out. One that is not there is left so.
func (t *table) remove(key uint32) {
	s := t.slots.Load()
	if s == nil {
		return
	}
	for i := s.start(key); ; i = s.next(i) {
		e := s.entries[i].Load()
		if e == nil {
			return
		}
		if e.key == key && e.session != nil {
			s.entries[i].Store(removed)
			t.live--
			return
		}
	}
}

// each calls f for every session.
func (t *table) each(f func(*session)) {
	s := t.slots.Load()
	if s == nil {
		return
	}
	for i := range s.entries {
		if e := s.entries[i].Load(); e != nil && e.session != nil {
			f(e.session)
		}
	}
}

// rebuild makes slots for twice the entries that are there, with half of them free, and puts the entries in.
func (t *table) rebuild() *slots {
	size := smallestTable
	for size < 4*(t.live+1) {
		size *= 2
	}
	fresh := &slots{shift: uint8(32 - bits.TrailingZeros(uint(size))), entries: make([]atomic.Pointer[entry], size)}
	if old := t.slots.Load(); old != nil {
		for i := range old.entries {
			if e := old.entries[i].Load(); e != nil && e.session != nil {
				fresh.put(e)
			}
		}
	}
	t.used = t.live
	t.slots.Store(fresh)
	return fresh
}

func (s *slots) put(e *entry) {
	i := s.start(e.key)
	for s.entries[i].Load() != nil {
		i = s.next(i)
	}
	s.entries[i].Store(e)
}

// start is where the search for a key begins: the golden ratio spreads neighbours far apart.
func (s *slots) start(key uint32) uint32 { return key * 0x9E3779B1 >> s.shift }

func (s *slots) next(i uint32) uint32 { return (i + 1) & uint32(len(s.entries)-1) }
