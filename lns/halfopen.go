package lns

import (
	"container/list"
	"net/netip"
	"sync"
)

// halfOpen keeps count of tunnels whose peer has not yet shown, by an SCCCN, that it receives what we send. When there are too many
// the oldest gives way: a real peer needs one round trip, a forged one never completes.
type halfOpen struct {
	mu      sync.Mutex // guards all below
	order   list.List  // of *tunnel, oldest first
	sources map[netip.Prefix]int
}

// enter counts a tunnel in. It says false when its source has too many already; else it returns the tunnel that has to give
// way, or nil.
func (h *halfOpen) enter(t *tunnel, limit, perSource int) (evict *tunnel, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	source := sourceOf(t.key.remote.Addr())
	if h.sources[source] >= perSource {
		return nil, false
	}
	if oldest := h.order.Front(); oldest != nil && h.order.Len() >= limit {
		evict = oldest.Value.(*tunnel)
		h.drop(evict)
	}
	if h.sources == nil {
		h.sources = make(map[netip.Prefix]int)
	}
	h.sources[source]++
	t.halfOpen = h.order.PushBack(t)
	return evict, true
}

// leave counts a tunnel out; one that has left already changes nothing.
func (h *halfOpen) leave(t *tunnel) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(t)
}

func (h *halfOpen) drop(t *tunnel) {
	if t.halfOpen == nil {
		return
	}
	h.order.Remove(t.halfOpen)
	t.halfOpen = nil
	source := sourceOf(t.key.remote.Addr())
	if h.sources[source]--; h.sources[source] == 0 {
		delete(h.sources, source)
	}
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
