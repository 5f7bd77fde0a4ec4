package capture

import (
	"net/netip"
	"sync"
	"time"

	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/ppp"
)

// Receiver takes datagrams as package transport hands them out.
type Receiver interface {
	Datagram(from datapath.Path, b []byte)
	Flush()
}

// Receiver is one that shows the hub what comes in, and hands it on.
func (h *Hub) Receiver(next Receiver) Receiver { return &ear{h, next} }

type ear struct {
	hub  *Hub
	next Receiver
}

func (e *ear) Datagram(from datapath.Path, b []byte) {
	if e.hub.armed.Load() {
		e.hub.pass(from, b, true)
	}
	e.next.Datagram(from, b)
}

func (e *ear) Flush() { e.next.Flush() }

// Sender is one that shows the hub what goes out, and hands it on.
func (h *Hub) Sender(next datapath.Sender) datapath.Sender { return &mouth{h, next} }

type mouth struct {
	hub  *Hub
	next datapath.Sender
}

func (m *mouth) Send(p datapath.Path, b []byte) error {
	if m.hub.armed.Load() {
		m.hub.pass(p, b, false)
	}
	return m.next.Send(p, b)
}

func (m *mouth) SendBatch(p datapath.Path, datagrams [][]byte) error {
	if m.hub.armed.Load() {
		for _, b := range datagrams {
			m.hub.pass(p, b, false)
		}
	}
	return m.next.SendBatch(p, datagrams)
}

// pass looks at a datagram that passes while a capture is armed.
func (h *Hub) pass(path datapath.Path, b []byte, in bool) {
	header, payload, err := l2tp.ParseHeader(b)
	if err == nil && !header.Control {
		if protocol, _, err := ppp.ParseFrame(payload); err == nil && userData(protocol) {
			h.passData(path, b, header, in)
			return
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.world
	if w == nil {
		return
	}
	p := passed{at: time.Now(), in: in, path: path, octets: b}
	t := w.whose(&p)
	hungry := false
	for _, c := range h.captures {
		hungry = hungry || !c.filter.byPeer()
		mine := c.filter.byPeer() && c.filter.from(path.Remote)
		switch {
		case t == nil && mine:
			c.loose(&p)
		case t == nil:
		case mine && t.lines[c] == nil:
			h.flows.whole(h.line(c, t))
			fallthrough
		default:
			h.give(t.lines[c], &p)
		}
	}
	if hungry && t != nil && t.waits(p.call) {
		w.hold(t, p)
	}
}

// give hands a datagram to a line that wants it.
func (h *Hub) give(l *line, p *passed) {
	if l.wants(p.call) {
		l.add(p)
	}
}

// passData looks at a packet of a user, which nobody wants as a rule.
func (h *Hub) passData(path datapath.Path, b []byte, header l2tp.Header, in bool) {
	if !h.flows.want(path.Remote, header, in) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.world
	if w == nil {
		return
	}
	p := passed{at: time.Now(), in: in, path: path, octets: b, call: before}
	var t *tunnel
	if in {
		t = w.ours[header.Tunnel]
	} else {
		t = w.theirs[far{path.Remote, header.Tunnel}]
	}
	if t == nil {
		return
	}
	calls := t.byTheirs
	if in {
		calls = t.byOurs
	}
	if s := calls[header.Session]; s != nil {
		p.call = s
	}
	for _, c := range h.captures {
		if c.options.Data != NoData {
			h.give(t.lines[c], &p)
		}
	}
}

// flow is a direction of a session, or all that a peer sends and gets.
type flow struct {
	peer    netip.AddrPort
	in      bool
	tunnel  l2tp.TunnelID
	session l2tp.SessionID
}

// flows are those whose user data somebody wants. It is read for every packet while a capture is armed.
type flows struct{ all sync.Map }

func (f *flows) want(peer netip.AddrPort, h l2tp.Header, in bool) bool {
	if _, ok := f.all.Load(flow{peer: peer}); ok {
		return true
	}
	_, ok := f.all.Load(flow{peer, in, h.Tunnel, h.Session})
	return ok
}

func (f *flows) add(l *line, s *call) {
	f.whole(l)
	if s != nil {
		f.all.Store(flow{l.tunnel.peer, true, l.tunnel.ours, s.ours}, true)
		f.all.Store(flow{l.tunnel.peer, false, l.tunnel.theirs, s.theirs}, true)
	}
}

// whole adds a tunnel of which all is wanted.
func (f *flows) whole(l *line) {
	if l.whole && l.capture.options.Data != NoData {
		f.all.Store(flow{peer: l.tunnel.peer}, true)
	}
}

func (f *flows) remove(t *tunnel, s *call) {
	if s != nil {
		f.all.Delete(flow{t.peer, true, t.ours, s.ours})
		f.all.Delete(flow{t.peer, false, t.theirs, s.theirs})
	}
}

// of has the flows of these captures, and no others.
func (f *flows) of(captures []*Capture) {
	f.all.Clear()
	for _, c := range captures {
		for l := range c.lines {
			if c.options.Data == NoData {
				break
			}
			f.whole(l)
			for s := range l.calls {
				f.add(l, s)
			}
		}
	}
}
