package client

import "time"

// State is how well a server is.
type State int

// The states.
const (
	// Alive: it answers, or was not asked yet.
	Alive State = iota
	// Zombie: it left a request without an answer and answered nobody since. It is asked when no server is alive.
	Zombie
	// Dead: it was silent for the whole of Health.Zombie, or cannot be connected to.
	Dead
	// Probing: it was dead and answers again, but not often enough yet; or, without Status-Server, one request is with it
	// to see.
	Probing
)

// String names the state.
func (s State) String() string { return name([]string{"alive", "zombie", "dead", "probing"}, int(s)) }

// Reason is why something from the network was thrown away.
type Reason int

// The reasons.
const (
	Malformed     Reason = iota // lengths that are wrong: garbage, cut short
	Unexpected                  // no request has that identifier; duplicates of an answer are here
	Late                        // a right answer to a request that is given up
	WrongCode                   // an answer of a kind that does not fit the request
	Forged                      // wrong Response Authenticator: another secret, or not from the server
	ForgedMessage               // wrong Message-Authenticator
	Unsigned                    // no Message-Authenticator, where the policy or EAP wants one
	ProxyState                  // a Proxy-State in it, and there was none in the request
	reasonCount
)

var reasonNames = []string{"malformed", "unexpected", "late", "wrong_code", "forged", "forged_message_authenticator",
	"unsigned", "proxy_state"}

// String names the reason, for logs and metrics.
func (r Reason) String() string { return name(reasonNames, int(r)) }

// Reasons lists all reasons.
func Reasons() []Reason {
	all := make([]Reason, reasonCount)
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}

// Stats is what a server did since the group was made, and how it is now.
type Stats struct {
	Name, Address string
	TLS           bool
	Priority      int
	State         State
	Since         time.Time // of the state
	Fault         string    // what is wrong with its connection now; "" = nothing
	Policy        Policy
	Signs         bool          // its replies must carry a Message-Authenticator, by policy or because it was learnt
	Sockets       int           // open now
	InFlight      int           // requests now
	Queued        int           // requests that wait for their turn now
	RTT           time.Duration // smoothed; 0 = none measured

	Requests   uint64 // first transmissions, without Status-Server
	Resent     uint64 // further ones
	Answered   uint64
	TimedOut   uint64 // given up for want of an answer
	Refused    uint64 // turned away because the queue was full
	Cut        uint64 // connections lost, and that could not be opened
	Probes     uint64 // Status-Server
	ProbesGood uint64 // of these answered
	Discarded  [reasonCount]uint64
}

// Stats tells how each server is, in the order of the configuration.
func (g *Group) Stats() []Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]Stats, len(g.servers))
	for i, s := range g.servers {
		t := s.stats
		t.Name, t.Address, t.TLS, t.Priority = s.config.Name, s.config.Address, s.tls != nil, s.config.Priority
		t.State, t.Since, t.Fault = s.health.state, s.health.since, s.health.fault
		t.Policy, t.Signs = s.config.MessageAuthenticator, s.signs
		t.Sockets, t.InFlight, t.Queued = len(s.links), s.inFlight, s.waiting.count
		all[i] = t
	}
	return all
}
