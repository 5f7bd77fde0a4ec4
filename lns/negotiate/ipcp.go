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
	RequestAddress bool          // dialling side: ask the peer for our address
	RequestDNS     bool          // dialling side: ask the peer for DNS servers
	Timing
}

// IPCPResult is what was agreed. It is complete while the state is Opened.
type IPCPResult struct {
	Local, Peer netip.Addr
	DNS, NBNS   [2]netip.Addr // dialling side: what the peer told us
}

// IPCP is the IP control protocol of one link.
type IPCP struct {
	cfg IPCPConfig
}

// NewIPCP makes the machine, in state Initial.
func NewIPCP(cfg IPCPConfig) *IPCP { return &IPCP{cfg: cfg} }

func (i *IPCP) Up(now time.Time, out *Out)                     {}
func (i *IPCP) Down(now time.Time, out *Out)                   {}
func (i *IPCP) Open(now time.Time, out *Out)                   {}
func (i *IPCP) Close(now time.Time, out *Out)                  {}
func (i *IPCP) Receive(packet []byte, now time.Time, out *Out) {}
func (i *IPCP) Advance(now time.Time, out *Out)                {}
func (i *IPCP) Deadline() time.Time                            { return time.Time{} }
func (i *IPCP) State() State                                   { return Initial }
func (i *IPCP) Reason() Reason                                 { return ReasonNone }
func (i *IPCP) PeerText() string                               { return "" }
func (i *IPCP) Result() IPCPResult                             { return IPCPResult{} }
func (i *IPCP) Nudge(now time.Time, out *Out)                  {}

// ProtocolRejected is called when the peer's LCP sent a Protocol-Reject for IPCP.
func (i *IPCP) ProtocolRejected(now time.Time, out *Out) {}
