package capture

import (
	"lnsgate/lns/l2tp"
	"lnsgate/lns/trace"
)

// line is what a capture writes of a tunnel; it is made when there is none. The caller holds the lock.
func (h *Hub) line(c *Capture, t *tunnel) *line {
	if l := t.lines[c]; l != nil {
		return l
	}
	l := &line{capture: c, tunnel: t, whole: c.filter.byPeer(), calls: make(map[*call]*trace.Event)}
	if l.whole {
		l.news = append(l.news, "peer "+t.peer.String())
	}
	if t.lines == nil {
		t.lines = make(map[*Capture]*line)
	}
	t.lines[c] = l
	c.lines[l] = struct{}{}
	h.world.grow(t, costLine)
	return l
}

// open takes an attempt into a capture.
func (h *Hub) open(c *Capture, t *tunnel, s *call, e *trace.Event) {
	l := h.line(c, t)
	l.open(s, e)
	if c.options.Data != NoData && !c.over {
		h.flows.add(l, s)
	}
}

// hear takes an event: whoever wants the attempt that it tells of gets what is held of it, and nobody else does.
func (h *Hub) hear(e *trace.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.world
	if w == nil {
		return
	}
	t, s := w.about(e)
	if t == nil {
		return
	}
	over := e.Kind == trace.AttemptFailed || e.Kind == trace.SessionClosed
	awaited := false
	for _, c := range h.captures {
		l := t.lines[c]
		known := l != nil && l.calls[s] != nil
		switch {
		case known:
			l.tell(s, e)
		case c.filter.judge(e) == yes:
			h.open(c, t, s, e)
		case c.filter.judge(e) == notYet:
			awaited = true
		}
		if l = t.lines[c]; over && l != nil && l.calls[s] != nil {
			l.end(s, e)
		}
	}
	w.decided(t, s, over, awaited)
	if over {
		h.flows.remove(s)
	}
}

// decided lets go what nobody waits for.
func (w *world) decided(t *tunnel, s *call, over, awaited bool) {
	if !awaited {
		w.settle(t, s)
	}
	switch {
	case over && s == nil:
		t.dialled = false
		w.drop(t, func(int, passed) bool { return true })
	case over && len(t.lines) == 0:
		w.remove(t, s)
	case over:
		s.over = true
	}
}

// about finds what an event tells of. The call is nil when there never was one, the tunnel when it is not known.
func (w *world) about(e *trace.Event) (*tunnel, *call) {
	t := w.ours[l2tp.TunnelID(e.Tunnel)]
	if t == nil {
		t = w.guess(e.Peer, func(t *tunnel) bool { return t.ours == 0 })
	}
	if t == nil || t.peer.Addr() != e.Peer.Addr() && t.elsewhere.Addr() != e.Peer.Addr() {
		return nil, nil
	}
	w.name(t, l2tp.TunnelID(e.Tunnel), 0)
	if e.Session == "" {
		return t, nil
	}
	id := session(e.Session)
	s := t.byOurs[id]
	if s == nil {
		if s = t.only(func(c *call) bool { return c.ours == 0 }); s == nil {
			return nil, nil
		}
		w.nameCall(t, s, id, 0)
	}
	return t, s
}
