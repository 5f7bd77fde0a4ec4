package dynauth

// Outcome is what became of a datagram.
type Outcome int

// The outcomes.
const (
	Done      Outcome = iota // carried out, ACK
	Refused                  // NAK
	Repeated                 // answered again with the same octets, or still being carried out
	Stranger                 // dropped: from nobody that is known
	Malformed                // dropped: lengths that are wrong, or not a request of this kind
	Forged                   // dropped: a wrong authenticator or Message-Authenticator
	Unsigned                 // dropped: no Message-Authenticator, and the client must send one
	Stale                    // dropped: an Event-Timestamp outside of the window
	Busy                     // dropped: too many are being carried out
	outcomeCount
)

var outcomeNames = [...]string{"done", "refused", "repeated", "stranger", "malformed", "forged", "unsigned", "stale", "busy"}

// String names the outcome, for metrics.
func (o Outcome) String() string {
	if o < 0 || o >= outcomeCount {
		return "unknown"
	}
	return outcomeNames[o]
}

// Outcomes lists all outcomes.
func Outcomes() []Outcome {
	list := make([]Outcome, outcomeCount)
	for i := range list {
		list[i] = Outcome(i)
	}
	return list
}

// Stats counts datagrams by what became of them, since the server was made.
type Stats [outcomeCount]uint64
