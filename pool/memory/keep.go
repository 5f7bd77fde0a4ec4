package memory

import (
	"container/heap"
	"context"
	"net/netip"
	"slices"
	"time"

	"lnsgate/pool"
)

var _ pool.Keeper = (*Allocator)(nil)

// Keep implements [pool.Keeper].
func (a *Allocator) Keep(ctx context.Context, l pool.Lease, until time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.Holder == "" {
		return pool.ErrNoHolder
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	address := pool.First(l.Address.Unmap(), l.PrefixLength)
	if err := a.takes(address, l); err != nil {
		return err
	}
	e := a.entries[address]
	switch {
	case e == nil:
		e = a.enter(address)
	case !e.leased:
		e.home.forget(e)
	case e.lease.Holder != l.Holder:
		return &pool.InUseError{Address: address, Holder: e.lease.Holder}
	case !e.foreign:
		return nil
	default:
		e.offered = false
		a.lastUntil(e, until)
		return nil
	}
	a.count(e)
	e.give(pool.Request{Account: l.Account, Holder: l.Holder, PrefixLength: l.PrefixLength}, now, "the session says that it has it")
	a.own(e)
	a.adopt(e, until)
	return nil
}

// takes says why a prefix is none that a session can have of a pool. Who names the pool knows.
func (a *Allocator) takes(address netip.Addr, l pool.Lease) error {
	if l.PrefixLength == 0 || l.Pool != "" {
		return nil
	}
	no := &pool.MismatchError{Prefix: pool.PrefixOf(address, l.PrefixLength)}
	if home := a.index.find(address); home != nil {
		no.Pool, no.Length = home.cfg.Name, home.cfg.PrefixLength
	}
	if no.Pool != "" && no.Length == l.PrefixLength {
		return nil
	}
	return no
}

// again returns what the holder of an offer, or of a kept lease, has already of the pools of its request.
func (a *Allocator) again(r pool.Request) *entry {
	for _, e := range a.foreign[r.Holder] {
		if e.lease.Account == r.Account && slices.Contains(r.Pools, e.lease.Pool) {
			return e
		}
	}
	return nil
}

// repeat answers a holder that asks again. An offer lasts longer then.
func (a *Allocator) repeat(e *entry, r pool.Request, now time.Time) pool.Lease {
	if until := now.Add(r.Offer); r.Offer > 0 && e.offered && until.After(e.lease.Expires) {
		a.lastUntil(e, until)
	}
	return e.lease
}

// lend gives the entry away, as an offer if the request says so.
func (a *Allocator) lend(e *entry, r pool.Request, now time.Time, why string) pool.Lease {
	e.give(r, now, why)
	a.own(e)
	if r.Offer > 0 {
		e.offered = true
		a.adopt(e, now.Add(r.Offer))
	}
	return e.lease
}

// adopt notes that another NAS carries the session of a lease.
func (a *Allocator) adopt(e *entry, until time.Time) {
	e.foreign = true
	a.foreign[e.lease.Holder] = append(a.foreign[e.lease.Holder], e)
	a.lastUntil(e, until)
}

// disown ends that, with the lease.
func (a *Allocator) disown(e *entry) {
	if !e.foreign {
		return
	}
	e.foreign = false
	a.lastUntil(e, time.Time{})
	mine := a.foreign[e.lease.Holder]
	if mine = slices.DeleteFunc(mine, func(other *entry) bool { return other == e }); len(mine) == 0 {
		delete(a.foreign, e.lease.Holder)
	} else {
		a.foreign[e.lease.Holder] = mine
	}
}

// lastUntil sets when a lease ends by itself; zero: never.
func (a *Allocator) lastUntil(e *entry, until time.Time) {
	was := !e.lease.Expires.IsZero()
	e.lease.Expires = until
	switch {
	case was && until.IsZero():
		heap.Remove(&a.ending, e.turn)
	case was:
		heap.Fix(&a.ending, e.turn)
	case !until.IsZero():
		heap.Push(&a.ending, e)
	}
}

// expire ends the leases whose time is over, each at its own.
func (a *Allocator) expire(now time.Time) {
	for len(a.ending) > 0 && !now.Before(a.ending[0].lease.Expires) {
		a.end(a.ending[0], a.ending[0].lease.Expires)
	}
}

// queue is a heap of leases, the one that ends first at the top.
type queue []*entry

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].lease.Expires.Before(q[j].lease.Expires) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i]; q[i].turn, q[j].turn = i, j }

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	e := x.(*entry)
	e.turn = len(*q)
	*q = append(*q, e)
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return e
}
