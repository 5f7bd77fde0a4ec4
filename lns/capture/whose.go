package capture

import (
	"slices"

	"lnsgate/lns/l2tp"
)

// whose finds the tunnel and the call that a datagram belongs to, and learns from it which ids belong together. A datagram of no
// call has none; the tunnel is nil when nobody can tell.
func (w *world) whose(p *passed) *tunnel {
	h, payload, err := l2tp.ParseHeader(p.octets)
	if err != nil {
		return nil
	}
	var t *tunnel
	if p.in {
		t = w.sender(p, h, payload)
	} else {
		t = w.receiver(p, h, payload)
	}
	if t == nil {
		return nil
	}
	w.recent.MoveToFront(t.at)
	if h.Control {
		p.call = w.callOfMessage(t, p.in, h.Session, payload)
	} else {
		p.call = w.callOfFrame(t, p.in, h.Session)
	}
	return t
}

// sender finds the tunnel that a peer speaks of: by our id, but that of an SCCRQ, which has none yet.
func (w *world) sender(p *passed, h l2tp.Header, payload []byte) *tunnel {
	peer := p.path.Remote
	if h.Tunnel == 0 {
		_, theirs, ok := l2tp.PeekSCCRQ(payload)
		if !ok || !h.Control {
			return nil
		}
		t := w.theirs[far{peer, theirs}]
		if theirs == 0 {
			t = w.guess(peer, func(t *tunnel) bool { return t.ours == 0 && t.theirs == 0 })
		}
		if t != nil {
			return t
		}
		t = w.enter(peer, 0, theirs)
		t.dialled = true
		return t
	}
	t := w.ours[h.Tunnel]
	switch {
	case t == nil:
		if t = w.guess(peer, func(t *tunnel) bool { return t.ours == 0 }); t != nil {
			w.name(t, h.Tunnel, 0)
			return t
		}
		if l2tp.PeekType(payload) != l2tp.TypeICRQ || !h.Control {
			return nil
		}
		return w.enter(peer, h.Tunnel, 0)
	case t.peer != peer:
		t.elsewhere = peer // it may have moved: what we send will tell
	}
	return t
}

// receiver finds the tunnel of a datagram of ours: by the id of the peer.
func (w *world) receiver(p *passed, h l2tp.Header, payload []byte) *tunnel {
	peer := p.path.Remote
	t := w.theirs[far{peer, h.Tunnel}]
	if t == nil {
		t = w.guess(peer, func(t *tunnel) bool { return t.theirs == 0 })
	}
	if t == nil {
		t = w.moved(p, h)
	}
	if t == nil {
		return nil
	}
	w.name(t, 0, h.Tunnel)
	if h.Control && l2tp.PeekType(payload) == l2tp.TypeSCCRP {
		return w.accepted(t, payload)
	}
	return t
}

// moved finds a tunnel whose peer has spoken from another address lately, the one that we answer to now.
func (w *world) moved(p *passed, h l2tp.Header) *tunnel {
	for e, n := w.recent.Front(), 0; e != nil && n < maxOfPeer; e, n = e.Next(), n+1 {
		if t := e.Value.(*tunnel); t.elsewhere == p.path.Remote && t.theirs == h.Tunnel {
			w.move(t, p.path.Remote)
			return t
		}
	}
	return nil
}

// accepted learns our id from the SCCRP. Another one than before means that the peer was restarted and chose the same id again: this
// is another tunnel, to which the last SCCRQs belong.
func (w *world) accepted(t *tunnel, payload []byte) *tunnel {
	ours, _ := l2tp.PeekAssigned(payload)
	if ours == 0 || t.ours == 0 || t.ours == ours {
		w.name(t, ours, 0)
		return t
	}
	fresh := w.enter(t.peer, ours, t.theirs)
	fresh.dialled = true
	from := len(t.held)
	for from > 0 && t.held[from-1].isRequest() {
		from--
	}
	moving := slices.Clone(t.held[from:])
	w.drop(t, func(i int, _ passed) bool { return i >= from })
	for _, p := range moving {
		w.hold(fresh, p)
	}
	return fresh
}

// isRequest says whether a datagram is an SCCRQ.
func (p *passed) isRequest() bool {
	h, payload, err := l2tp.ParseHeader(p.octets)
	return err == nil && h.Control && p.in && l2tp.PeekType(payload) == l2tp.TypeSCCRQ
}

// callOfMessage finds the call that a control message is about, or nil.
func (w *world) callOfMessage(t *tunnel, in bool, id l2tp.SessionID, payload []byte) *call {
	kind := l2tp.PeekType(payload)
	_, assigned := l2tp.PeekAssigned(payload)
	switch {
	case kind == l2tp.TypeZLB || !kind.OfCall():
		return nil // an acknowledgement is the tunnel's, whatever session stands in it
	case in && kind == l2tp.TypeICRQ:
		if c := t.byTheirs[assigned]; c != nil && !c.over {
			return c // said again
		}
		return w.add(t, 0, assigned)
	case in && id == 0: // a CDN of a peer that has no id of ours
		return t.byTheirs[assigned]
	case in:
		return w.callOfFrame(t, true, id)
	}
	c := w.callOfFrame(t, false, id)
	switch {
	case c == nil || kind != l2tp.TypeICRP || assigned == 0:
	case c.ours != 0 && c.ours != assigned:
		return w.add(t, assigned, id) // the peer has chosen the same id again
	default:
		w.nameCall(t, c, assigned, 0)
	}
	return c
}

// callOfFrame finds the call of a session id: ours in what comes in, the peer's in what goes out.
func (w *world) callOfFrame(t *tunnel, in bool, id l2tp.SessionID) *call {
	if id == 0 {
		return nil
	}
	if in {
		if c := t.byOurs[id]; c != nil {
			return c
		}
		if c := t.only(func(c *call) bool { return c.ours == 0 }); c != nil {
			w.nameCall(t, c, id, 0)
			return c
		}
		return before
	}
	if c := t.byTheirs[id]; c != nil {
		return c
	}
	if c := t.only(func(c *call) bool { return c.theirs == 0 }); c != nil {
		w.nameCall(t, c, 0, id)
		return c
	}
	return before
}
