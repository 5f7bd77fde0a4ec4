package client

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"lnsgate/aaa"
)

// Policy says whether replies of a server to Access-Requests must carry a Message-Authenticator. One that is there must be
// right in any case, a reply with EAP must always carry one (RFC 3579 section 3.2), and over TLS no other reply needs one.
type Policy int

// The policies.
const (
	// Auto: from the first reply without EAP on that carries one. Old servers sign nothing but EAP, so that proves nothing.
	// What was learnt outlives a restart when Config.StateFile is set.
	Auto Policy = iota
	// Require: always, in answers to Status-Server too.
	Require
	// Off: never.
	Off
)

// String names the policy as the configuration does.
func (p Policy) String() string { return name([]string{"auto", "require", "off"}, int(p)) }

// Sharing is how load is shared among servers of the same priority.
type Sharing int

// The ways of sharing.
const (
	// ByWeight gives each server its part of the requests, smoothly.
	ByWeight Sharing = iota
	// LeastInFlight asks the server with the fewest requests in flight for its weight.
	LeastInFlight
)

// String names the way of sharing.
func (s Sharing) String() string { return name([]string{"weight", "least_in_flight"}, int(s)) }

// Dial opens a connection, as net.Dialer.DialContext does. The network is "udp" or "tcp".
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Config is what a Group is made of. Zero values take the defaults that are named.
type Config struct {
	Name      string // of the group, for the log
	Servers   []Server
	Sharing   Sharing
	Retry     RetryConfig // the zero value is DefaultRetry
	Health    Health
	Queue     int    // requests of one server that wait for their turn; 0 = 4096
	Sockets   int    // of one server at most, with 256 identifiers each; 0 = 4. TLS connections too
	StateFile string // what was learnt about servers; "" = nothing outlives the process
	Dial      Dial   // nil = net.Dialer
	Log       *slog.Logger
}

// Server is one server of a group.
type Server struct {
	Name    string     // unique in the group; "" = Address
	Address string     // host:port; a name is resolved each time a socket is opened
	Secret  aaa.Secret // with TLS the zero value is "radsec" (RFC 6614 section 2.3)
	// TLS is nil for UDP. Without a ServerName the host of Address is what the certificate must be for. The version is at
	// least 1.2.
	TLS                  *tls.Config
	MessageAuthenticator Policy
	Priority             int           // the servers with the lowest number are asked as long as one of them is well
	Weight               int           // among servers of the same priority; 0 = 1
	InFlight             int           // requests that may be under way at once; 0 = 1024
	Timeout              time.Duration // before the next server is tried; 0 = 10 s. The last one gets what time is left
	// StatusServer: ask the server by Status-Server whether it is there. When it does not answer such questions, or must
	// not be asked, a dead server is given one request again after Health.Revive.
	StatusServer bool
}

// RetryConfig is how a request is repeated (RFC 5080 section 2.2.1). When everything but Jitter is zero, it is
// DefaultRetry; else a Count or Duration of 0 is: without end.
type RetryConfig struct {
	Initial  time.Duration // to the first repetition; each later one takes twice as long. IRT
	Max      time.Duration // longest time between two. MRT; 0 = no limit
	Count    int           // transmissions at most, to one server. MRC
	Duration time.Duration // from first to last, over all servers. MRD
	Jitter   float64       // part of each time by which it is longer or shorter at random, 0.1 for 10 %. RAND
}

// DefaultRetry is that of RFC 5080 for authentication.
func DefaultRetry() RetryConfig {
	return RetryConfig{Initial: 2 * time.Second, Max: 16 * time.Second, Count: 5, Duration: 30 * time.Second, Jitter: 0.1}
}

// EndlessRetry is that of RFC 5080 for accounting: only the context ends it.
func EndlessRetry() RetryConfig {
	return RetryConfig{Initial: 2 * time.Second, Max: 16 * time.Second, Jitter: 0.1}
}

// Health is how the state of servers is found out. Zero values take the defaults that are named.
type Health struct {
	Zombie   time.Duration // from the first silence until a server counts as dead; 0 = 40 s
	Check    time.Duration // between two Status-Server to a dead server, and on an idle TLS connection; 0 = 30 s
	Answer   time.Duration // that a Status-Server may take to be answered; 0 = 4 s
	Answers  int           // good ones in a row that revive a dead server; 0 = 3
	Revive   time.Duration // until a dead server that answers no Status-Server gets a request again; 0 = 120 s
	Rest     time.Duration // of an identifier whose request was never answered; 0 = 30 s
	Idle     time.Duration // until a socket that is not needed is closed; 0 = 60 s
	Redial   time.Duration // until a socket that could not be opened is tried again, doubled up to Check; 0, or less than 0.5 s, = 0.5 s
	DialTime time.Duration // that opening may take, TLS included; 0 = 10 s
}

func name(names []string, i int) string {
	if i < 0 || i >= len(names) {
		return "unknown"
	}
	return names[i]
}
