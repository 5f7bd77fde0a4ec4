package lns

import (
	"container/list"
	"net/netip"
	"sync"
)

// waiting keeps count of what strangers have begun and not yet completed, in the order in which it began. When there is too
// much of it the oldest gives way: a real peer needs a few round trips, a forged or idle one never gets on.
type waiting[T any] struct {
	mu      sync.Mutex // guards all below, and the places
	order   list.List  // of T, oldest first
	sources map[netip.Prefix]int
}

// place is where something waits; its zero value is nowhere.
type place struct {
	element *list.Element
	source  netip.Prefix
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
	at.element, at.source = w.order.PushBack(item), source
	return true
}

// leave counts an item out; one that has left already changes nothing.
func (w *waiting[T]) leave(at *place) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if at.element == nil {
		return
	}
	w.order.Remove(at.element)
	at.element = nil
	if w.sources[at.source]--; w.sources[at.source] == 0 {
		delete(w.sources, at.source)
	}
}

// oldest returns the item that has waited longest, when limit or more wait. It is the caller's to make it leave.
func (w *waiting[T]) oldest(limit int) (item T, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	front := w.order.Front()
	if front == nil || w.order.Len() < limit {
		return item, false
	}
	return front.Value.(T), true
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
