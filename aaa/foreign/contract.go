package foreign

import (
	"context"
	"errors"
	"time"

	"lnsgate/aaa"
	"lnsgate/pool"
)

// Records are where what NASes tell goes in the end, such as to PostgreSQL by way of aaa/spool.
type Records interface {
	// Take takes a record and returns at once. After an error it is not taken, at least not everywhere: its NAS has to tell it
	// again.
	Take(aaa.Record) error
	// Sync waits until what was taken before is where no crash takes it away.
	Sync(context.Context) error
}

// Query chooses sessions. Fields that are not set match any; those that are set must all match.
type Query struct {
	Session  string
	Name     string // as typed
	Account  string
	Domain   string
	Client   string    // aaa.NAS.Client
	NAS      string    // aaa.NAS.Name
	NASID    string    // aaa.NAS.Session
	Before   time.Time // began before
	SilentAt time.Time // whose last record is older than it may be at this time: see Store.Find
	Limit    int       // at most so many; 0 = all
}

// ErrEnded is what Store.Put answers for a record of a session that has had a Stop with no lower Sequence.
var ErrEnded = errors.New("the session has ended")

// Store knows the live sessions of all foreign NASes: those with a Start, or an Interim, and no Stop. A session is its last
// record. A record that has a higher Sequence than the Stop opens the session again: the Stop was a guess. It is safe for
// concurrent use.
type Store interface {
	// Find returns live sessions, the oldest first. Silent are those of which nothing was heard for three times their
	// Interim and two minutes, or where they have none, for a day (see Patience). Heard is by the clock of the Store, when
	// it took the record: clocks of NASes may be wrong.
	Find(context.Context, Query) ([]aaa.Record, error)
	// Put takes the last record of a session; a Stop ends it. A Store that learns of records by way of Records does nothing.
	// It may answer ErrEnded.
	Put(context.Context, aaa.Record) error

	// Live counts the live sessions of each client of the RADIUS server (aaa.NAS.Client).
	Live(context.Context) (map[string]int, error)

	// Order writes down that a NAS is to be told something, once: false when the last order of the session has the same
	// Order.Key, whether it is done or not. An order takes the place of those of its session that wait: they are done, and
	// not OK. Only a Change does not take the place of a Disconnect that waits: false then, too.
	Order(context.Context, Order) (bool, error)
	// Claim hands out orders that are due, oldest first, each to one caller until the given time, and of one session one at a
	// time. Those for the NASes that are named (aaa.NAS.Name) stay where they are.
	Claim(ctx context.Context, until time.Time, limit int, not []string) ([]Order, error)
	// Answer writes down what came of an order, and that it was tried once more. One that is not Done is claimed again from
	// Answer.Again on. The Terms of a Change that is OK are those of its session from then on.
	Answer(context.Context, Order, Answer) error
}

// Offers is what a Store may be besides, where pools are in memory: then addresses that were offered shortly before the process
// was killed are not given to others by the next one.
type Offers interface {
	// Offered notes a lease that ends at Lease.Expires if nobody keeps it. It does not wait for the disk.
	Offered(context.Context, pool.Lease) error
	// Offers returns those that have not ended yet, whether or not they were kept, the oldest first.
	Offers(context.Context) ([]pool.Lease, error)
}

// Patience is how long a session with these terms may be silent.
func Patience(t *aaa.Terms) time.Duration {
	if t == nil || t.Interim <= 0 {
		return 24 * time.Hour
	}
	return 3*t.Interim + 2*time.Minute
}

// OrderKind is what a NAS is told to do.
type OrderKind uint8

// The kinds (RFC 5176 section 2).
const (
	Disconnect OrderKind = iota + 1
	Change
)

// String returns disconnect or change.
func (k OrderKind) String() string {
	switch k {
	case Disconnect:
		return "disconnect"
	case Change:
		return "change"
	}
	return "no order"
}

// Order is something that a NAS is to be told about one of its sessions.
type Order struct {
	ID      int64 // of the Store
	Key     string
	Kind    OrderKind
	Session aaa.Record // its last record
	Terms   aaa.Terms  // of a Change: what counts from now on
	Changed aaa.Change // of a Change: which of it is different
	Reason  string     // in words, for the administrator and the records
	At      time.Time  // when it was given
	Tries   int        // so far
}

// Answer is what came of an order.
type Answer struct {
	Done  bool
	OK    bool      // the NAS did it
	Text  string    // in words: "acknowledged", "refused: session not found (503)", "no answer"
	Again time.Time // when not Done
	Lost  bool      // the NAS does not know the session
}

// Sender tells NASes. It repeats a request until it is answered, or its context ends.
type Sender interface {
	Send(context.Context, Order) Answer
}

// Addresses says who gives the users of a NAS their addresses.
type Addresses uint8

// The ways.
const (
	Given Addresses = iota // Framed-IP-Address out of the pools of the domain
	Named                  // Framed-Pool: the NAS has a pool of that name
	None                   // nobody: not the business of RADIUS here, such as with Wi-Fi
)

// Client is what has to be known of a client of the RADIUS server.
type Client struct {
	Addresses     Addresses
	ForcedDomain  string // as in aaa.Request
	DefaultDomain string // as in aaa.Request
	// MostSessions is how many of it may live: more logins are refused, and more sessions that its NAS tells of are not taken;
	// 0 = 200,000.
	MostSessions int
}
