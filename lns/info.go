package lns

import (
	"net/netip"
	"time"

	"lnsgate/lns/datapath"
	"lnsgate/lns/negotiate"
)

// TunnelInfo is what an operator sees of one tunnel: a copy, taken by the goroutine that owns the tunnel.
type TunnelInfo struct {
	LocalID   uint16         // the id we chose
	RemoteID  uint16         // the id the peer chose
	Remote    netip.AddrPort // where the peer sends from
	Local     netip.Addr     // the address of ours that it spoke to; zero when unknown
	HostName  string         // the peer's host name as it gave it
	Vendor    string         // the peer's vendor name as it gave it
	Group     string         // the l2tp group that matched
	Profile   string         // the kind of client that it is treated as
	State     string         // RFC 2661 section 7.2 state
	Sessions  int
	Since     time.Time
	LastHeard time.Time
}

// SessionInfo is what an operator sees of one session: a copy, taken by the goroutine that owns its tunnel.
type SessionInfo struct {
	Name            string // "TUNNEL/SESSION" in our own ids; the handle for kick
	UID             string // unique over all nodes and restarts: what accounting calls it
	LocalTunnel     uint16
	LocalID         uint16
	RemoteTunnel    uint16
	RemoteID        uint16
	Remote          netip.AddrPort
	HostName        string // the peer's host name
	User            string // the name as typed
	Account         string // the account that it matched; empty before authentication
	Domain          string
	VirtualTemplate string
	Address         netip.Addr // zero before a lease is held
	Pool            string
	IPv6            []netip.Prefix // the prefix of the link, and that behind the peer; empty: none
	Phase           string         // where in its life the session is
	Method          string         // pap, chap, mschapv2
	MRU             int            // what the peer may send us
	PeerMRU         int            // what we may send the peer
	Since           time.Time      // the moment the call came up
	OpenSince       time.Time      // the moment user traffic could flow; zero before
	Identification  []string       // what the peer said of itself in LCP, printable
	CallingNumber   string
	CalledNumber    string
	CircuitID       string // of the line behind a LAC (RFC 5515 section 5.1); empty: not told
	LineID          string // the subscriber's own id on that line (RFC 5515 section 5.2)
	LineUp          uint64 // what the line carries from the subscriber, bits per second; 0: not told
	LineDown        uint64 // and to the subscriber
	SessionTimeout  time.Duration
	IdleTimeout     time.Duration
	RateUp          uint64         // from the peer, bits per second; 0 = no limit
	RateDown        uint64         // to the peer, bits per second; 0 = no limit
	Filter          string         // of its traffic; empty: none
	Routes          []netip.Prefix // networks behind the peer
	Backend         string         // which back end said yes
	Counters        datapath.Counters
	Quality         negotiate.Quality // of the line, by LCP echoes
	LoginsLastHour  int               // of the account, with this one, on this node
}
