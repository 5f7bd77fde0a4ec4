package datapathtest

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/ppp"
)

// Fake is a data path in memory for tests of the engine: it keeps every Spec, takes user packets of its sessions and
// keeps those too, and sends packets when told to. It starts no goroutine and reads no clock, so that it works in virtual
// time. It is safe for concurrent use.
type Fake struct {
	// Sender takes what Send sends. It may be nil when Send is not used.
	Sender datapath.Sender
	// Refuse, when it is set, is asked before each Add; its error is what Add answers.
	Refuse func(datapath.Spec) error

	mu       sync.Mutex
	sessions map[datapath.Key]*FakeSession
	history  []datapath.Spec
	drops    map[string]uint64
	closed   bool
}

// NewFake makes a Fake. sender may be nil.
func NewFake(sender datapath.Sender) *Fake {
	return &Fake{Sender: sender, sessions: make(map[datapath.Key]*FakeSession), drops: make(map[string]uint64)}
}

// Add implements datapath.DataPath.
func (f *Fake) Add(spec datapath.Spec) (datapath.Session, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	if f.Refuse != nil {
		if err := f.Refuse(spec); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sessions[spec.Key] != nil {
		return nil, &datapath.DuplicateError{Key: spec.Key, Holder: spec.Key}
	}
	for key, s := range f.sessions {
		if s.spec.Address == spec.Address && s.spec.Interface == spec.Interface {
			return nil, &datapath.DuplicateError{Key: spec.Key, Holder: key, Address: spec.Address}
		}
	}
	s := &FakeSession{fake: f, spec: spec, ns: spec.FirstNs}
	f.sessions[spec.Key] = s
	f.history = append(f.history, spec)
	return s, nil
}

// Specs are those of the sessions that are open, by key.
func (f *Fake) Specs() []datapath.Spec {
	f.mu.Lock()
	defer f.mu.Unlock()
	var specs []datapath.Spec
	for _, s := range f.sessions {
		specs = append(specs, s.spec)
	}
	slices.SortFunc(specs, func(a, b datapath.Spec) int {
		return int(a.Key.Tunnel)<<16 + int(a.Key.Session) - int(b.Key.Tunnel)<<16 - int(b.Key.Session)
	})
	return specs
}

// History is every spec that was ever added, in order.
func (f *Fake) History() []datapath.Spec {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.history)
}

// Session is an open session, or nil.
func (f *Fake) Session(key datapath.Key) *FakeSession {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sessions[key]
}

// Send sends an IP packet into the session that has its destination address.
func (f *Fake) Send(packet []byte) error {
	if len(packet) < 20 {
		return fmt.Errorf("a packet of %d octets", len(packet))
	}
	to := netip.AddrFrom4([4]byte(packet[16:20]))
	f.mu.Lock()
	var s *FakeSession
	for _, candidate := range f.sessions {
		if candidate.spec.Address == to {
			s = candidate
		}
	}
	if s == nil {
		f.drops[datapath.DestinationUnknown.String()]++
		f.mu.Unlock()
		return fmt.Errorf("no session has the address %s", to)
	}
	datagram, path := s.encapsulate(packet), s.spec.Path
	f.mu.Unlock()
	return f.Sender.Send(path, datagram)
}

// Ingress implements datapath.DataPath.
func (f *Fake) Ingress() datapath.Ingress { return fakeIngress{f} }

// Capabilities implements datapath.DataPath.
func (f *Fake) Capabilities() datapath.Capabilities {
	return datapath.Capabilities{Name: "fake", Routes: true, Sequencing: true}
}

// Drops implements datapath.DataPath.
func (f *Fake) Drops() map[string]uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.drops)
}

// Close implements datapath.DataPath.
func (f *Fake) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	clear(f.sessions)
	return nil
}

// Closed says that Close was called.
func (f *Fake) Closed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closed
}

// FakeSession is a session of a Fake.
type FakeSession struct {
	fake     *Fake
	spec     datapath.Spec
	counters datapath.Counters
	received [][]byte
	ns       uint16
}

// Received are the IP packets that came from the peer.
func (s *FakeSession) Received() [][]byte {
	s.fake.mu.Lock()
	defer s.fake.mu.Unlock()
	return slices.Clone(s.received)
}

// SetCounters makes the session tell these figures, and count on from them.
func (s *FakeSession) SetCounters(c datapath.Counters) {
	s.fake.mu.Lock()
	defer s.fake.mu.Unlock()
	s.counters = c
}

// Counters implements datapath.Session. Without a clock, the times are those that SetCounters has set.
func (s *FakeSession) Counters() datapath.Counters {
	s.fake.mu.Lock()
	defer s.fake.mu.Unlock()
	return s.counters
}

// NextNs implements datapath.Session.
func (s *FakeSession) NextNs() uint16 {
	s.fake.mu.Lock()
	defer s.fake.mu.Unlock()
	s.ns++
	return s.ns - 1
}

// SetPath implements datapath.Session.
func (s *FakeSession) SetPath(p datapath.Path) {
	s.fake.mu.Lock()
	defer s.fake.mu.Unlock()
	s.spec.Path = p
}

// Close implements datapath.Session.
func (s *FakeSession) Close() datapath.Counters {
	s.fake.mu.Lock()
	defer s.fake.mu.Unlock()
	if s.fake.sessions[s.spec.Key] == s {
		delete(s.fake.sessions, s.spec.Key)
	}
	return s.counters
}

// encapsulate makes a datagram and counts it; the lock is held.
func (s *FakeSession) encapsulate(packet []byte) []byte {
	header := l2tp.Header{
		Length: !s.spec.OmitLength, Sequence: s.spec.Sequencing,
		Tunnel: l2tp.TunnelID(s.spec.PeerTunnel), Session: l2tp.SessionID(s.spec.PeerSession),
	}
	if s.spec.Sequencing {
		header.Ns = s.ns
		s.ns++
	}
	frame := ppp.AppendFrameHeader(nil, ppp.IPv4, ppp.Framing{PFC: s.spec.PFC, ACFC: s.spec.ACFC})
	frame = append(frame, packet...)
	s.counters.TxPackets++
	s.counters.TxOctets += uint64(len(packet))
	return append(l2tp.AppendDataHeader(nil, header, len(frame)), frame...)
}

// fakeIngress is the way into a Fake.
type fakeIngress struct{ fake *Fake }

// Receive implements datapath.Ingress.
func (in fakeIngress) Receive(from datapath.Path, datagram []byte) bool {
	if l2tp.IsControl(datagram) {
		return false
	}
	f := in.fake
	f.mu.Lock()
	defer f.mu.Unlock()
	header, payload, err := l2tp.ParseHeader(datagram)
	if err != nil {
		f.drops[datapath.HeaderMalformed.String()]++
		return true
	}
	s := f.sessions[datapath.Key{Tunnel: uint16(header.Tunnel), Session: uint16(header.Session)}]
	if s == nil {
		return false
	}
	protocol, packet, err := ppp.ParseFrame(payload)
	switch {
	case s.spec.Path.Remote != from.Remote:
		s.drop(datapath.PeerMismatch)
	case err != nil:
		s.drop(datapath.FrameMalformed)
	case protocol != ppp.IPv4:
		return false
	case len(packet) < 20:
		s.drop(datapath.PacketMalformed)
	case netip.AddrFrom4([4]byte(packet[12:16])) != s.spec.Address && !s.routes(netip.AddrFrom4([4]byte(packet[12:16]))):
		s.drop(datapath.SourceNotLeased)
	default:
		s.counters.RxPackets++
		s.counters.RxOctets += uint64(len(packet))
		s.received = append(s.received, bytes.Clone(packet))
	}
	return true
}

// Flush implements datapath.Ingress.
func (fakeIngress) Flush() {}

func (s *FakeSession) drop(reason datapath.Reason) {
	s.counters.Drops++
	s.fake.drops[reason.String()]++
}

func (s *FakeSession) routes(source netip.Addr) bool {
	return slices.ContainsFunc(s.spec.Routes, func(p netip.Prefix) bool { return p.Contains(source) })
}

var _ datapath.DataPath = (*Fake)(nil)
