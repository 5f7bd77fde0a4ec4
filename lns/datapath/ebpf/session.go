package ebpf

import (
	"sync"
	"sync/atomic"
	"time"

	"lnsgate/lns/datapath"
)

// What the flags of an entry mean, as in tables.h.
const (
	carryUp          = 0x01
	carryDown        = 0x02
	compressProtocol = 0x04
	compressAddress  = 0x08
	carriesIPv6      = 0x10
	mayGoStraight    = 0x20
	hasRoutes        = 0x80
)

// largestMRU leaves room for all headers in a UDP datagram.
const largestMRU = 65400

// session is one subscriber, in the tables of user space and, as far as it can be carried there, in those of the kernel.
type session struct {
	path     *DataPath
	under    datapath.Session
	id       uint32
	template uint32
	place    uint32

	mu       sync.Mutex // guards what follows
	spec     datapath.Spec
	findable bool      // packets find the entry
	number   uint32    // of the place where the entry is
	left     time.Time // when it last was not at the session's own place any more
	filter   *heldFilter
	unfit    bool // its filter is not in the kernel
	closed   bool
	last     datapath.Counters
}

// carry makes a session that the path beneath has already.
func (d *DataPath) carry(under datapath.Session, spec datapath.Spec, template, place uint32) datapath.Session {
	s := &session{path: d, under: under, id: idOf(spec.Key), template: template, place: place, spec: spec}
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.remember(s) {
		s.judgedBy(spec.Filter)
		s.update()
	} else { // the path has been closed, and the place of the rates is about to go
		s.last, s.closed = under.Close(), true
	}
	return s
}

// remember says false when the data path is closed.
func (d *DataPath) remember(s *session) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.open[s] = struct{}{}
	}
	return !d.closed
}

func (d *DataPath) forget(s *session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, s)
}

// update brings the kernel's tables in line with the spec. What they do not take is carried by user space.
func (s *session) update() {
	entry := s.entry()
	if entry.Flags&(carryUp|carryDown) == 0 {
		s.withdraw()
		return
	}
	t := &s.path.tables
	number, ok := t.write(entry, s.ownIsFree())
	if !ok { // so many have changed just now
		s.withdraw()
		return
	}
	err := t.insert(s.id, s.template, number, &s.spec)
	if s.findable {
		s.drop()
	} else {
		s.path.carried.Add(1)
	}
	s.number, s.findable = number, true
	if err != nil {
		s.withdraw()
	}
}

// ownIsFree says that no program looks at the session's own place.
func (s *session) ownIsFree() bool {
	return (!s.findable || s.number != s.place) && (s.left.IsZero() || time.Since(s.left) > settled)
}

// drop leaves the entry that there was.
func (s *session) drop() {
	s.path.tables.drop(s.number, s.place)
	if s.number == s.place {
		s.left = time.Now()
	}
}

// withdraw leaves the session to user space.
func (s *session) withdraw() {
	if s.findable {
		t := &s.path.tables
		t.remove(s.id, s.template, s.number, &s.spec)
		s.drop()
		s.findable = false
		s.path.carried.Add(-1)
	}
}

// entry is the session as the programs see it.
func (s *session) entry() pathEntry {
	spec := &s.spec
	e := pathEntry{
		Id: s.id, Peer: number4(spec.Path.Remote.Addr()), Local: number4(spec.Path.Local),
		PeerPort:   networkOrder(spec.Path.Remote.Port()),
		PeerTunnel: networkOrder(spec.PeerTunnel), PeerSession: networkOrder(spec.PeerSession),
		Address: number4(spec.Address), Template: s.template, Place: s.place, Mru: datapath.DefaultPeerMRU,
		RateUp: spec.RateUp, RateDown: spec.RateDown, Mss: uint16(spec.MSS), Mss6: uint16(spec.MSS6),
	}
	if spec.PeerMRU != 0 {
		e.Mru = uint32(min(spec.PeerMRU, largestMRU))
	}
	paces := s.path.paces
	if s.filter != nil {
		e.Filter = s.filter.number
	}
	reachable := e.Peer != 0 && e.Local != 0 && !spec.Path.Secure && !s.unfit
	for _, f := range []struct {
		set  bool
		flag uint16
	}{
		{reachable && (paces || spec.RateUp == 0), carryUp},
		{reachable && (paces || spec.RateDown == 0) && !spec.Sequencing, carryDown},
		{spec.PFC, compressProtocol},
		{spec.ACFC, compressAddress},
		{len(spec.IPv6) > 0, carriesIPv6},
		{!s.path.byTheStack[s.template], mayGoStraight},
		{len(spec.Routes) > 0, hasRoutes},
	} {
		if f.set {
			e.Flags |= f.flag
		}
	}
	return e
}

// Counters implements datapath.Session.
func (s *session) Counters() datapath.Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return s.last
	}
	return s.together(s.under.Counters())
}

// together adds what the kernel has carried.
func (s *session) together(c datapath.Counters) datapath.Counters {
	f := s.path.tables.at(s.place)
	c.RxPackets += atomic.LoadUint64(&f.Up.Packets)
	c.RxOctets += atomic.LoadUint64(&f.Up.Octets)
	c.TxPackets += atomic.LoadUint64(&f.Down.Packets)
	c.TxOctets += atomic.LoadUint64(&f.Down.Octets)
	c.Drops += atomic.LoadUint64(&f.Up.Dropped) + atomic.LoadUint64(&f.Down.Dropped)
	c.LastRx = later(c.LastRx, s.path.epoch.time(atomic.LoadUint64(&f.Up.Last)))
	c.LastTx = later(c.LastTx, s.path.epoch.time(atomic.LoadUint64(&f.Down.Last)))
	return c
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// NextNs implements datapath.Session.
func (s *session) NextNs() uint16 { return s.under.NextNs() }

// SetPath implements datapath.Session.
func (s *session) SetPath(p datapath.Path) {
	s.change(func(spec *datapath.Spec) { spec.Path = p; s.under.SetPath(p) })
}

// SetRates implements datapath.Session.
func (s *session) SetRates(up, down uint64) {
	s.change(func(spec *datapath.Spec) { spec.RateUp, spec.RateDown = up, down; s.under.SetRates(up, down) })
}

// SetFilter implements datapath.Session.
func (s *session) SetFilter(f *datapath.Filter) {
	old := (*heldFilter)(nil)
	s.change(func(spec *datapath.Spec) {
		spec.Filter = f
		s.under.SetFilter(f)
		old = s.judgedBy(f)
	})
	s.path.filters.leave(old, time.Now())
}

// judgedBy puts a filter into the kernel, or nil for none, and gives the one that the session has had.
func (s *session) judgedBy(f *datapath.Filter) (old *heldFilter) {
	old, s.filter = s.filter, nil
	fits := true
	if f != nil {
		s.filter, fits = s.path.filters.take(f, time.Now())
	}
	if s.unfit == fits {
		s.unfit = !fits
		s.path.countUnfit(f, s.unfit)
	}
	return old
}

// change does nothing to a session that is closed: the place of its rates may be another's, or gone.
func (s *session) change(f func(*datapath.Spec)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		f(&s.spec)
		s.update()
	}
}

// Close implements datapath.Session.
func (s *session) Close() datapath.Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.withdraw()
		s.path.filters.leave(s.judgedBy(nil), time.Now())
		s.last = s.together(s.under.Close())
		s.closed = true
		s.path.tables.give(s.place)
		s.path.forget(s)
	}
	return s.last
}
