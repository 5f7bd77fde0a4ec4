package aaa

import (
	"context"
	"net/netip"
	"time"
)

// Match chooses live sessions. Zero fields match any; those that are set must all match.
type Match struct {
	Session       string // unique over all nodes and restarts
	Name          string // as typed
	UserName      string // what the records call the user: of the RADIUS server, else as typed
	Address       netip.Addr
	Peer          netip.Addr // the outer address of the tunnel
	LocalTunnel   uint16
	LocalSession  uint16
	CallingNumber string // as Station has it
	CalledNumber  string // as Station has it
	Class         [][]byte
	CUI           []byte
}

// Station is what records call one end of a call (Calling- and Called-Station-Id): the number if the LAC told one, else the
// address of that end of the tunnel. "" when neither is known.
func Station(number string, end netip.Addr) string {
	switch {
	case number != "":
		return number
	case end.IsValid():
		return end.Unmap().String()
	}
	return ""
}

// Live is an open session of this node.
type Live struct {
	Session         string
	Name, UserName  string
	Account, Domain string
	Backend         string
	Address         netip.Addr
	Peer            netip.AddrPort
	Since           time.Time
}

// Change is what of a live session is to be different. Fields that are nil stay as they are; zero takes a limit away.
type Change struct {
	SessionTimeout *time.Duration // from the begin of the session
	IdleTimeout    *time.Duration
	Interim        *time.Duration
	RateUp         *uint64 // from the peer, bits per second
	RateDown       *uint64 // to the peer, bits per second
	Filter         *string // by name; "" = none
	Class          [][]byte
}

// Sessions are the open sessions of this node. It is safe for concurrent use.
type Sessions interface {
	// Find returns the sessions that match.
	Find(ctx context.Context, m Match) []Live
	// Change changes all of the named sessions, or none: when one of them cannot be changed so, such as to a filter that does
	// not exist, it says why. Sessions that have ended meanwhile are passed over.
	Change(ctx context.Context, sessions []string, c Change) error
	// Disconnect ends one session; the reason goes into its records. False when there is none any more.
	Disconnect(ctx context.Context, session, reason string) bool
}
