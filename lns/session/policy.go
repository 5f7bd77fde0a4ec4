package session

import (
	"io"
	"net/netip"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/negotiate"
)

// Policy is what the virtual template and the l2tp group say about a session. One value serves many sessions and is never
// written after the first of them has started.
type Policy struct {
	// MRU is the largest PPP payload in octets that we ask the peer to send (RFC 1661 section 6.1).
	MRU uint16
	// Methods are the authentication protocols offered, the preferred one first. It must not be empty.
	Methods []negotiate.AuthProtocol
	// LocalName is the name that we give in a CHAP Challenge. It must not be empty.
	LocalName string
	// LocalAddress is our end of the link.
	LocalAddress netip.Addr
	// IPv6 offers the peer IPv6 beside IPv4, where the decision has a prefix for it.
	IPv6 bool
	// IPv6DNS are the name servers that the peer is told where the decision names none.
	IPv6DNS []netip.Addr
	// DUID is who we are in DHCPv6 (RFC 8415 section 11): the same for all sessions.
	DUID []byte
	// DNS and NBNS are given to the peer where the decision names none.
	DNS, NBNS [2]netip.Addr
	// EchoInterval is how long a silent peer is left alone; zero sends no LCP Echo-Requests. EchoFailures is how many
	// unanswered ones in a row end the session.
	EchoInterval time.Duration
	EchoFailures int
	// SetupTimeout is the longest time from Start, or from the begin of a renegotiation, to the open session; zero is no limit.
	SetupTimeout time.Duration
	// CheckTimeout is how long the check of a login may take, and the peer to answer a challenge of the back end's that names no
	// time itself; zero means what authenticate takes by default. SetupTimeout does not cut it short.
	CheckTimeout time.Duration
	// IdleTimeout ends a session without user traffic where the decision says nothing; zero never does.
	IdleTimeout time.Duration
	// ProxyLCP uses what a LAC has negotiated with the peer (RFC 2661 section 4.4.5) where it can be used.
	ProxyLCP bool
	// ProxyAuthentication has the answer that a LAC has collected from the peer checked, instead of asking the peer again.
	ProxyAuthentication bool
	// ExplainRefusals tells an MS-CHAPv2 peer that has shown to know the password why it may not log in (RFC 2759 section 6).
	ExplainRefusals bool
	// Timing paces the negotiations; the zero value means the defaults of negotiate.
	Timing negotiate.Timing
	// Rand is where magic numbers and challenges come from.
	Rand io.Reader
}

// Activity is what the data path has seen of an open session.
type Activity struct {
	LastRx, LastTx time.Time // zero: nothing yet
}

// Ask is a login to be checked. The answer is due with the same generation.
type Ask struct {
	Generation uint32
	Name       string // as the peer typed it
	Proof      aaa.Proof
	Backend    string // EAP: whose challenge the proof answers; "" = nobody's
	MTU        int    // the largest packet that the peer takes, octets
}

// AddressAsk is a wish for a lease. The answer is due with the same generation.
type AddressAsk struct {
	Generation uint32
	Decision   *aaa.Decision
	Wish       netip.Addr // the peer's own, where the decision leaves it the choice: exactly this address; zero: none
	// IPv4 and IPv6 are what is wanted. The answer for IPv6 is LeasedPrefixes, in front of Leased, which gives the word for both:
	// a lease without an address says that there is IPv6 alone. A session that wants both goes on without IPv6.
	IPv4, IPv6 bool
}
