package admin

import (
	"net/netip"
	"sync"
	"time"
)

// What one source may guess: so many at once, and one more each time this has passed. Those of IPv6 share a /64.
const (
	guessBurst = 10
	guessPause = 10 * time.Second
	maxSources = 4096
)

// budgets count what each source, or each operator, has guessed. The zero value is ready. It is safe for concurrent use.
type budgets[K comparable] struct {
	mu    sync.Mutex
	spent map[K]time.Time // until when the guesses so far count: guessPause for each
}

func sourceOf(from netip.Addr) netip.Prefix {
	bits := from.BitLen()
	if from.Is6() {
		bits = 64
	}
	p, _ := from.Prefix(bits) // of an invalid address: invalid, which is one source too
	return p
}

// spend takes one guess of the source, and says how long it has to wait when it has none left.
func (b *budgets[K]) spend(source K, now time.Time) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	until, known := b.spent[source]
	if !known && len(b.spent) >= maxSources {
		b.forget(now)
	}
	if until.Before(now) {
		until = now
	}
	if wait = until.Add(guessPause).Sub(now) - guessBurst*guessPause; wait > 0 {
		return wait
	}
	if b.spent == nil {
		b.spent = make(map[K]time.Time)
	}
	b.spent[source] = until.Add(guessPause)
	return 0
}

// refund gives back what was no guess.
func (b *budgets[K]) refund(source K, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until := b.spent[source].Add(-guessPause); until.After(now) {
		b.spent[source] = until
	} else {
		delete(b.spent, source)
	}
}

// forget makes room: those whose guesses count no more go, or else the one who has guessed least.
func (b *budgets[K]) forget(now time.Time) {
	var least K
	for source, until := range b.spent {
		if !until.After(now) {
			delete(b.spent, source)
		} else if was, known := b.spent[least]; !known || until.Before(was) {
			least = source
		}
	}
	if len(b.spent) >= maxSources {
		delete(b.spent, least)
	}
}
