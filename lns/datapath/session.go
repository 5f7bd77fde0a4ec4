package datapath

import (
	"fmt"
	"net/netip"
	"time"
)

// Key names a session by the ids we chose and the peer writes into its data headers (RFC 2661 section 3.1).
type Key struct {
	Tunnel, Session uint16
}

// String reads "12/7": tunnel, then session.
func (k Key) String() string { return fmt.Sprintf("%d/%d", k.Tunnel, k.Session) }

// Spec is all that a data path must know to carry one session.
type Spec struct {
	// Key is what incoming data headers carry.
	Key Key
	// Path is where outgoing data goes and incoming data must come from.
	Path Path
	// PeerTunnel and PeerSession are the ids the peer chose: what outgoing data headers carry.
	PeerTunnel, PeerSession uint16
	// Interface names the virtual template, the network interface of this host that the session belongs to.
	Interface string
	// Address is the peer's IPv4 address: packets to it are sent into the session, packets from the session must come from
	// it. Zero: no IPv4 packets are carried.
	Address netip.Addr
	// Routes are IPv4 prefixes behind the peer, treated like Address.
	Routes []netip.Prefix
	// IPv6 are the peer's IPv6 prefixes, that of the link and those behind the peer, treated like Address. Empty: no IPv6
	// packets are carried. What a peer says to its neighbour (ForNeighbour) goes to the engine.
	IPv6 []netip.Prefix
	// PeerMRU is the largest IP packet, in octets, that may be sent to the peer. Zero means 1500.
	PeerMRU int
	// MSS is the largest TCP segment, in octets, that SYNs of both directions may announce. Zero changes nothing.
	MSS int
	// MSS6 is the same for TCP over IPv6.
	MSS6 int
	// PFC and ACFC say which PPP header compressions we may use towards the peer (RFC 1661 sections 6.5 and 6.6).
	PFC, ACFC bool
	// Sequencing puts Ns into outgoing data headers (RFC 2661 section 5.4). Sequence numbers that the peer sends are
	// honoured always.
	Sequencing bool
	// FirstNs is the Ns of the next data message towards the peer, when the engine has sent some before the session was
	// added. It counts only with Sequencing.
	FirstNs uint16
	// RateUp and RateDown bound what is carried from and to the peer, in bits per second of IP packets. Zero is no bound.
	// A data path may let packets wait for a moment before it drops those over the bound.
	RateUp, RateDown uint64
	// Paid is where these bounds are kept, if another data path lies over this one and keeps to them too.
	Paid Paid
	// Filter decides which packets are carried. Nil lets all pass.
	Filter *Filter
}

// Counters are a session's figures since it was added. Rx is from the peer, Tx is to the peer. Octets are those of the
// IP packets, without PPP and L2TP headers, as accounting wants them.
type Counters struct {
	RxPackets, RxOctets uint64
	TxPackets, TxOctets uint64
	// Drops counts packets of this session that were not carried, in both directions, for any reason.
	Drops uint64
	// LastRx and LastTx are the times of the last packet carried each way; zero means none yet.
	// A data path may round them down, by a second at most. They keep the monotonic clock reading, so that setting the
	// clock of the host neither ages nor renews a session.
	LastRx, LastTx time.Time
}

// Session is one subscriber's entry in the data path. It is safe for concurrent use.
type Session interface {
	// Counters tells the figures so far.
	Counters() Counters
	// NextNs takes the next number of the session's data sequence. PPP control frames are data messages too, so with
	// Sequencing the engine numbers those it sends from here (RFC 2661 section 5.4). After Close it tells where to go on.
	NextNs() uint16
	// SetPath makes the session send to and hear from another address and port. It does not ask whether its peer is there:
	// that is the caller's to find out.
	SetPath(Path)
	// SetRates changes the bounds of the spec from now on.
	SetRates(up, down uint64)
	// SetFilter puts another filter in the place of the spec's, for packets that come from now on; nil lets all pass. No
	// packet is judged by parts of both.
	SetFilter(*Filter)
	// Close takes the entry out and tells the last figures. Nothing that arrives after it returns is carried; what a
	// reader has already received may still be written by its next Flush, and is not in the figures. Closing again does nothing and tells the same
	// figures.
	Close() Counters
}
