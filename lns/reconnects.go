package lns

import (
	"sync"
	"time"
)

// Bounds of what is remembered of logins.
const (
	reconnectSlot     = 10 * time.Minute
	reconnectSlots    = 6 // an hour
	maxReconnectNames = 1 << 17
)

// reconnects counts the logins of each account within the last hour, in slots of ten minutes: a line that drops shows by it. It is
// bounded: while too many accounts log in, new ones are not counted. It is safe for concurrent use; the zero value is empty.
type reconnects struct {
	mu    sync.Mutex // guards all
	names map[string]*recentLogins
	swept int64 // the slot in which all were gone through last
}

// recentLogins are those of one account.
type recentLogins struct {
	slot   int64 // the number of the latest slot
	counts [reconnectSlots]uint16
}

// add counts a login.
func (r *reconnects) add(account string, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.names[account]
	if of == nil {
		if len(r.names) >= maxReconnectNames && !r.sweep(now) {
			return
		}
		if r.names == nil {
			r.names = make(map[string]*recentLogins)
		}
		of = &recentLogins{slot: slotOf(now)}
		r.names[account] = of
	}
	of.turn(slotOf(now))
	if n := &of.counts[of.slot%reconnectSlots]; *n < 1<<16-1 {
		*n++
	}
}

// count returns how often the account has logged in within the last hour.
func (r *reconnects) count(account string, now time.Time) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.names[account]
	if of == nil {
		return 0
	}
	of.turn(slotOf(now))
	all := 0
	for _, n := range of.counts {
		all += int(n)
	}
	return all
}

// sweep forgets accounts without a login in the last hour. It says whether there were any. It goes through all, so it does that at
// most once in a slot.
func (r *reconnects) sweep(now time.Time) bool {
	before := len(r.names)
	if r.swept == slotOf(now) {
		return false
	}
	r.swept = slotOf(now)
	for name, of := range r.names {
		if slotOf(now)-of.slot >= reconnectSlots {
			delete(r.names, name)
		}
	}
	return len(r.names) < before
}

// turn empties the slots that have begun since.
func (of *recentLogins) turn(to int64) {
	for of.slot < to && to-of.slot <= reconnectSlots {
		of.slot++
		of.counts[of.slot%reconnectSlots] = 0
	}
	if of.slot < to {
		*of = recentLogins{slot: to}
	}
}

func slotOf(now time.Time) int64 { return now.Unix() / int64(reconnectSlot/time.Second) }
