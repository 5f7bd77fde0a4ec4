package foreign

import (
	"hash/maphash"
	"net/netip"
)

// place is from where somebody logs in. While a login waits for its Start, the next one from there is the same one again.
type place struct {
	nas, name, portID, calling string
	port                       uint32
}

// place says from where a login came.
func (e *entry) place() place {
	return place{e.nas.Name, e.name, e.nas.PortID, e.calling, e.nas.Port}
}

// nasSession is a session as its NAS names it.
type nasSession struct{ nas, id string }

// A sign is what a login is found by, besides its name, as a hash: the few that are equal by chance are told apart by reading
// the card. Zero is none.

// placeSign is that of the place, if the NAS said so much that it is one.
func (b *book) placeSign(e *entry) uint64 {
	p := e.place()
	if p.port == 0 && p.portID == "" && p.calling == "" {
		return 0
	}
	return maphash.Comparable(b.seed, p)
}

// nasSign is that of the name that a NAS has for its session.
func (b *book) nasSign(nas, id string) uint64 {
	if id == "" {
		return 0
	}
	return maphash.Comparable(b.seed, nasSession{nas, id})
}

// addressSign is that of an address.
func (b *book) addressSign(a netip.Addr) uint64 {
	if !a.IsValid() {
		return 0
	}
	return maphash.Comparable(b.seed, a)
}
