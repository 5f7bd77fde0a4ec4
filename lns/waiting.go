package lns

import (
	"math/rand/v2"
	"net/netip"
	"sync"
)

// waiting keeps count of what strangers have begun and not yet completed. When there is too much of it, something has to give
// way: not the oldest, because then a flood would always push out whoever is slow, but one picked by chance, and of a few such
// one whose peer has not been heard twice, and then the one whose source has most.
type waiting[T any] struct {
	mu      sync.Mutex // guards all below, and the places
	items   []waiter[T]
	sources map[netip.Prefix]int
}

type waiter[T any] struct {
	item   T
	at     *place
	source netip.Prefix
}

// place is where something waits; its zero value is nowhere.
type place struct {
	index  int
	inside bool
	real   bool // somebody is at the other end: said before it enters
}

// enter counts an item in. It says false when its source has too many already; zero is no limit.
func (w *waiting[T]) enter(item T, at *place, from netip.Addr, perSource int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	source := sourceOf(from)
	if perSource > 0 && w.sources[source] >= perSource {
		return false
	}
	if w.sources == nil {
		w.sources = make(map[netip.Prefix]int)
	}
	w.sources[source]++
	at.index, at.inside = len(w.items), true
	w.items = append(w.items, waiter[T]{item, at, source})
	return true
}

// len is how many wait.
func (w *waiting[T]) len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.items)
}

// leave counts an item out; one that has left already changes nothing.
func (w *waiting[T]) leave(at *place) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.remove(at)
}

func (w *waiting[T]) remove(at *place) {
	if !at.inside {
		return
	}
	at.inside = false
	source := w.items[at.index].source
	if w.sources[source]--; w.sources[source] == 0 {
		delete(w.sources, source)
	}
	last := len(w.items) - 1
	w.items[at.index] = w.items[last]
	w.items[at.index].at.index = at.index
	w.items[last] = waiter[T]{}
	w.items = w.items[:last]
}

// samples is how many items are looked at to find one that gives way.
const samples = 8

// evict takes one item out to make room, when limit or more wait.
func (w *waiting[T]) evict(limit int) (item T, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.items) == 0 || len(w.items) < limit {
		return item, false
	}
	pick := rand.IntN(len(w.items))
	for range samples - 1 {
		if i := rand.IntN(len(w.items)); w.rather(i, pick) {
			pick = i
		}
	}
	item = w.items[pick].item
	w.remove(w.items[pick].at)
	return item, true
}

// rather says that the first of two items gives way rather than the second.
func (w *waiting[T]) rather(i, j int) bool {
	a, b := w.items[i], w.items[j]
	if a.at.real != b.at.real {
		return b.at.real
	}
	return w.sources[a.source] > w.sources[b.source]
}

// sourceOf is what counts as one source: an IPv4 address, or the /64 that one IPv6 host commands.
func sourceOf(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.WithZone("").Prefix(bits)
	return p
}
