package negotiate

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// InterfaceID is the lower half of an IPv6 address on a link (RFC 5072 section 4.1). Zero is none.
type InterfaceID [8]byte

// InterfaceIDOf is a number as an identifier, its most significant octet first.
func InterfaceIDOf(n uint64) (id InterfaceID) {
	binary.BigEndian.PutUint64(id[:], n)
	return id
}

// Number is the identifier as a number.
func (id InterfaceID) Number() uint64 { return binary.BigEndian.Uint64(id[:]) }

// LinkLocal is the address on the link that follows from the identifier (RFC 5072 section 5); invalid for zero.
func (id InterfaceID) LinkLocal() netip.Addr {
	if id == (InterfaceID{}) {
		return netip.Addr{}
	}
	a := [16]byte{0: 0xfe, 1: 0x80}
	copy(a[8:], id[:])
	return netip.AddrFrom16(a)
}

// IPv6CPConfig says what one side of a link wants.
type IPv6CPConfig struct {
	// Local is our own identifier. Zero asks the peer for one, which is for the side that dials.
	Local InterfaceID
	// Assign is what the peer must have. Zero lets it choose.
	Assign InterfaceID
	// Suggest is what a peer gets that may choose and has no usable identifier. It must be random, and not zero.
	Suggest InterfaceID
	PeerMRU uint16 // the largest packet the peer takes, octets, as LCP found out; 0 takes 1500
	Timing
}

// IPv6CPResult is what was agreed. It is complete while the state is Opened.
type IPv6CPResult struct {
	Local, Peer InterfaceID // zero if that side has none
}

// IPv6CP is the IPv6 control protocol of one link (RFC 5072). Its owner hands in the packets behind protocol number
// 0x8057, calls Advance when Deadline has come, and carries out what is in Out.
type IPv6CP struct {
	m   machine
	cfg IPv6CPConfig

	local, peer InterfaceID
	asking      bool // our request has an identifier in it
}

// NewIPv6CP makes the machine, in state Initial.
func NewIPv6CP(cfg IPv6CPConfig) *IPv6CP {
	i := &IPv6CP{cfg: cfg}
	i.reset()
	return i
}

// Up says that the link below is ready for IPv6CP.
func (i *IPv6CP) Up(now time.Time, out *Out) { i.m.command(i, EventUp, now, out) }

// Down says that it no longer is.
func (i *IPv6CP) Down(now time.Time, out *Out) { i.m.command(i, EventDown, now, out) }

// Open asks for IPv6 to be opened as soon as the link is up.
func (i *IPv6CP) Open(now time.Time, out *Out) { i.m.command(i, EventOpen, now, out) }

// Close asks for IPv6 to be ended.
func (i *IPv6CP) Close(now time.Time, out *Out) { i.m.command(i, EventClose, now, out) }

// Receive takes an IPv6CP packet of the peer. What breaks the RFC is dropped.
func (i *IPv6CP) Receive(packet []byte, now time.Time, out *Out) { i.m.receive(i, packet, now, out) }

// ProtocolRejected says that the peer's LCP sent a Protocol-Reject for IPv6CP: it does not speak IPv6, and the layer
// finishes.
func (i *IPv6CP) ProtocolRejected(now time.Time, out *Out) { i.m.command(i, EventRXJBad, now, out) }

// Advance does what is due at now; before Deadline it does nothing.
func (i *IPv6CP) Advance(now time.Time, out *Out) {
	if !i.m.deadline.IsZero() && !now.Before(i.m.deadline) {
		i.m.timeout(i, now, out)
	}
}

// Deadline is when Advance wants to be called; zero means not at all.
func (i *IPv6CP) Deadline() time.Time { return i.m.deadline }

// State is the state of the automaton.
func (i *IPv6CP) State() State { return i.m.state }

// Reason says why the layer went down for good or finished.
func (i *IPv6CP) Reason() Reason { return i.m.reason }

// PeerText is the data of the peer's last Terminate-Request, raw octets of at most 128.
func (i *IPv6CP) PeerText() string { return i.m.peerText }

// Nudge repeats a Configure-Request that is unanswered when the peer is heard for the first time, see LCP.Nudge.
func (i *IPv6CP) Nudge(now time.Time, out *Out) { i.m.nudge(i, now, out) }

// Result is what was agreed so far.
func (i *IPv6CP) Result() IPv6CPResult { return IPv6CPResult{Local: i.local, Peer: i.peer} }
