package tun

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/ppp"
)

// session is one subscriber. What is set when it is added never changes; the rest is atomic. The readers' figures and
// those of the queues lie on cache lines of their own, so that the two directions do not slow each other down.
type session struct {
	path *DataPath
	port *port
	key  datapath.Key

	address netip.Addr // zero: IPv4 is not carried
	source  uint32     // address as a number
	routes  []netip.Prefix
	six     []netip.Prefix // empty: IPv6 is not carried
	mru     int
	mss     uint16
	mss6    uint16

	header   l2tp.Header // of outgoing data; Ns is filled in per packet
	framing  ppp.Framing
	overhead int // octets of the L2TP and PPP headers

	to     atomic.Pointer[datapath.Path]
	filter atomic.Pointer[datapath.Filter]

	_  [64]byte
	rx figures
	up rate
	// order is the state of the peer's sequence numbers.
	order atomic.Uint32
	_     [64]byte
	tx    figures
	down  rate
	// ns is how many data messages have been numbered; its low 16 bits are the next Ns.
	ns atomic.Uint32

	closing sync.Once
	closed  atomic.Bool
	last    datapath.Counters
}

// figures counts one direction.
type figures struct {
	packets, octets, drops atomic.Uint64
	// last is when the last packet came: the second since the data path's epoch, the first one being 1; 0 for none.
	last atomic.Int64
}

// count counts a packet at a time in nanoseconds since the epoch.
func (f *figures) count(octets int, now int64) {
	f.packets.Add(1)
	f.octets.Add(uint64(octets))
	if second := now/1e9 + 1; f.last.Load() != second {
		f.last.Store(second)
	}
}

func (f *figures) time(epoch time.Time) time.Time {
	if second := f.last.Load(); second != 0 {
		return epoch.Add(time.Duration(second-1) * time.Second)
	}
	return time.Time{}
}

func newSession(d *DataPath, p *port, spec datapath.Spec) *session {
	s := &session{
		path: d, port: p, key: spec.Key,
		address: spec.Address, source: number(spec.Address), routes: spec.Routes, six: spec.IPv6,
		mru: datapath.DefaultPeerMRU, mss: uint16(spec.MSS), mss6: uint16(spec.MSS6),
		header: l2tp.Header{
			Length: true, Sequence: spec.Sequencing,
			Tunnel: l2tp.TunnelID(spec.PeerTunnel), Session: l2tp.SessionID(spec.PeerSession),
		},
		framing: ppp.Framing{PFC: spec.PFC, ACFC: spec.ACFC},
	}
	if spec.PeerMRU != 0 {
		s.mru = min(spec.PeerMRU, largestMRU)
	}
	var scratch [headroom]byte
	s.overhead = len(s.appendHeaders(scratch[:0], ppp.IPv4, 0, 0))
	s.ns.Store(uint32(spec.FirstNs))
	s.SetPath(spec.Path)
	s.up.lane, s.down.lane = spec.Paid.Up, spec.Paid.Down
	s.SetRates(spec.RateUp, spec.RateDown)
	s.SetFilter(spec.Filter)
	return s
}

// largestMRU leaves room for all headers in a UDP datagram.
const largestMRU = 65400

// number is an IPv4 address as a number; 0 for none.
func number(a netip.Addr) uint32 {
	if !a.IsValid() {
		return 0
	}
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

// id is our tunnel and session id as a table key.
func id(tunnel, session uint16) uint32 { return uint32(tunnel)<<16 | uint32(session) }

// appendHeaders appends the L2TP and PPP headers of a packet. They are as long for one IP as for the other.
func (s *session) appendHeaders(b []byte, protocol ppp.Protocol, packetLen int, ns uint16) []byte {
	h := s.header
	h.Ns = ns
	pppLen := 4
	if s.framing.ACFC {
		pppLen -= 2
	}
	if s.framing.PFC {
		pppLen--
	}
	b = l2tp.AppendDataHeader(b, h, pppLen+packetLen)
	return ppp.AppendFrameHeader(b, protocol, s.framing)
}

// owns says whether the peer may send from an address: its own, or one that packets to it would be sent to as well. An
// address inside its routes can belong to another session, whose address or longer route it is.
func (s *session) owns(source uint32) bool {
	return source == s.source || len(s.routes) > 0 && s.port.lookup(source) == s
}

// owns6 says the same of an IPv6 address.
func (s *session) owns6(source netip.Addr) bool { return s.port.routes.lookup6(source) == s }

// NextNs implements datapath.Session.
func (s *session) NextNs() uint16 { return uint16(s.ns.Add(1) - 1) }

// SetPath implements datapath.Session.
func (s *session) SetPath(p datapath.Path) { s.to.Store(&p) }

// SetRates implements datapath.Session.
func (s *session) SetRates(up, down uint64) {
	now := s.path.now()
	s.up.change(up, now)
	s.down.change(down, now)
}

// SetFilter implements datapath.Session.
func (s *session) SetFilter(f *datapath.Filter) { s.filter.Store(f) }

// Counters implements datapath.Session.
func (s *session) Counters() datapath.Counters {
	return datapath.Counters{
		RxPackets: s.rx.packets.Load(), RxOctets: s.rx.octets.Load(),
		TxPackets: s.tx.packets.Load(), TxOctets: s.tx.octets.Load(),
		Drops:  s.rx.drops.Load() + s.tx.drops.Load(),
		LastRx: s.rx.time(s.path.epoch), LastTx: s.tx.time(s.path.epoch),
	}
}

// Close implements datapath.Session.
func (s *session) Close() datapath.Counters {
	s.closing.Do(func() {
		s.path.forget(s)
		s.closed.Store(true)
		s.last = s.Counters()
	})
	return s.last
}

// rateOf is the bound of one direction.
func (s *session) rateOf(way datapath.Direction) *rate {
	if way == datapath.Up {
		return &s.up
	}
	return &s.down
}

func (s *session) dropRx(reason datapath.Reason) {
	s.rx.drops.Add(1)
	s.path.drops.add(reason, 1)
}

func (s *session) dropTx(reason datapath.Reason) {
	s.tx.drops.Add(1)
	s.path.drops.add(reason, 1)
}
