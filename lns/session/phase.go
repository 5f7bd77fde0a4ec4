package session

import "fmt"

// Phase is where in its life a session is (RFC 1661 section 3.2, with the steps of this server in between).
type Phase uint8

// The phases, in the order in which a login walks through them.
const (
	Early          Phase = iota // the call is not up yet
	Link                        // LCP negotiates
	Authentication              // the peer says who it is, and that is checked
	Address                     // a lease is awaited
	Network                     // IPCP negotiates
	Open                        // user traffic flows
	Closing                     // LCP says goodbye
	Ended                       // over
)

var phaseNames = [...]string{"early", "LCP", "authentication", "address", "IPCP", "open", "closing", "ended"}

// String returns the phase in the words that an operator sees.
func (p Phase) String() string {
	if int(p) < len(phaseNames) {
		return phaseNames[p]
	}
	return fmt.Sprintf("phase %d", uint8(p))
}
