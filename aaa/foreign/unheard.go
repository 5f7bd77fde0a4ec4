package foreign

import (
	"hash/maphash"
	"slices"
	"time"

	"lnsgate/aaa"
	"lnsgate/pool"
)

// Logins that were told yes, have an address out of a pool, and whose Start has not come yet, at most.
const (
	mostOfLine = 4  // of one account on one line of a NAS
	mostAtNAS  = 32 // of one account at one NAS
	// startWithin is in what time a Start comes if the NAS has heard the answer. Younger offers count only when there are mostYoung
	// times as many: an account that many people share may log in with all of them at once.
	startWithin = 10 * time.Second
	mostYoung   = 8
)

// A NAS that does not hear our answers (a path that loses them, a secret that is wrong on the way back) lets its users try again and
// again, and each try takes an address until nobody waits for its Start: a few users would empty a pool.
//
// The next try does not get the address of the one before. No attribute tells a NAS that has heard nothing from one that has,
// and whose Start is late, while somebody else of the same account logs in: NAS-Port may be the same for all, and so may
// Calling-Station-Id behind a router. Two sessions would have one address. (One who asks again by the same Acct-Session-Id is the same
// session: radiusserver gives it the same name, and it keeps what it has.) So the tries are counted, here and not over all nodes,
// and what is too much is refused until the first address is free again.

// origin is from where an account logs in, as far as its NAS says so.
type origin struct {
	nas, account, calling, portID string
	port                          uint32
}

// unheardSigns are the hashes by which the offers of an entry are counted: those of its line, where it has one, and all at its NAS.
func (b *book) unheardSigns(e *entry) [2]uint64 {
	all := origin{nas: e.nas.Name, account: e.account}
	own := all
	if own.calling = e.calling; own.calling == "" {
		own.port, own.portID = e.nas.Port, e.nas.PortID
	}
	if own == all {
		return [2]uint64{0, maphash.Comparable(b.seed, all)}
	}
	return [2]uint64{maphash.Comparable(b.seed, own), maphash.Comparable(b.seed, all)}
}

// unheardOf is the same of an entry that has an offer.
func (b *book) unheardOf(e *entry) [2]uint64 {
	drawn := e.leases
	if e.own[four] {
		drawn[four] = pool.Lease{}
	}
	if !drawn.any() {
		return [2]uint64{}
	}
	return b.unheardSigns(e)
}

// offers are those with one sign, by when nobody waits for their Starts any more, since the book was begun. The oldest is the first.
type offers []time.Duration

// count adds an offer.
func (b *book) count(signs [2]uint64, until time.Duration) {
	for _, sign := range signs {
		if sign != 0 {
			all := b.unheard[sign]
			at, _ := slices.BinarySearch(all, until+1)
			b.unheard[sign] = slices.Insert(all, at, until)
		}
	}
}

// discount takes one away again.
func (b *book) discount(signs [2]uint64, until time.Duration) {
	for _, sign := range signs {
		all := b.unheard[sign]
		if at, there := slices.BinarySearch(all, until); there {
			b.unheard[sign] = slices.Delete(all, at, at+1)
		}
		if len(b.unheard[sign]) == 0 {
			delete(b.unheard, sign)
		}
	}
}

// before is how many end before then.
func (o offers) before(until time.Duration) int {
	n, _ := slices.BinarySearch(o, until)
	return n
}

// reserve counts the offer that a login is about to get. The function takes it back, when the login has it or has failed:
// what it has counts once it is in the book, so that a few more may get in between.
func (s *Sessions) reserve(e *entry, d *aaa.Decision) (func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	signs, until := s.book.unheardSigns(e), e.until.Sub(s.book.begun)
	for i, most := range [...]int{mostOfLine, mostAtNAS} {
		if all := s.book.unheard[signs[i]]; all.before(until-startWithin) >= most || len(all) >= mostYoung*most {
			no := aaa.Reject(aaa.NoAddress, "%d addresses are offered to %q %s of NAS %q, and no Start has come so far: the NAS does not seem to hear "+
				"our answers (see to the way back to it, and to its secret), or sends no records; an address that was offered is free after %s",
				len(all), e.account, [...]string{"on one line", "on all lines"}[i], e.nas.Name, s.config.Offer)
			no.Domain, no.Rule, no.Backend = d.Domain, d.Rule, d.Backend
			return nil, no
		}
	}
	s.book.count(signs, until)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.book.discount(signs, until)
	}, nil
}
