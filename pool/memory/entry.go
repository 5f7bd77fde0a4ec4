package memory

import (
	"time"

	"lnsgate/pool"
)

// entry is an address that is leased, or was and is remembered. The allocator's mutex guards it.
type entry struct {
	lease    pool.Lease // as given; after the release it still says who had the address
	leased   bool
	foreign  bool      // while leased: another NAS carries the session
	own      bool      // while leased: a prefix of no pool
	offered  bool      // while leased: nobody has kept it yet; later: and nobody ever did
	turn     int       // on the queue of those that end by themselves
	home     *state    // the pool that the address lies in now, nil if in none
	released time.Time // meaningful while not leased

	in         *list  // the list it is on while not leased
	prev, next *entry // on that list

	before, after *entry // what the same account released in this pool just before and just after this one
}

// give fills in the lease for a new holder.
func (e *entry) give(r pool.Request, now time.Time, why string) {
	e.leased, e.offered = true, false
	e.lease = pool.Lease{
		Address: e.lease.Address,
		Account: r.Account,
		Holder:  r.Holder,
		Since:   now,
		Why:     why,

		PrefixLength: r.PrefixLength,
	}
	if e.home != nil {
		e.lease.Pool, e.lease.PrefixLength = e.home.cfg.Name, e.home.cfg.PrefixLength
	}
}

// list is a queue of released entries, linked through the entries so that any of them can leave it in constant time.
type list struct {
	head, tail *entry
	count      int
}

func (l *list) append(e *entry) {
	e.in, e.prev, e.next = l, l.tail, nil
	if l.tail == nil {
		l.head = e
	} else {
		l.tail.next = e
	}
	l.tail = e
	l.count++
}

func (l *list) remove(e *entry) {
	if e.prev == nil {
		l.head = e.next
	} else {
		e.prev.next = e.next
	}
	if e.next == nil {
		l.tail = e.prev
	} else {
		e.next.prev = e.prev
	}
	e.in, e.prev, e.next = nil, nil, nil
	l.count--
}
