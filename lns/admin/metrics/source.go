package metrics

import (
	"context"
	"time"

	"lnsgate/pool"
)

// Source is where the figures come from. A nil function tells nothing. They are called when Prometheus asks.
type Source struct {
	Version string // of the program
	Node    string
	// Counters are what lnsgate show counters shows: names that end in _now tell how it is at this moment.
	Counters func() map[string]uint64
	Pools    func(context.Context) ([]pool.Usage, error)
	Domains  func() []string // that may be named; all else is "other"
	RADIUS   func() []RADIUSServer
	Spools   func() []Spool
	Database func() Database
	Recorder func() Recorder
}

// RADIUSServer is one server of a group in one of its roles.
type RADIUSServer struct {
	Group, Role, Address                 string
	Up                                   bool // it is not given up
	RTT                                  time.Duration
	InFlight                             int // requests, with those that wait to be sent
	Requests, Resent, Answered, TimedOut uint64
	Discarded                            map[string]uint64 // replies, by reason
}

// Spool is where accounting records wait for those they are for.
type Spool struct {
	Name                      string // database, or the RADIUS group
	Waiting                   int
	Accepted, Delivered, Lost uint64
	Fault                     bool // the disk refuses them, or whoever they are for
}

// Database is the PostgreSQL server, as this node sees it.
type Database struct {
	Up                     bool
	Connections, InUse     int
	LoginsLost, LeasesDebt uint64 // logins that were not written down; leases that are not yet
}

// Recorder is the memory of how logins went.
type Recorder struct {
	Live, Kept, Octets int
	Unwatched          uint64 // events that a reader was too slow for
}
