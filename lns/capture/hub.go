package capture

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/trace"
)

// MaxCaptures is how many captures may be under way at once.
const MaxCaptures = 8

// ErrTooMany says that as many captures are under way as may be.
var ErrTooMany = errors.New("as many captures are under way as may be")

// Config is what a Hub needs.
type Config struct {
	Program string // and its version, for the file
	Node    string // for the name of the interface
	// Watch tells what happens to logins from now on, until the context ends and the channel is closed.
	Watch func(context.Context) <-chan trace.Event
	// Known tells the tunnels and sessions that are open now; nil: none are.
	Known func() []Known
	// Local is what a socket is bound to; nil: port 1701.
	Local func(socket uint8) netip.AddrPort
	Log   *slog.Logger // nil: none
}

// Known is a tunnel that was open before anybody captured, or a session of one.
type Known struct {
	Peer                 netip.AddrPort
	Tunnel, PeerTunnel   uint16
	Session, PeerSession uint16 // 0: this is the tunnel
	ID                   string // of the attempt
	Name, Account        string
	Domain               string
	Open                 bool // the session is
}

// event tells of a session as if something had just happened to it.
func (k *Known) event() trace.Event {
	e := trace.Event{Kind: trace.AttemptChanged, ID: k.ID, Tunnel: k.Tunnel, Peer: k.Peer, Name: k.Name, Account: k.Account, Domain: k.Domain}
	e.Session = strconv.Itoa(int(k.Tunnel)) + "/" + strconv.Itoa(int(k.Session))
	if k.Open {
		e.Kind = trace.SessionOpened
	}
	return e
}

// Hub has the captures that are under way, and is told what passes. It is safe for concurrent use.
type Hub struct {
	cfg   Config
	armed atomic.Bool // the only thing that is looked at when there is no capture
	flows flows       // whose user data somebody wants

	mu       sync.Mutex // guards what follows, and all captures
	closed   bool
	serial   uint64
	captures []*Capture
	world    *world
	leave    context.CancelFunc // ends the watching
	watching sync.WaitGroup
}

// New makes a hub without captures.
func New(cfg Config) *Hub {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Known == nil {
		cfg.Known = func() []Known { return nil }
	}
	return &Hub{cfg: cfg}
}

// Request is what somebody wants to capture.
type Request struct {
	By     string // who it is, for the log
	Filter Filter
	Shown  Shown
	Limit  int // datagrams after which it ends; 0: none
}

// Arm begins a capture. When it returns, what passes from then on is seen. Errors: ErrEverything, ErrTooMany, context.Canceled once the
// hub is closed.
func (h *Hub) Arm(r Request) (*Capture, error) {
	if err := r.Filter.Validate(); err != nil {
		return nil, err
	}
	c := &Capture{hub: h, by: r.By, filter: r.Filter, options: r.Shown, limit: r.Limit, since: time.Now(),
		ready: make(chan struct{}, 1), lines: make(map[*line]struct{})}
	c.waiting = appendStart(nil, h.cfg.Program, "lnsgate", "L2TP over UDP at "+h.cfg.Node)
	c.wake()
	if err := h.enter(c); err != nil {
		return nil, err
	}
	h.cfg.Log.Info("capture", "state", "armed", "id", c.id, "by", c.by, "user", r.Filter.User, "domain", r.Filter.Domain, "peer", c.status().Peer,
		"failed", r.Filter.Failed, "secrets", r.Shown.Secrets, "data", r.Shown.Data.String())
	h.acquaint(c, h.cfg.Known())
	return c, nil
}

func (h *Hub) enter(c *Capture) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return context.Canceled
	case len(h.captures) >= MaxCaptures:
		return ErrTooMany
	}
	h.serial++
	c.id = h.serial
	h.captures = append(slices.Clip(h.captures), c)
	h.flows.whole(h.captures)
	if h.world == nil {
		h.world = newWorld(h.flows.remove)
		ctx, leave := context.WithCancel(context.Background())
		h.leave = leave
		events := h.cfg.Watch(ctx)
		h.watching.Go(func() { h.follow(events) })
	}
	h.armed.Store(true)
	return nil
}

// acquaint tells a new capture of the tunnels and sessions that are open.
func (h *Hub) acquaint(c *Capture, all []Known) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range all {
		k := &all[i]
		if c.over || !c.filter.from(k.Peer) {
			continue
		}
		e := k.event()
		if !c.filter.byPeer() && (k.Session == 0 || c.filter.judge(&e) != yes) {
			continue
		}
		t := h.world.ours[l2tp.TunnelID(k.Tunnel)]
		if t == nil {
			t = h.world.enter(k.Peer, l2tp.TunnelID(k.Tunnel), l2tp.TunnelID(k.PeerTunnel))
		}
		if k.Session == 0 {
			h.line(c, t)
			continue
		}
		s := t.byOurs[l2tp.SessionID(k.Session)]
		if s == nil {
			s = h.world.add(t, l2tp.SessionID(k.Session), l2tp.SessionID(k.PeerSession))
		}
		h.open(c, t, s, &e)
	}
}

// follow hears of logins until the channel is closed.
func (h *Hub) follow(events <-chan trace.Event) {
	for e := range events {
		h.hear(&e)
	}
}

// List tells the captures that are under way.
func (h *Hub) List() []Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]Status, len(h.captures))
	for i, c := range h.captures {
		all[i] = c.status()
	}
	return all
}

// Stop ends the capture of that ID, in good order: its reader gets all that was captured, and then the end. False: there is none.
func (h *Hub) Stop(id uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.IndexFunc(h.captures, func(c *Capture) bool { return c.id == id })
	if i < 0 {
		return false
	}
	h.end(h.captures[i])
	return true
}

// Close ends all captures, and lets none begin. What has happened to logins until then is still in them.
func (h *Hub) Close() error {
	h.mu.Lock()
	h.closed = true
	if h.leave != nil {
		h.leave()
	}
	h.mu.Unlock()
	h.watching.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range slices.Clone(h.captures) {
		h.end(c)
	}
	return nil
}

// end ends a capture. The caller holds the lock.
func (h *Hub) end(c *Capture) {
	if c.over {
		return
	}
	c.over = true
	for l := range c.lines {
		l.stop()
		delete(l.tunnel.lines, c)
		h.world.grow(l.tunnel, -costLine)
	}
	c.lines = nil
	c.waiting = appendEnd(c.waiting, time.Now(), c.written, c.dropped)
	c.wake()
	h.captures = slices.DeleteFunc(slices.Clone(h.captures), func(other *Capture) bool { return other == c })
	h.cfg.Log.Info("capture", "state", "ended", "id", c.id, "by", c.by, "packets", c.written, "dropped", c.dropped)
	h.flows.of(h.captures)
	if len(h.captures) == 0 {
		h.armed.Store(false)
		h.leave()
		h.world = nil
	}
}

// local is the address of ours that a datagram came to or left from.
func (h *Hub) local(p datapath.Path) netip.AddrPort {
	bound := netip.AddrPortFrom(netip.Addr{}, l2tp.Port)
	if h.cfg.Local != nil {
		bound = h.cfg.Local(p.Socket)
	}
	if p.Local.IsValid() {
		return netip.AddrPortFrom(p.Local, bound.Port())
	}
	return bound
}

// session is the second number of a session's handle, "12/7".
func session(handle string) l2tp.SessionID {
	_, number, _ := strings.Cut(handle, "/")
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return 0
	}
	return l2tp.SessionID(n)
}
