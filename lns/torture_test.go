package lns_test

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/local"
	"lnsgate/lns"
	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/lac"
	"lnsgate/lns/recorder"
	"lnsgate/pool"
	"lnsgate/pool/memory"
	"lnsgate/test/simnet"
)

// torture is a server with all its rooms, some of them slow or faulty when told so, among peers of which some are honest.
type torture struct {
	*rig
	books   *ledger
	network *wiring
	record  *recorder.Recorder
	bad     [4]*hostile
	trouble trouble
	honest  int // honest peers so far
	weather simnet.Config
	rooms   bool // a room of the server has been in trouble
	steady  *client
}

// trouble is what the rooms of the server are made to do. It is safe for concurrent use.
type trouble struct {
	think, lease   atomic.Int64 // nanoseconds that an answer takes
	noLease, noWay atomic.Bool  // no lease is to be had; the data path takes nobody
}

func (c *trouble) over() {
	c.think.Store(0)
	c.lease.Store(0)
	c.noLease.Store(false)
	c.noWay.Store(false)
}

func pause(ctx context.Context, d *atomic.Int64) error {
	wait := time.Duration(d.Load())
	if wait == 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// moody asks local accounts, or for EAP somebody who talks it, in its own time.
type moody struct {
	*swapGateway
	eap     *conversation
	trouble *trouble
}

func (g moody) Authenticate(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	if pause(ctx, &g.trouble.think) != nil {
		return aaa.Decision{}, &aaa.Rejection{Cause: aaa.Timeout, Backend: "moody"}
	}
	if r.Proof.Method == aaa.EAP {
		return g.eap.Authenticate(ctx, r)
	}
	return g.swapGateway.Authenticate(ctx, r)
}

// moodyPools are slow or empty when told so.
type moodyPools struct {
	pool.Allocator
	trouble *trouble
}

func (p moodyPools) Allocate(ctx context.Context, r pool.Request) (pool.Lease, error) {
	if err := pause(ctx, &p.trouble.lease); err != nil {
		return pool.Lease{}, err
	}
	if p.trouble.noLease.Load() {
		return pool.Lease{}, errors.New("connection refused")
	}
	return p.Allocator.Allocate(ctx, r)
}

// wiring is the network of the host: it knows what was attached and not detached.
type wiring struct {
	mu       sync.Mutex
	attached map[netip.Addr]int
	routes   map[netip.Prefix]int
}

func newWiring() *wiring {
	return &wiring{attached: map[netip.Addr]int{}, routes: map[netip.Prefix]int{}}
}

func (w *wiring) Attach(_ string, a netip.Addr) error {
	w.change(func() { w.attached[a]++ })
	return nil
}
func (w *wiring) Detach(_ string, a netip.Addr) error {
	w.change(func() { w.attached[a]-- })
	return nil
}

func (w *wiring) AddRoutes(_ string, routes []aaa.Route) error {
	w.change(func() {
		for _, r := range routes {
			w.routes[r.Prefix]++
		}
	})
	return nil
}

func (w *wiring) RemoveRoutes(_ string, routes []aaa.Route) error {
	w.change(func() {
		for _, r := range routes {
			w.routes[r.Prefix]--
		}
	})
	return nil
}

func (w *wiring) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// left tells what is attached, or was detached twice.
func (w *wiring) left() (all []any) {
	w.change(func() {
		for a, n := range w.attached {
			if n != 0 {
				all = append(all, a, n)
			}
		}
		for p, n := range w.routes {
			if n != 0 {
				all = append(all, p, n)
			}
		}
	})
	return all
}

// runTorture plays a game with a server on such a network, and checks that nothing of it remains.
func runTorture(t *testing.T, network simnet.Config, crowded bool, game func(*torture)) {
	w := &torture{weather: network, books: &ledger{}, network: newWiring(), record: recorder.New(recorder.Config{Prefix: "x", Octets: 1 << 20})}
	runWith(t, network, w.arrange(crowded), func(r *rig) {
		w.rig = r
		w.furnish(t)
		for i := range w.bad {
			at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(1 + i/2)}), uint16(1701+i))
			w.bad[i] = &hostile{r: r, peerID: l2tp.TunnelID(50 + i)}
			w.bad[i].settle(at)
		}
		w.steady = w.honestLogin()
		game(w)
		w.trouble.over()
		w.honestLogin().cancel()
		w.checkSteady()
		w.allLeave()
		w.checkRemains()
	})
}

func (w *torture) arrange(crowded bool) func(*lns.Config, *lns.Deps) {
	return func(c *lns.Config, d *lns.Deps) {
		c.Templates[0].Methods = []aaa.Method{aaa.CHAP, aaa.MSCHAPv2, aaa.EAP, aaa.PAP}
		c.Templates[0].IPv6, c.Groups[0].ProxyAuthenticate = true, true
		if crowded {
			c.Limits.HalfOpen, c.Limits.HalfOpenPerSource, c.Limits.SessionsPerTunnel, c.Limits.Authentications, c.Limits.WaitingAuthentications = 4, 3, 3, 1, 8
		}
		d.Node, d.Accounter, d.Attempts, d.Registry, d.Router, d.Host = "n", w.books, w.books, w.books, w.network, w.network
		d.Recorder, d.Log = w.record, slog.New(slog.DiscardHandler)
		d.AAA = moody{d.AAA.(*swapGateway), &conversation{}, &w.trouble}
		d.Pools = moodyPools{d.Pools, &w.trouble}
	}
}

// furnish makes accounts that get all there is to get.
func (w *torture) furnish(t *testing.T) {
	ranges := func(text string, parse func(string) (pool.Range, error)) []pool.Range {
		run, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return []pool.Range{run}
	}
	if err := w.pools.Reconfigure(memory.Config{Pools: []pool.Pool{
		{Name: "pool1", Ranges: ranges("10.10.1.10-10.10.1.250", pool.ParseRange)},
		{Name: "links", PrefixLength: 64, Ranges: ranges("2001:db8:100::/56", pool.ParseExclusion)},
		{Name: "sites", PrefixLength: 56, Ranges: ranges("2001:db8:200::/48", pool.ParseExclusion)},
	}}); err != nil {
		t.Fatal(err)
	}
	w.path.Refuse = func(datapath.Spec) error {
		if w.trouble.noWay.Load() {
			return errors.New("no buffer space available")
		}
		return nil
	}
	w.accounts(true)
}

// accounts sets who may log in: always the honest, and with bob also the others.
func (w *torture) accounts(bob bool) {
	all := []local.Account{account("l2tpuser", "Admin@123")}
	if bob {
		router, fixed := account("bob", "secret"), account("carol", "secret")
		router.Routes = []netip.Prefix{netip.MustParsePrefix("172.16.7.0/24")}
		fixed.Address = netip.MustParseAddr("10.10.1.77")
		all = append(all, router, fixed)
	}
	backend, err := local.New(all)
	if err != nil {
		w.t.Fatal(err)
	}
	g, err := aaa.NewGateway(aaa.Config{DefaultDomain: "default", Backends: []aaa.Backend{backend}, Domains: []aaa.Domain{
		{Name: "default", Chain: []string{local.Name}, Pools: []string{"pool1"}, IPv6Pools: []string{"links"}, DelegatedPools: []string{"sites"}}}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.gateway.set(g)
}

// honestLogin has somebody log in who does everything right. It has to work, if not at the first try on a network that loses much.
func (w *torture) honestLogin() *client {
	w.t.Helper()
	for range 4 {
		w.honest++
		c := w.dial(w.honest, "l2tpuser", "Admin@123", func(c *lac.ClientConfig) { c.Login.IPv6 = w.honest%2 == 0 })
		select {
		case <-c.ups:
			w.sleep(time.Second)
			return c
		case err := <-c.ended:
			c.ended <- err
		case <-time.After(time.Minute):
		}
		c.cancel()
	}
	w.t.Fatal("an honest peer cannot log in")
	return nil
}

// checkSteady looks after the peer that was there from the beginning. A network that loses much may in hours lose what it says to
// four questions in a row; and one that brings something late or twice may have it negotiate again just when a room is in trouble.
func (w *torture) checkSteady() {
	w.t.Helper()
	select {
	case err := <-w.steady.ended:
		w.steady.ended <- err
		late := w.weather.Loss + w.weather.Duplicate + w.weather.Reorder + w.weather.Jitter.Seconds()
		if w.weather.Loss > 0 && w.books.ended("l2tpuser", aaa.TerminateLostCarrier) ||
			late > 0 && w.rooms && w.books.ended("l2tpuser", aaa.TerminatePortError, aaa.TerminateNASError, aaa.TerminateUserError, aaa.TerminateUnknown) {
			return
		}
		w.t.Errorf("the peer that did nothing wrong lost its session: %v", err)
	default:
	}
}

// allLeave has everybody go, some without a word, and time pass.
func (w *torture) allLeave() {
	for _, h := range w.bad {
		h.hangUp()
	}
	w.steady.cancel()
	w.sleep(20 * time.Minute)
}

// checkRemains looks for what is left of peers that are gone, and whether what was counted adds up.
func (w *torture) checkRemains() {
	t := w.t
	t.Helper()
	if s, u := w.server.Sessions(), w.server.Tunnels(); len(s)+len(u) != 0 {
		t.Errorf("left: sessions %+v, tunnels %+v", s, u)
	}
	if leases, err := w.pools.Leases(context.Background()); err != nil || len(leases) != 0 {
		t.Errorf("leases left: %v %v", leases, err)
	}
	if left := w.network.left(); len(left) != 0 {
		t.Errorf("left in the network of the host: %v", left)
	}
	if left := w.path.Specs(); len(left) != 0 {
		t.Errorf("left in the data path: %v", left)
	}
	if s := w.record.Stats(); s.Live != 0 || s.Octets > 1<<20 {
		t.Errorf("the recorder holds %+v", s)
	}
	w.books.check(t)
	n := w.server.Counters()
	if n["tunnels_opened"] != n["tunnels_closed"] || n["sessions_opened"] != n["sessions_closed"] {
		t.Errorf("the counters do not add up: %v", n)
	}
	if starts := uint64(len(w.books.starts())); starts != n["sessions_opened"] {
		t.Errorf("%d records of a start, %d sessions opened", starts, n["sessions_opened"])
	}
}

func (l *ledger) starts() (all []aaa.Record) {
	return slices.DeleteFunc(l.written(), func(r aaa.Record) bool { return r.Kind != aaa.RecordStart })
}

// check wants one start and one stop for each session, in this order, with numbers that rise, and nobody counted in.
func (l *ledger) check(t *testing.T) {
	t.Helper()
	last := map[string]aaa.Record{}
	for _, r := range l.written() {
		before, known := last[r.Session]
		if known == (r.Kind == aaa.RecordStart) || known && (before.Kind == aaa.RecordStop || r.Sequence <= before.Sequence) {
			t.Errorf("after %+v comes %+v", before, r)
		}
		last[r.Session] = r
	}
	for _, r := range last {
		if r.Kind != aaa.RecordStop {
			t.Errorf("without an end: %+v", r)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entered) != 0 {
		t.Errorf("still counted in: %v", l.entered)
	}
}

// hostile is a place on the network from which anything may come, and which knows what the server has last said to it.
type hostile struct {
	r      *rig
	client *client
	peerID l2tp.TunnelID // what it calls its own end

	mu      sync.Mutex
	end     *simnet.Endpoint
	silent  bool
	tunnel  l2tp.TunnelID
	session l2tp.SessionID
	ns, nr  uint16
	mangles []mangle
	sent    int    // datagrams of the client
	last    []byte // of them
	held    []byte // one that waits for the next to overtake it
	to      func([]byte)
}

// settle moves to an address.
func (h *hostile) settle(at netip.AddrPort) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.end != nil {
		h.end.Close()
	}
	h.end = h.r.net.Endpoint(func(_ datapath.Path, b []byte) { h.hear(b) }, at)
}

// hear learns from what the server says, and hands it to the client, if there is one.
func (h *hostile) hear(b []byte) {
	h.mu.Lock()
	if head, payload, err := l2tp.ParseHeader(b); err == nil && head.Control {
		h.ns, h.nr = head.Nr, head.Ns
		if len(payload) > 0 {
			h.nr++
		}
		tunnel, session := l2tp.PeekAssigned(payload)
		switch l2tp.PeekType(payload) {
		case l2tp.TypeSCCRP:
			h.tunnel = tunnel
		case l2tp.TypeICRP:
			h.session = session
		}
	}
	to := h.to
	if h.silent {
		to = nil
	}
	h.mu.Unlock()
	if to != nil {
		to(b)
	}
}

// send sends any octets.
func (h *hostile) send(b []byte) {
	_ = h.end.Send(h.end.PathTo(serverAddr), b)
}

// mangle is what becomes of one datagram of a client.
type mangle struct {
	number   int // which, from 0
	how      byte
	at, with byte
}

// Send takes a datagram of the client, and sends it or what has become of it.
func (h *hostile) Send(b []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	b = slices.Clone(b)
	number := h.sent
	h.sent++
	for _, m := range h.mangles {
		if m.number == number {
			b = m.apply(h, b)
		}
	}
	if b == nil {
		return nil
	}
	h.send(b)
	h.last = b
	if h.held != nil {
		h.send(h.held)
		h.held = nil
	}
	return nil
}

// apply returns what is sent instead; nil is nothing.
func (m mangle) apply(h *hostile, b []byte) []byte {
	if len(b) == 0 {
		return b
	}
	at := int(m.at) % len(b)
	switch m.how % 8 {
	case 0:
		return nil
	case 1:
		h.send(b)
	case 2:
		b[at] ^= m.with
	case 3:
		b = b[:at]
	case 4:
		b = append(b, slices.Repeat([]byte{m.with}, int(m.at))...)
	case 5:
		h.held = b
		return nil
	case 6:
		if h.last != nil {
			return h.last
		}
	case 7:
		if at+1 < len(b) {
			binary.BigEndian.PutUint16(b[at:], uint16(m.with))
		}
	}
	return b
}

// dialAs has a client dial whose datagrams are mangled.
func (h *hostile) dialAs(change func(*lac.ClientConfig), mangles []mangle) {
	h.hangUp()
	c := &client{ups: make(chan lac.Up, 8), ended: make(chan error, 1), said: &logText{}}
	cfg := lac.ClientConfig{
		Config: lac.Config{HostName: "laptop", Tunnel: h.peerID, Rand: &lockedRand{source: randomness(9)}},
		Login:  lac.Login{Session: 1, Magic: 4711, WantDNS: true},
		Wire:   h,
	}
	change(&cfg)
	lc := lac.NewClient(cfg)
	h.mu.Lock()
	h.mangles, h.sent, h.silent, h.to = mangles, 0, false, lc.Deliver
	h.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	h.client = c
	h.r.clients.Go(func() { c.ended <- lc.Run(ctx) })
}

func (h *hostile) hangUp() {
	if h.client != nil {
		h.client.cancel()
		h.client = nil
		h.r.sleep(0)
	}
}

// say sends a control message that fits into the tunnel that there was last, but for what is added to its numbers.
func (h *hostile) say(m l2tp.Message, more, ns, nr uint16) {
	h.mu.Lock()
	defer h.mu.Unlock()
	tunnel, session := h.tunnel, h.session
	if m.Type() == l2tp.TypeSCCRQ {
		tunnel = 0
	}
	if !m.Type().OfCall() || m.Type() == l2tp.TypeICRQ {
		session = 0
	}
	body := l2tp.Append(nil, m, l2tp.AppendOptions{})
	h.send(l2tp.AppendControl(nil, tunnel, session+l2tp.SessionID(more), h.ns+ns, h.nr+nr, body))
	if m.Type() != l2tp.TypeZLB {
		h.ns++ // the next one is said at once, perhaps
	}
}

// frame sends a PPP frame into the session that there was last.
func (h *hostile) frame(octets []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	head := l2tp.Header{Length: true, Tunnel: h.tunnel, Session: h.session}
	h.send(append(l2tp.AppendDataHeader(nil, head, len(octets)), octets...))
}

// raw sends octets, into the tunnel that there was last if they are to be addressed.
func (h *hostile) raw(octets []byte, addressed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if addressed && len(octets) >= 8 {
		octets[0], octets[1] = octets[0]|0xc8, 2
		binary.BigEndian.PutUint16(octets[2:], uint16(len(octets)))
		binary.BigEndian.PutUint16(octets[4:], uint16(h.tunnel))
	}
	h.send(octets)
}
