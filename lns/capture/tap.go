package capture

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/ppp"
)

// Receiver takes datagrams as package transport hands them out.
type Receiver interface {
	Datagram(from datapath.Path, b []byte)
	Keep()
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

func (e *ear) Keep()  { e.next.Keep() }
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
		case mine:
			h.give(h.line(c, t), &p)
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
	if t != nil {
		p.call = t.known(header.Session, in)
	}
	for _, c := range h.captures {
		mine := c.filter.byPeer() && c.filter.from(path.Remote)
		switch {
		case c.options.Data == NoData:
		case t == nil && mine:
			c.loose(&p)
		case t == nil:
		case mine:
			h.give(h.line(c, t), &p)
		default:
			h.give(t.lines[c], &p)
		}
	}
}

// known finds the call of a session id, or before.
func (t *tunnel) known(id l2tp.SessionID, in bool) *call {
	calls := t.byTheirs
	if in {
		calls = t.byOurs
	}
	if s := calls[id]; s != nil {
		return s
	}
	return before
}

// flow is a direction of a session.
type flow struct {
	peer    netip.AddrPort
	in      bool
	tunnel  l2tp.TunnelID
	session l2tp.SessionID
}

// flows are those whose user data somebody wants. It is read for every packet while a capture is armed.
type flows struct {
	all  sync.Map                       // of calls that are wanted one by one
	wide atomic.Pointer[[]netip.Prefix] // from where all is wanted, whoever it is: that takes no memory for each source
}

func (f *flows) want(peer netip.AddrPort, h l2tp.Header, in bool) bool {
	if wide := f.wide.Load(); wide != nil {
		from := peer.Addr().Unmap().WithZone("")
		for _, p := range *wide {
			if p.Contains(from) {
				return true
			}
		}
	}
	_, ok := f.all.Load(flow{peer, in, h.Tunnel, h.Session})
	return ok
}

// add has the user data of a call. The hub's lock is held.
func (f *flows) add(l *line, s *call) {
	if s == nil || l.whole {
		return
	}
	f.remove(s)
	s.flows = [2]flow{{l.tunnel.peer, true, l.tunnel.ours, s.ours}, {l.tunnel.peer, false, l.tunnel.theirs, s.theirs}}
	for _, one := range s.flows {
		f.all.Store(one, true)
	}
}

// remove forgets a call. The hub's lock is held.
func (f *flows) remove(s *call) {
	if s == nil || s.flows == [2]flow{} {
		return
	}
	for _, one := range s.flows {
		f.all.Delete(one)
	}
	s.flows = [2]flow{}
}

// whole has all that passes for these captures, as far as the source alone decides.
func (f *flows) whole(captures []*Capture) {
	var wide []netip.Prefix
	for _, c := range captures {
		if c.filter.byPeer() && c.options.Data != NoData {
			wide = append(wide, c.filter.Peer)
		}
	}
	f.wide.Store(&wide)
}

// of has the flows of these captures, and no others.
func (f *flows) of(captures []*Capture) {
	f.whole(captures)
	f.all.Clear()
	for _, c := range captures {
		for l := range c.lines {
			if c.options.Data == NoData {
				break
			}
			for s := range l.calls {
				f.add(l, s)
			}
		}
	}
}
