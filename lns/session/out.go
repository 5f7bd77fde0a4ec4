package session

import (
	"net/netip"

	"lnsgate/lns/l2tp"
	"lnsgate/lns/ppp"
	"lnsgate/lns/trace"
	"lnsgate/pool"
)

// Out collects what must be done, in this order: Suspend, Frames, then the rest. The caller carries it out and resets it.
type Out struct {
	// Suspend takes the session out of the data path: its addresses are being negotiated again, or it is closing.
	Suspend bool
	// Frames go to the peer.
	Frames []ppp.Frame
	// Ask wants a login checked.
	Ask *Ask
	// Returns are leases that are given back.
	Returns []pool.Lease
	// Address wants leases. It may be answered with some of the returned ones, so those must be back before it is asked.
	Address *AddressAsk
	// Open puts the session into the data path.
	Open *Opened
	// End is the last word: the session is over.
	End *End
}

// Opened is what the data path must know of a session whose addresses are agreed.
type Opened struct {
	Address netip.Addr     // zero: no IPv4
	Routes  []netip.Prefix // with Address
	IPv6    []netip.Prefix // empty: no IPv6
	// PeerMRU is the largest IP packet in octets towards the peer, LocalMRU the largest that the peer may send.
	PeerMRU, LocalMRU int
	Framing           ppp.Framing
}

// End is why a session is over, and what the LAC is told (RFC 2661 section 6.12).
type End struct {
	Verdict trace.Verdict
	Result  l2tp.ResultCode
	Cause   *l2tp.PPPDisconnectCause // what PPP died of (RFC 3145); nil: not PPP's doing
	// PeerKnows says that the call or its tunnel is already gone: nothing is to be sent.
	PeerKnows bool
}
