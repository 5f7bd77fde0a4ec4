package negotiate

import (
	"time"

	"lnsgate/lns/ppp"
)

func (i *IPv6CP) protocol() ppp.Protocol { return ppp.IPv6CP }

func (i *IPv6CP) timing() *Timing { return &i.cfg.Timing }

func (i *IPv6CP) limit() int {
	if i.cfg.PeerMRU == 0 {
		return ppp.DefaultMRU
	}
	return max(int(i.cfg.PeerMRU), ppp.MinimumMRU)
}

func (i *IPv6CP) reset() {
	i.local, i.peer, i.asking = i.cfg.Local, InterfaceID{}, true
}

func (i *IPv6CP) appendRequest(b []byte) []byte {
	if i.asking {
		b = ppp.AppendInterfaceID(b, i.local)
	}
	return b
}

// naked takes the identifier that the peer would rather see, as RFC 5072 section 4.1 wants it. Zero is no suggestion, and
// ours come back is that of a link that ends in itself: the identifier stays, and the negotiation does not converge.
func (i *IPv6CP) naked(list ppp.Options, _ time.Time) (Reason, bool) {
	for o := range list.All() {
		if id, ok := o.InterfaceID(); ok && o.Type == ppp.IPv6CPInterfaceID && InterfaceID(id) != (InterfaceID{}) && id != i.right() {
			i.local = id
		}
	}
	return ReasonNone, true
}

// rejected leaves the identifier out of our request when the peer wants none. It stays ours all the same.
func (i *IPv6CP) rejected(list ppp.Options) (Reason, bool) {
	var room [requestRoom]byte
	asked := ppp.Options(i.appendRequest(room[:0]))
	for o := range list.All() {
		if !asked.Contains(o) {
			return ReasonNone, false
		}
	}
	for o := range list.All() {
		i.asking = i.asking && o.Type != ppp.IPv6CPInterfaceID
	}
	return ReasonNone, true
}

// weigh judges the identifier that the peer names for itself. Both at zero have nothing to tell each other, which is the
// one case in which it is rejected (RFC 5072 section 4.1).
func (i *IPv6CP) weigh(o ppp.Option) verdict {
	if o.Type != ppp.IPv6CPInterfaceID {
		return unwanted
	}
	asked, ok := o.InterfaceID()
	id := InterfaceID(asked)
	switch {
	case id == InterfaceID{} && i.right() == InterfaceID{}:
		return unwanted
	case !ok, id == InterfaceID{}, id == i.local:
		return wrongValue
	case i.cfg.Assign != InterfaceID{} && id != i.right():
		return wrongValue
	}
	return acceptable
}

// right is the identifier that a peer is told that has no usable one; zero if we have none to give.
func (i *IPv6CP) right() InterfaceID {
	id := i.cfg.Suggest
	if i.cfg.Assign != (InterfaceID{}) {
		id = i.cfg.Assign
	}
	if id == i.local && id != (InterfaceID{}) { // never ours: RFC 5072 section 4.1 asks for another one
		id[len(id)-1] ^= 1
		if id == (InterfaceID{}) {
			id[len(id)-1] = 2
		}
	}
	return id
}

func (i *IPv6CP) appendNak(b []byte, _ ppp.Option) []byte {
	return ppp.AppendInterfaceID(b, i.right())
}

// appendMissing proposes an identifier to a peer that names none. If it goes on naming none, it is let through.
func (i *IPv6CP) appendMissing(b []byte, list ppp.Options) []byte {
	if i.right() == (InterfaceID{}) {
		return b
	}
	for o := range list.All() {
		if o.Type == ppp.IPv6CPInterfaceID {
			return b
		}
	}
	return ppp.AppendInterfaceID(b, i.right())
}

func (i *IPv6CP) rejectable(optionType uint8) bool { return optionType != ppp.IPv6CPInterfaceID }

func (i *IPv6CP) commit(list ppp.Options) {
	i.peer = InterfaceID{}
	for o := range list.All() {
		if id, ok := o.InterfaceID(); ok && o.Type == ppp.IPv6CPInterfaceID {
			i.peer = id
		}
	}
}

func (i *IPv6CP) opened(time.Time) {}

func (i *IPv6CP) extra(ppp.Packet, time.Time, *Out) bool { return false }

func (i *IPv6CP) codeRejected(ppp.Code) bool { return true }

func (i *IPv6CP) echo(ppp.Packet, time.Time, *Out) {}
