package foreign

import (
	"sync"
	"time"
)

// desk is where orders wait that this process has claimed. A NAS that does not answer holds up no other.
type desk struct {
	bell   chan struct{} // there may be orders to claim
	free   chan struct{} // there may be one in hand that can be told now
	atOnce int

	mu    sync.Mutex
	lines map[string]*line // by NAS
	held  int              // claimed and not yet answered
	busy  int              // of those, being told
	tries int              // of those, to a NAS that is away
	more  bool             // there were more to claim than there was room
	next  time.Time        // when an order is due again that was not answered
}

// line are the orders of one NAS.
type line struct {
	waiting []claimed
	busy    int
	there   bool      // it answered the last time
	away    bool      // it did not
	again   time.Time // when one that is away is tried once more
	more    bool      // there may be more orders for it, which were not claimed
}

// isIdle says that there is nothing to tell.
func (l *line) isIdle() bool { return l.busy == 0 && len(l.waiting) == 0 }

// forgetAway is how long after its time has come to be tried again a NAS is known to be away.
const forgetAway = time.Hour

type claimed struct {
	order Order
	nas   string // in whose line it is
	until time.Time
	try   bool // whether the NAS is still away
}

func newDesk(atOnce int) *desk {
	return &desk{bell: make(chan struct{}, 1), free: make(chan struct{}, 1), atOnce: atOnce, lines: map[string]*line{}}
}

// ring has the desk claim what is due.
func (d *desk) ring() { signal(d.bell) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (d *desk) len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.held
}

// full are the NASes for which nothing is to be claimed now: those that are away, and whose line is long. Else they would keep
// the orders of others from being claimed. One that is away and that nothing was told for long is forgotten.
func (d *desk) full(now time.Time) (names []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for nas, l := range d.lines {
		if l.isIdle() && now.Sub(l.again) > forgetAway {
			delete(d.lines, nas)
			continue
		}
		if long := len(l.waiting) >= mostInLine; long || l.away && (l.busy > 0 || now.Before(l.again)) {
			names = append(names, nas)
			l.more = long
		}
	}
	return names
}

// take puts orders into the lines of their NASes. Limit is how many could have been claimed.
func (d *desk) take(orders []Order, until time.Time, limit int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, o := range orders {
		nas := nameOf(&o.Session)
		if d.lines[nas] == nil {
			d.lines[nas] = &line{}
		}
		d.lines[nas].waiting = append(d.lines[nas].waiting, claimed{order: o, nas: nas, until: until})
	}
	d.held += len(orders)
	if d.more = len(orders) >= limit; d.more && d.held < mostClaimed {
		d.ring()
	}
}

// pick returns an order that may be told now. A NAS that is away, or of which nobody knows, is asked one thing at a time, and those
// that are away take a quarter of the turns at most.
func (d *desk) pick() (claimed, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy >= d.atOnce {
		return claimed{}, false
	}
	for _, l := range d.lines {
		most := 1
		if l.there {
			most = mostPerNAS
		}
		if len(l.waiting) == 0 || l.busy >= most || l.away && d.tries >= max(d.atOnce/4, 1) {
			continue
		}
		c := l.waiting[0]
		l.waiting = l.waiting[1:]
		l.busy++
		d.busy++
		if c.try = l.away; c.try {
			d.tries++
		}
		return c, true
	}
	return claimed{}, false
}

// done notes that an order is not in hand any more. Answered is what its NAS did; nil: it was not asked. One that did not answer
// is tried once more at that time. It returns the orders that need not be tried now: the NAS is away.
func (d *desk) done(c claimed, answered *bool, again time.Time) (put []claimed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lines[c.nas]
	l.busy--
	d.busy--
	d.held--
	if c.try {
		d.tries--
	}
	if answered != nil {
		l.there, l.away, l.again = *answered, !*answered, again
	}
	if answered != nil && l.away {
		put, l.waiting = l.waiting, nil
		d.held -= len(put)
	}
	if l.more && len(l.waiting) <= mostInLine/2 {
		l.more = false
		d.ring()
	}
	if l.isIdle() && (answered == nil || !l.away) {
		delete(d.lines, c.nas)
	}
	if signal(d.free); d.more && d.held <= mostClaimed/2 {
		d.ring()
	}
	return put
}

// again notes when an order is due again.
func (d *desk) again(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next = earlier(d.next, at)
	signal(d.free) // who waits does not know of this time
}

// passed forgets when orders are due that are claimed now.
func (d *desk) passed(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.next.After(now) {
		d.next = time.Time{}
	}
}

// room is how many orders may be claimed at a time, and when some are due that this process has put back.
func (d *desk) room() (room int, next time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return min(mostClaimed-d.held, mostAtATime), d.next
}
