package negotiate

import (
	"net/netip"
	"time"
)

// IPCPConfig says what one side of a link wants. All addresses are IPv4; the
// zero netip.Addr is "none".
type IPCPConfig struct {
	Local          netip.Addr    // our own address on the link
	Assign         netip.Addr    // serving side: what the peer gets
	DNS, NBNS      [2]netip.Addr // serving side: told to a peer that asks
	RequestAddress bool          // dialling side: ask the peer for our address, Local is then the one we would like
	RequestDNS     bool          // dialling side: ask the peer for DNS servers
	PeerMRU        uint16        // the largest packet the peer takes, octets, as LCP found out; 0 takes 1500
	Timing
}

// IPCPResult is what was agreed. It is complete while the state is Opened.
type IPCPResult struct {
	Local, Peer netip.Addr    // invalid if that side has none
	DNS, NBNS   [2]netip.Addr // dialling side: what the peer told us; serving side: what we told
}

// IPCP is the IP control protocol of one link. Its owner hands in the packets
// behind protocol number 0x8021, calls Advance when Deadline has come, and
// carries out what is in Out.
type IPCP struct {
	m   machine
	cfg IPCPConfig

	local  [4]byte    // the address in our request
	peer   [4]byte    // the address the peer was granted
	dns    [2][4]byte // dialling side: the servers in our request
	asking ipcpAsks   // the options in our request
}

// ipcpAsks are the options of our request; the peer's rejects clear them.
type ipcpAsks struct {
	address bool
	dns     [2]bool
}

// NewIPCP makes the machine, in state Initial.
func NewIPCP(cfg IPCPConfig) *IPCP {
	i := &IPCP{cfg: cfg}
	i.reset()
	return i
}

// Up says that the link below is ready for IPCP.
func (i *IPCP) Up(now time.Time, out *Out) { i.m.command(i, EventUp, now, out) }

// Down says that it no longer is.
func (i *IPCP) Down(now time.Time, out *Out) { i.m.command(i, EventDown, now, out) }

// Open asks for IP to be opened as soon as the link is up.
func (i *IPCP) Open(now time.Time, out *Out) { i.m.command(i, EventOpen, now, out) }

// Close asks for IP to be ended.
func (i *IPCP) Close(now time.Time, out *Out) { i.m.command(i, EventClose, now, out) }

// Receive takes an IPCP packet of the peer. What breaks the RFC is dropped.
func (i *IPCP) Receive(packet []byte, now time.Time, out *Out) { i.m.receive(i, packet, now, out) }

// ProtocolRejected says that the peer's LCP sent a Protocol-Reject for IPCP: it
// does not speak IP, and the layer finishes.
func (i *IPCP) ProtocolRejected(now time.Time, out *Out) { i.m.command(i, EventRXJBad, now, out) }

// Advance does what is due at now; before Deadline it does nothing.
func (i *IPCP) Advance(now time.Time, out *Out) {
	if !i.m.deadline.IsZero() && !now.Before(i.m.deadline) {
		i.m.timeout(i, now, out)
	}
}

// Deadline is when Advance wants to be called; zero means not at all.
func (i *IPCP) Deadline() time.Time { return i.m.deadline }

// State is the state of the automaton.
func (i *IPCP) State() State { return i.m.state }

// Reason says why the layer went down for good or finished.
func (i *IPCP) Reason() Reason { return i.m.reason }

// PeerText is the data of the peer's last Terminate-Request, raw octets of at
// most 128.
func (i *IPCP) PeerText() string { return i.m.peerText }

// Nudge repeats a Configure-Request that is unanswered when the peer is heard
// for the first time, see LCP.Nudge.
func (i *IPCP) Nudge(now time.Time, out *Out) { i.m.nudge(i, now, out) }

// Result is what was agreed so far.
func (i *IPCP) Result() IPCPResult {
	r := IPCPResult{Local: known(i.local), Peer: known(i.peer), DNS: i.cfg.DNS, NBNS: i.cfg.NBNS}
	if i.cfg.Assign.IsValid() {
		r.Peer = i.cfg.Assign
	}
	if i.cfg.RequestDNS {
		r.DNS = [2]netip.Addr{known(i.dns[0]), known(i.dns[1])}
	}
	return r
}

// known is the address, invalid if it is 0.0.0.0.
func known(a [4]byte) netip.Addr {
	if a == [4]byte{} {
		return netip.Addr{}
	}
	return netip.AddrFrom4(a)
}

// octets is the address as it stands in an option; 0.0.0.0 if there is none.
func octets(a netip.Addr) [4]byte {
	if a = a.Unmap(); a.Is4() {
		return a.As4()
	}
	return [4]byte{}
}
