package lac

import (
	"net/netip"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/authenticate"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/negotiate"
)

// Login is what one call needs to know to log in.
type Login struct {
	// Session is the id that we choose for the call. It must not be zero, nor in use in this tunnel.
	Session l2tp.SessionID
	// User and Credentials are who we are. Without Credentials every wish of the server to know is refused.
	User        string
	Credentials authenticate.Credentials
	// Methods are the ones that we answer to, the preferred one first. Empty, or MethodNone among them, lets the server
	// go without.
	Methods []aaa.Method
	// MRU is the largest PPP payload in octets that we want to receive; zero means 1500.
	MRU uint16
	// Magic is our LCP magic number; zero sends none (RFC 1661 section 6.4).
	Magic uint32
	// Address is the one we ask for; zero leaves the choice to the server.
	Address netip.Addr
	// WantDNS asks for name servers (RFC 1877).
	WantDNS bool
	// IPv6 asks for IPv6 beside IPv4, NoIPv4 for IPv6 alone, and Delegated for a prefix for the networks behind us. The call
	// is up with IPv4, and again when the server has told about IPv6.
	IPv6, NoIPv4, Delegated bool
	// EchoInterval is how long the server may be silent before we ask whether it is there; zero never asks.
	// EchoFailures is how many unanswered questions in a row end the call; zero means 3.
	EchoInterval time.Duration
	EchoFailures int
	// Timeout is how long the login may take from the call on; zero means 30 s.
	Timeout time.Duration
	// Timing paces the negotiations; zero means the defaults of negotiate.
	Timing negotiate.Timing
	// CalledNumber and CallingNumber go into the ICRQ when set (RFC 2661 section 4.4.3).
	CalledNumber, CallingNumber string
}
