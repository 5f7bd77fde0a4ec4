package admin

import (
	"net/netip"
	"time"
)

// Tunnel is one L2TP control connection. Names of fields follow the columns that operators of routers know.
type Tunnel struct {
	LocalID       uint16     `json:"local_id"`  // the id we chose
	RemoteID      uint16     `json:"remote_id"` // the id the peer chose
	RemoteAddress netip.Addr `json:"remote_address,omitzero"`
	RemotePort    uint16     `json:"remote_port"`
	LocalAddress  netip.Addr `json:"local_address,omitzero"` // the address of ours the peer spoke to
	RemoteName    string     `json:"remote_name"`            // the host name the peer gave (RFC 2661 section 4.4.3)
	Vendor        string     `json:"vendor,omitempty"`
	Group         string     `json:"group"`                    // the l2tp group that matched
	Profile       string     `json:"client_profile,omitempty"` // the kind of client that it is treated as; left out: none
	State         string     `json:"state"`                    // RFC 2661 section 7.2
	Sessions      int        `json:"sessions"`
	Since         time.Time  `json:"since,omitzero"`
	Age           int64      `json:"age_seconds"`
	LastHeard     time.Time  `json:"last_heard,omitzero"`
}

// Session is one L2TP call and the PPP link on it. Rx is from the peer, Tx is to the peer; octets are those of IP packets.
type Session struct {
	Session         string         `json:"session"`       // "LOCALTUNNEL/LOCALID", or what records call it when a NAS carries it: the handle for kick
	NAS             string         `json:"nas,omitempty"` // which other NAS carries it; left out: this server
	LocalTunnel     uint16         `json:"local_tunnel"`
	LocalID         uint16         `json:"local_id"`
	RemoteTunnel    uint16         `json:"remote_tunnel"`
	RemoteID        uint16         `json:"remote_id"`
	RemoteAddress   netip.Addr     `json:"remote_address,omitzero"`
	RemotePort      uint16         `json:"remote_port"`
	RemoteName      string         `json:"remote_name"`
	User            string         `json:"user"`              // as typed; empty before authentication
	Account         string         `json:"account,omitempty"` // as stored
	Domain          string         `json:"domain,omitempty"`
	VirtualTemplate string         `json:"virtual_template"`
	Address         netip.Addr     `json:"address,omitzero"` // the peer's; left out before it has one
	Pool            string         `json:"pool,omitempty"`
	Phase           string         `json:"phase"`            // where in its life the session is
	Method          string         `json:"method,omitempty"` // pap, chap, mschapv2
	MRU             int            `json:"mru"`              // what the peer may send us, in octets
	PeerMRU         int            `json:"peer_mru"`         // what we may send the peer, in octets
	Since           time.Time      `json:"since,omitzero"`   // the call came up
	UpSince         time.Time      `json:"up_since,omitzero"`
	Up              int64          `json:"up_seconds"` // since UpSince; 0 before
	CallingNumber   string         `json:"calling_number,omitempty"`
	CalledNumber    string         `json:"called_number,omitempty"`
	CircuitID       string         `json:"circuit_id,omitempty"` // of the line, as its LAC says (RFC 5515)
	LineID          string         `json:"line_id,omitempty"`    // the LAC's Agent-Remote-Id
	LineUp          uint64         `json:"line_up,omitempty"`    // what the line carries from the subscriber, bits per second
	LineDown        uint64         `json:"line_down,omitempty"`
	SessionTimeout  int64          `json:"session_timeout_seconds,omitempty"` // left out: no limit
	IdleTimeout     int64          `json:"idle_timeout_seconds,omitempty"`    // left out: no limit
	RateUp          uint64         `json:"rate_up,omitempty"`                 // from the peer, bits per second; left out: no limit
	RateDown        uint64         `json:"rate_down,omitempty"`               // to the peer, bits per second; left out: no limit
	Filter          string         `json:"filter,omitempty"`                  // of its traffic
	Routes          []netip.Prefix `json:"routes,omitempty"`                  // networks behind the peer
	IPv6            []netip.Prefix `json:"ipv6,omitempty"`                    // the prefix of the link, and the delegated one
	Backend         string         `json:"backend,omitempty"`                 // who said yes
	Record          string         `json:"record,omitempty"`                  // what accounting calls it (Acct-Session-Id)
	RxPackets       uint64         `json:"rx_packets"`
	RxOctets        uint64         `json:"rx_octets"`
	TxPackets       uint64         `json:"tx_packets"`
	TxOctets        uint64         `json:"tx_octets"`
	Drops           uint64         `json:"drops"`               // packets not carried, both ways
	LastHeard       time.Time      `json:"last_heard,omitzero"` // of a session on another NAS: its last record
	LastRx          time.Time      `json:"last_rx,omitzero"`
	LastTx          time.Time      `json:"last_tx,omitzero"`
	LoginsLastHour  int            `json:"logins_last_hour,omitempty"` // of the account on this server, with this one
	Line            *Line          `json:"line,omitempty"`             // left out: the line was never asked
}

// Line is how well the line of a session answers the LCP Echo-Requests that are sent while its subscriber is silent.
type Line struct {
	Sent     uint32    `json:"sent"`                // since the link opened
	Lost     uint32    `json:"lost"`                // that got no answer
	Last     float64   `json:"last_ms"`             // round trip; 0: there was none lately
	Smoothed float64   `json:"smoothed_ms"`         // as TCP smooths its own
	Shortest float64   `json:"shortest_ms"`         // of the recent ones
	Longest  float64   `json:"longest_ms"`          // of the recent ones
	Recent   []float64 `json:"recent_ms,omitempty"` // at most 32 round trips, the oldest first; -1: no answer. Left out in long lists
}

// Pool is how full one address pool is, in addresses.
type Pool struct {
	Name        string `json:"name"`
	Size        uint64 `json:"size"`
	Leased      uint64 `json:"leased"`
	Quarantined uint64 `json:"quarantined"` // released a moment ago, not given again yet
	Static      uint64 `json:"static"`      // reserved for accounts, whether held or not
	Free        uint64 `json:"free"`
}

// Domain is one department: who checks its users and what they get.
type Domain struct {
	Name            string         `json:"name"`
	Default         bool           `json:"default"` // serves names typed without a domain
	Aliases         []string       `json:"aliases,omitempty"`
	Authentication  []string       `json:"authentication"`    // back ends in the order they are asked
	Methods         []string       `json:"methods,omitempty"` // left out: any
	Pools           []string       `json:"pools"`             // in the order they are used
	DNS             []netip.Addr   `json:"dns,omitempty"`
	NBNS            []netip.Addr   `json:"nbns,omitempty"`
	ClientRoutes    []netip.Prefix `json:"client_routes,omitempty"` // told to subscribers by DHCP
	DNSSuffix       string         `json:"dns_suffix,omitempty"`
	SessionTimeout  int64          `json:"session_timeout_seconds,omitempty"`
	IdleTimeout     int64          `json:"idle_timeout_seconds,omitempty"`
	MTU             int            `json:"mtu,omitempty"`
	VirtualTemplate string         `json:"virtual_template,omitempty"`
	Sessions        int            `json:"sessions"` // open now
}

// RADIUSServer is one server of a RADIUS group in one of its two roles.
type RADIUSServer struct {
	Group     string            `json:"group"`
	Role      string            `json:"role"` // authentication or accounting
	Address   string            `json:"address"`
	Transport string            `json:"transport"` // udp or tls
	Priority  int               `json:"priority"`
	State     string            `json:"state"` // alive, zombie, dead or probing
	Since     time.Time         `json:"since,omitzero"`
	Fault     string            `json:"fault,omitempty"` // what is wrong with the connection
	Signs     bool              `json:"signs"`           // its replies must carry a Message-Authenticator
	RTT       time.Duration     `json:"rtt_nanoseconds"`
	InFlight  int               `json:"in_flight"`
	Queued    int               `json:"queued"`
	Requests  uint64            `json:"requests"`
	Resent    uint64            `json:"resent"`
	Answered  uint64            `json:"answered"`
	TimedOut  uint64            `json:"timed_out"`
	Discarded map[string]uint64 `json:"discarded,omitempty"` // replies that were thrown away, by reason
}

// NAS is a client of our RADIUS server: a NAS, or a network of them, that may ask. Figures are since the server started.
type NAS struct {
	Name       string            `json:"name"`
	Source     netip.Prefix      `json:"source"`
	Type       string            `json:"type"`     // in whose words it is answered, as in the configuration
	Requests   uint64            `json:"requests"` // of all kinds, whatever became of them
	Accepted   uint64            `json:"accepted"`
	Rejected   uint64            `json:"rejected"`
	Challenged uint64            `json:"challenged"`        // answered with a question, as EAP is
	Recorded   uint64            `json:"recorded"`          // records that were stored
	Repeated   uint64            `json:"repeated"`          // answered once more with the same
	Dropped    map[string]uint64 `json:"dropped,omitempty"` // that got no answer, by reason
}

// Version is the running program.
type Version struct {
	Version string    `json:"version"`
	Go      string    `json:"go"` // the Go release that built it
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	Uptime  int64     `json:"uptime_seconds"`
}

// SessionFilter narrows a list of sessions. Empty fields match everything; all that are given must match.
type SessionFilter struct {
	User    string       // the name as typed or the account, exactly
	Domain  string       // in any case
	Session string       // the handle
	Address netip.Addr   // of the subscriber
	Peer    netip.Prefix // where the tunnel comes from
	Phase   string
	Pool    string
	Search  string // a part of a name, an address or a number
}

// SessionPage is one page of a list of sessions.
type SessionPage struct {
	Sessions []Session
	Total    int    // that match, on all pages
	Next     string // the cursor of the page behind this one; empty: this is the last
}

// KickRequest says what to end: exactly one of Session and User.
type KickRequest struct {
	Session string `json:"session,omitempty"` // as in [Session.Session]
	User    string `json:"user,omitempty"`    // every session of this user
	Reason  string `json:"reason,omitempty"`  // for the log and for the peer
}

// KickResult says how many sessions were ended; it is never 0, since to find none is an error.
type KickResult struct {
	Kicked int `json:"kicked"`
}

// Reloaded says what a reload has left as it was.
type Reloaded struct {
	Waiting []string `json:"waiting,omitempty"` // keys that have changed, and take effect at the next start
}

// The answers to the GET requests. A list is wrapped in an object so that more can be said beside it later.
type (
	tunnelList struct {
		Tunnels []Tunnel `json:"tunnels"`
		Next    string   `json:"next,omitempty"` // give it as after for the next page; left out: that was all
	}
	sessionList struct {
		Sessions []Session `json:"sessions"`
		Total    int       `json:"total,omitempty"`   // that match, on all pages
		Next     string    `json:"next,omitempty"`    // give it as after for the next page; left out: that was all
		Warning  string    `json:"warning,omitempty"` // why some sessions are missing
	}
	poolList struct {
		Pools   []Pool `json:"pools"`
		Warning string `json:"warning,omitempty"` // why some pools are missing
	}
	domainList struct {
		Domains []Domain `json:"domains"`
	}
	radiusList struct {
		Servers []RADIUSServer `json:"servers"`
	}
	nasList struct {
		NASes []NAS `json:"nases"`
	}
	counterList struct {
		Counters map[string]uint64 `json:"counters"`
	}
)
