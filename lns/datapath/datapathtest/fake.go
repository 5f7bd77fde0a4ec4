package datapathtest

import (
	"slices"
	"sync"

	"lnsgate/lns/datapath"
)

// Fake is a data path for tests of the engine: it keeps every Spec, tells the figures it is given and carries nothing by itself. It
// starts no goroutine and reads no clock, so that it works in virtual time. It is safe for concurrent use.
type Fake struct {
	// Take, when it is set, answers for Ingress.Receive. Without it every datagram is left to the engine.
	Take func(from datapath.Path, datagram []byte) bool
	// Refuse, when it is set, is asked before each Add; its error is what Add answers.
	Refuse func(datapath.Spec) error
	// Forgetful keeps no History, for games of a million sessions.
	Forgetful bool

	mu       sync.Mutex
	sessions map[datapath.Key]*FakeSession
	history  []datapath.Spec
	filtered uint64
	closed   bool
}

// NewFake makes a Fake without sessions.
func NewFake() *Fake { return &Fake{sessions: make(map[datapath.Key]*FakeSession)} }

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
		if spec.Address.IsValid() && s.spec.Address == spec.Address && s.spec.Interface == spec.Interface {
			return nil, &datapath.DuplicateError{Key: spec.Key, Holder: key, Address: spec.Address}
		}
		for _, prefix := range spec.IPv6 {
			if s.spec.Interface == spec.Interface && slices.Contains(s.spec.IPv6, prefix) {
				return nil, &datapath.DuplicateError{Key: spec.Key, Holder: key, Prefix: prefix}
			}
		}
	}
	s := &FakeSession{fake: f, spec: spec, ns: spec.FirstNs}
	f.sessions[spec.Key] = s
	if !f.Forgetful {
		f.history = append(f.history, spec)
	}
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

// Ingress implements datapath.DataPath.
func (f *Fake) Ingress() datapath.Ingress { return fakeIngress{f} }

// Capabilities implements datapath.DataPath.
func (f *Fake) Capabilities() datapath.Capabilities {
	return datapath.Capabilities{Name: "fake", IPv6: true, Routes: true, Sequencing: true}
}

// Drops implements datapath.DataPath: it counts what FakeSession.Carry has dropped.
func (f *Fake) Drops() map[string]uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.filtered == 0 {
		return nil
	}
	return map[string]uint64{datapath.Filtered.String(): f.filtered}
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
	ns       uint16
}

// SetCounters makes the session tell these figures.
func (s *FakeSession) SetCounters(c datapath.Counters) {
	s.fake.mu.Lock()
	defer s.fake.mu.Unlock()
	s.counters = c
}

// Counters implements datapath.Session.
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

// SetRates implements datapath.Session: Fake.Specs tells the new bounds.
func (s *FakeSession) SetRates(up, down uint64) {
	s.fake.mu.Lock()
	defer s.fake.mu.Unlock()
	s.spec.RateUp, s.spec.RateDown = up, down
}

// SetFilter implements datapath.Session: Fake.Specs tells the new filter.
func (s *FakeSession) SetFilter(f *datapath.Filter) {
	s.fake.mu.Lock()
	defer s.fake.mu.Unlock()
	s.spec.Filter = f
}

// Carry says whether a packet would have passed the session's filter on its way up or down, and counts it as carried or
// dropped.
func (s *FakeSession) Carry(way datapath.Direction, packet []byte) bool {
	s.fake.mu.Lock()
	defer s.fake.mu.Unlock()
	switch {
	case !s.spec.Filter.Allows(way, packet):
		s.counters.Drops++
		s.fake.filtered++
		return false
	case way == datapath.Up:
		s.counters.RxPackets++
		s.counters.RxOctets += uint64(len(packet))
	default:
		s.counters.TxPackets++
		s.counters.TxOctets += uint64(len(packet))
	}
	return true
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

// fakeIngress is the way into a Fake.
type fakeIngress struct{ fake *Fake }

// Receive implements datapath.Ingress.
func (in fakeIngress) Receive(from datapath.Path, datagram []byte) bool {
	return in.fake.Take != nil && in.fake.Take(from, datagram)
}

// Keep implements datapath.Ingress.
func (fakeIngress) Keep() {}

// Flush implements datapath.Ingress.
func (fakeIngress) Flush() {}

var _ datapath.DataPath = (*Fake)(nil)
