package radiusserver

// Outcome is what became of a datagram.
type Outcome int

// The outcomes.
const (
	Accepted   Outcome = iota // Access-Accept
	Rejected                  // Access-Reject
	Challenged                // Access-Challenge
	Recorded                  // a record was stored and confirmed
	Ignored                   // a record of a kind that is not kept, confirmed
	Status                    // Status-Server, answered
	Repeated                  // came again and was answered with the same octets
	// From here on there is no answer; see Dropped.
	Pending       // came again while the answer was still to come: dropped
	Unanswered    // nobody could be asked, or the record could not be stored: the NAS will ask again, or elsewhere
	Superseded    // a newer request took its identifier before it was answered
	Stranger      // dropped: from nobody that is known
	Malformed     // dropped: lengths that do not add up, or an attribute that must be there is not
	WrongCode     // dropped: not a request that belongs to this port
	Forged        // dropped: a wrong authenticator or Message-Authenticator
	Unsigned      // dropped: it has no Message-Authenticator and must have one
	UnsignedProxy // dropped: through a proxy, without a Message-Authenticator
	Unproven      // dropped: neither signed nor with a proof of a user
	Busy          // dropped: too many are being answered
	outcomeCount
)

var outcomeNames = [...]string{
	"accepted", "rejected", "challenged", "recorded", "ignored", "status", "repeated", "pending", "unanswered", "superseded",
	"stranger", "malformed", "wrong code", "forged", "unsigned", "unsigned proxy", "unproven", "busy",
}

// String names the outcome, for metrics.
func (o Outcome) String() string {
	if o < 0 || o >= outcomeCount {
		return "unknown"
	}
	return outcomeNames[o]
}

// Dropped says that the client got no answer.
func (o Outcome) Dropped() bool { return o >= Pending }

// Outcomes lists all outcomes.
func Outcomes() []Outcome {
	list := make([]Outcome, outcomeCount)
	for i := range list {
		list[i] = Outcome(i)
	}
	return list
}

// Counts are datagrams by what became of them.
type Counts [outcomeCount]uint64

// Stats are figures for metrics.
type Stats struct {
	Total         Counts            // since the server was made
	Clients       map[string]Counts // by name; those that are gone are in Total alone
	Answering     int               // requests that are being answered now
	Delayed       int               // no's that wait for their time
	Remembered    int               // answers that are kept for requests that come again
	Conversations int               // of EAP, that wait for the peer
	Signing       int               // sources that are known to sign (see Auto)
	TLS           TLSStats
}

// Stats returns the figures.
func (s *Server) Stats() Stats {
	stats := Stats{Clients: map[string]Counts{}, Answering: s.slots.taken()}
	for o := range stats.Total {
		stats.Total[o] = s.total[o].Load()
	}
	for _, c := range s.service.Load().clients.all {
		var own Counts
		for o := range own {
			own[o] = c.counts[o].Load()
		}
		stats.Clients[c.Name] = own
	}
	stats.Delayed, stats.Remembered = s.delays.len(), s.answers.len()
	stats.Conversations, stats.Signing = s.conversations.len(), s.pins.len()
	stats.TLS = s.streams.stats()
	return stats
}

// count notes what became of a datagram of a client.
func (s *Server) count(c *client, o Outcome) {
	s.total[o].Add(1)
	c.counts[o].Add(1)
}
