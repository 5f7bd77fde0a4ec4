package tun

import (
	"net/netip"
	"sync/atomic"

	"github.com/gaissmai/bart"
)

// routeTable finds sessions by the longest prefix behind their peers. Readers take whole tables that never change;
// writers take turns.
type routeTable struct {
	current atomic.Pointer[bart.Table[*session]]
}

func (r *routeTable) lookup(address uint32) *session {
	t := r.current.Load()
	if t == nil {
		return nil
	}
	s, _ := t.Lookup(netip.AddrFrom4([4]byte{byte(address >> 24), byte(address >> 16), byte(address >> 8), byte(address)}))
	return s
}

// lookup6 is lookup for IPv6.
func (r *routeTable) lookup6(address netip.Addr) *session {
	t := r.current.Load()
	if t == nil {
		return nil
	}
	s, _ := t.Lookup(address)
	return s
}

func (r *routeTable) exactly(prefix netip.Prefix) *session {
	t := r.current.Load()
	if t == nil {
		return nil
	}
	s, _ := t.Get(prefix)
	return s
}

func (r *routeTable) insert(s *session) {
	t := r.current.Load()
	for _, routes := range [][]netip.Prefix{s.routes, s.six} {
		for _, route := range routes {
			if t == nil {
				t = new(bart.Table[*session])
			}
			t = t.InsertPersist(route, s)
		}
	}
	r.current.Store(t)
}

func (r *routeTable) remove(s *session) {
	t := r.current.Load()
	for _, routes := range [][]netip.Prefix{s.routes, s.six} {
		for _, route := range routes {
			t = t.DeletePersist(route)
		}
	}
	r.current.Store(t)
}
