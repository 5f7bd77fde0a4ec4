package capture

import (
	"container/list"
	"net/netip"
	"slices"
	"time"

	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
)

// Bounds of what is known and held of tunnels while a capture is armed.
const (
	maxHeld       = 16 << 20 // octets, of all tunnels
	maxHeldTunnel = 256 << 10
	maxSetup      = 12  // messages of the tunnel itself that are held to the last: how it was opened
	costTunnel    = 512 // octets that count for a tunnel, whatever it holds
	costCall      = 256
	costLine      = 2048 // of what a capture keeps of a tunnel: the last datagram with its comment
	costDatagram  = 128
	maxOfPeer     = 16 // tunnels of one address and port that are looked through for one whose ids are hidden
)

// world is what is known of tunnels and calls: which ids belong together, and the datagrams of those of which it is not decided yet
// whether somebody wants them. It learns from what passes, and so knows nothing of ids that are hidden, unless there is no doubt.
type world struct {
	ours   map[l2tp.TunnelID]*tunnel
	theirs map[far]*tunnel
	peers  map[netip.AddrPort][]*tunnel
	recent list.List // of *tunnel, the most recent in front
	octets int
	gone   func(*call) // is told of each call that is known no more
}

// far is a tunnel as its peer calls it.
type far struct {
	peer netip.AddrPort
	id   l2tp.TunnelID
}

// tunnel is one control connection, or what looks like one.
type tunnel struct {
	peer         netip.AddrPort
	ours, theirs l2tp.TunnelID  // 0: not known
	elsewhere    netip.AddrPort // where it was heard last, if that is another place
	dialled      bool           // its SCCRQ was seen
	unsettled    int            // calls of which somebody waits to hear
	calls        []*call
	byOurs       map[l2tp.SessionID]*call
	byTheirs     map[l2tp.SessionID]*call
	held         []passed
	octets       int
	at           *list.Element
	lines        map[*Capture]*line
}

// call is one session of a tunnel.
type call struct {
	ours, theirs l2tp.SessionID // 0: not known
	settled      bool           // nobody waits for it any more: nothing of it is held
	flows        [2]flow        // by which its user data is known as wanted; zero: it is not
	over         bool
}

// passed is a datagram on its way, or held.
type passed struct {
	at     time.Time
	in     bool
	path   datapath.Path
	octets []byte
	call   *call // nil: it is the tunnel's
}

func newWorld(gone func(*call)) *world {
	return &world{gone: gone, ours: make(map[l2tp.TunnelID]*tunnel), theirs: make(map[far]*tunnel), peers: make(map[netip.AddrPort][]*tunnel)}
}

// enter makes a tunnel known.
func (w *world) enter(peer netip.AddrPort, ours, theirs l2tp.TunnelID) *tunnel {
	t := &tunnel{peer: peer, byOurs: make(map[l2tp.SessionID]*call), byTheirs: make(map[l2tp.SessionID]*call)}
	t.at = w.recent.PushFront(t)
	w.peers[peer] = append(w.peers[peer], t)
	w.grow(t, costTunnel)
	w.name(t, ours, theirs)
	return t
}

// name makes ids of a tunnel known. Whoever had ours before is gone.
func (w *world) name(t *tunnel, ours, theirs l2tp.TunnelID) {
	if ours != 0 && t.ours != ours {
		if old := w.ours[ours]; old != nil {
			w.forget(old)
		}
		t.ours = ours
		w.ours[ours] = t
	}
	if theirs != 0 && t.theirs != theirs {
		delete(w.theirs, far{t.peer, t.theirs})
		t.theirs = theirs
		w.theirs[far{t.peer, theirs}] = t
	}
}

// move follows a peer to another address.
func (w *world) move(t *tunnel, to netip.AddrPort) {
	w.unlist(t)
	t.peer = to
	w.peers[to] = append(w.peers[to], t)
	w.theirs[far{to, t.theirs}] = t
}

// unlist takes a tunnel from the lists of its peer.
func (w *world) unlist(t *tunnel) {
	if w.theirs[far{t.peer, t.theirs}] == t {
		delete(w.theirs, far{t.peer, t.theirs})
	}
	rest := slices.DeleteFunc(w.peers[t.peer], func(other *tunnel) bool { return other == t })
	if len(rest) == 0 {
		delete(w.peers, t.peer)
		return
	}
	w.peers[t.peer] = rest
}

// forget takes a tunnel out. What captures still hold of it is written.
func (w *world) forget(t *tunnel) {
	for c, l := range t.lines {
		l.finish()
		delete(c.lines, l)
	}
	t.lines = nil
	for _, c := range t.calls {
		w.gone(c)
	}
	w.unlist(t)
	if w.ours[t.ours] == t {
		delete(w.ours, t.ours)
	}
	w.recent.Remove(t.at)
	w.octets -= t.octets
	t.octets = 0
}

// grow counts octets for a tunnel, and lets others go until all fit: the quiet ones first, and those that somebody captures last.
func (w *world) grow(t *tunnel, octets int) {
	t.octets += octets
	w.octets += octets
	for w.octets > maxHeld && w.recent.Len() > 1 {
		const tries = 64
		victim := w.recent.Back()
		for e, n := victim, 0; e != nil && n < tries; e, n = e.Prev(), n+1 {
			if len(e.Value.(*tunnel).lines) == 0 {
				victim = e
				break
			}
		}
		if victim.Value.(*tunnel) == t {
			return
		}
		w.forget(victim.Value.(*tunnel))
	}
}

// guess finds the one tunnel of a peer of which something is not known; nil when there is none, or doubt.
func (w *world) guess(peer netip.AddrPort, unknown func(*tunnel) bool) *tunnel {
	all := w.peers[peer]
	if len(all) > maxOfPeer {
		return nil
	}
	var found *tunnel
	for _, t := range all {
		switch {
		case !unknown(t):
		case found != nil:
			return nil
		default:
			found = t
		}
	}
	return found
}

// hold keeps a datagram of a tunnel until somebody wants it. When the tunnel has too many, the oldest give way, but not those by
// which it was opened.
func (w *world) hold(t *tunnel, p passed) {
	p.octets = slices.Clone(p.octets)
	t.held = append(t.held, p)
	w.grow(t, len(p.octets)+costDatagram)
	for t.octets > maxHeldTunnel && len(t.held) > maxSetup+1 {
		w.drop(t, func(i int, _ passed) bool { return i == maxSetup })
	}
}

// waits says whether somebody may still want a datagram of a call, or of the tunnel itself.
func (t *tunnel) waits(c *call) bool {
	if c != nil {
		return !c.settled
	}
	return t.unsettled > 0 || t.dialled && (len(t.calls) == 0 || len(t.held) < maxSetup)
}

// drop lets held datagrams go.
func (w *world) drop(t *tunnel, which func(int, passed) bool) {
	i := 0
	t.held = slices.DeleteFunc(t.held, func(p passed) bool {
		gone := which(i, p)
		if i++; gone {
			w.grow(t, -len(p.octets)-costDatagram)
		}
		return gone
	})
}

// settle lets go what is held of a call of which nobody waits to hear.
func (w *world) settle(t *tunnel, c *call) {
	if c == nil || c.settled {
		return
	}
	c.settled = true
	t.unsettled--
	w.drop(t, func(_ int, p passed) bool { return p.call == c })
}

// add makes a call known.
func (w *world) add(t *tunnel, ours, theirs l2tp.SessionID) *call {
	c := &call{}
	t.calls = append(t.calls, c)
	t.unsettled++
	w.grow(t, costCall)
	w.nameCall(t, c, ours, theirs)
	return c
}

// nameCall makes ids of a call known. Whoever had ours before is gone.
func (w *world) nameCall(t *tunnel, c *call, ours, theirs l2tp.SessionID) {
	if ours != 0 && c.ours != ours {
		if old := t.byOurs[ours]; old != nil {
			w.remove(t, old)
		}
		c.ours = ours
		t.byOurs[ours] = c
	}
	if theirs != 0 && c.theirs != theirs {
		c.theirs = theirs
		t.byTheirs[theirs] = c
	}
}

// remove takes a call out.
func (w *world) remove(t *tunnel, c *call) {
	w.settle(t, c)
	w.gone(c)
	if t.byOurs[c.ours] == c {
		delete(t.byOurs, c.ours)
	}
	if t.byTheirs[c.theirs] == c {
		delete(t.byTheirs, c.theirs)
	}
	if i := slices.Index(t.calls, c); i >= 0 {
		t.calls = slices.Delete(t.calls, i, i+1)
		w.grow(t, -costCall)
	}
}

// before is the call of all datagrams whose call was there before anybody captured, or is not known for another reason.
var before = &call{settled: true, over: true}

// only finds the one call of which something is not known; nil when there is none, or doubt.
func (t *tunnel) only(unknown func(*call) bool) *call {
	if len(t.calls) > maxOfPeer {
		return nil
	}
	var found *call
	for _, c := range t.calls {
		switch {
		case c.over || !unknown(c):
		case found != nil:
			return nil
		default:
			found = c
		}
	}
	return found
}
