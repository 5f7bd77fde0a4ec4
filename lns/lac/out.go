package lac

import (
	"net/netip"
	"strings"
	"time"

	"lnsgate/lns/l2tp"
)

// Out collects what a Caller wants done. The Caller appends; its owner carries it out, in the order of the fields, and
// then calls Reset.
type Out struct {
	// Datagrams go to the server, in order. The memory is the caller's to read, not to write: a lost one is sent again.
	Datagrams [][]byte
	// Packets came out of the tunnel. They are views into the datagram that was received.
	Packets []Packet
	// Said is the dialogue in words, when Config.Talk is set.
	Said []Said
	// Up are the calls over which user traffic may flow from now on. A call comes up again after a renegotiation.
	Up []Up
	// Down are calls that negotiate again: no user traffic until they are Up.
	Down []l2tp.SessionID
	// Ended are the calls that are over, each once.
	Ended []Ended
	// Finished is the last word: the Caller has nothing left to say or to hear.
	Finished bool
}

// Reset empties the collection and keeps its memory.
func (o *Out) Reset() {
	*o = Out{
		Datagrams: o.Datagrams[:0], Packets: o.Packets[:0], Said: o.Said[:0],
		Up: o.Up[:0], Down: o.Down[:0], Ended: o.Ended[:0],
	}
}

// Packet is one IP packet from the server.
type Packet struct {
	Session l2tp.SessionID // ours
	IP      []byte
}

// Said is one message of the dialogue.
type Said struct {
	At      time.Time
	Sent    bool  // by us; otherwise by the server
	Stage   Stage // what the message is part of
	Session l2tp.SessionID
	What    string // "SCCRQ", "LCP Configure-Request", "CHAP Success"
	Detail  string // the content in words; may be empty
	Again   bool   // a repetition
	Routine bool   // an acknowledgement or a sign of life: of interest only to those who look closely
}

// Up is an open session, as agreed.
type Up struct {
	Session       l2tp.SessionID // ours
	Tunnel        l2tp.TunnelID  // ours
	ServerSession l2tp.SessionID
	ServerTunnel  l2tp.TunnelID
	ServerName    string     // the host name in the server's SCCRP
	ServerVendor  string     // the vendor name in it, often empty
	Method        string     // how we logged in: none, pap, chap, mschapv2, eap
	Message       string     // what the server said about the login
	Address       netip.Addr // ours; zero without IPv4
	Peer          netip.Addr // the server's end of the link; zero when it told none
	DNS           [2]netip.Addr
	IPv6          IPv6 // as far as it is known; the call comes up again when it is
	MRU           int  // the largest IP packet in octets that the server may send us
	PeerMRU       int  // the largest that we may send
	PFC, ACFC     bool // short forms that we may use towards the server
	Sequencing    bool // the server numbers its data, so we must (RFC 2661 section 5.4)
	NextNs        uint16
	TunnelTook    time.Duration // SCCRQ to SCCCN
	Took          time.Duration // SCCRQ to now; for later calls of a tunnel, ICRQ to now
}

// Ended is why a call is over. It is an error with a sentence for the administrator.
type Ended struct {
	Session  l2tp.SessionID
	Stage    Stage  // how far it had come
	Cause    Cause  // for programs and tallies
	Reason   string // what happened, in words
	Advice   string // what to check; empty when there is nothing to do
	ByServer bool   // the server ended it, rather than us
	At       time.Time
}

// Error says at which stage and why.
func (e *Ended) Error() string {
	if e.Stage == StageUp {
		return "the session ended: " + e.Reason
	}
	return "the login failed at " + e.Stage.String() + ": " + strings.TrimSpace(e.Reason)
}
