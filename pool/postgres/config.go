package postgres

import (
	"cmp"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/pool"
)

// Config is what an Allocator works with. Zero values mean the defaults that are named.
type Config struct {
	Pool    *pgxpool.Pool // connections to the database; up to five are in use at a time, more for reports
	Node    string        // the name of this node, unique among all that share the database
	Address netip.Addr    // where peers reach this node; only told in the table nodes
	Version string        // the program that runs; only told in the table nodes

	// Epoch is the number of this process in the table nodes when somebody else has registered it. Zero: the allocator
	// registers the node when it first reaches the database.
	Epoch int64

	BlockSize    int           // the most addresses of one block, 256. A block has a power of two
	BlockLife    time.Duration // how long blocks stay ours without renewal, 30 minutes: how long addresses are given during an outage
	LeaseLife    time.Duration // how long leases stay ours without renewal, 4 hours: how long sessions outlive an outage. See the package
	Grace        time.Duration // how long after either others leave them alone, 3 minutes: until our sessions are surely over
	LowWater     int           // private addresses of each pool kept for an outage, a quarter of a block
	JournalEvery time.Duration // leases are written this often, 10 ms
	Tick         time.Duration // heartbeat, and the look at what other nodes do, 1 second
	Timeout      time.Duration // the longest that one exchange with the database takes, 2 seconds
	Takeover     time.Duration // how long Allocate waits for an exact address that the same account has on another node, 10 seconds
	Patience     time.Duration // how long Allocate waits for addresses stranded on other nodes, 2 ticks

	// Lost is told of leases that this node may hold no longer: the sessions must end before the grace time is over.
	// It is called by Run and must not block. It may be nil.
	Lost func([]pool.Lease)

	Now func() time.Time // the clock, also for what is written; nil: time.Now here and the database's own clock there
	Log *slog.Logger     // nil: no log
}

func (c *Config) complete() error {
	if c.Pool == nil {
		return errors.New("pool/postgres: no database")
	}
	if c.Node == "" {
		return errors.New("pool/postgres: this node has no name")
	}
	c.BlockSize = cmp.Or(c.BlockSize, 256)
	c.BlockLife = cmp.Or(c.BlockLife, 30*time.Minute)
	c.LeaseLife = cmp.Or(c.LeaseLife, max(4*time.Hour, c.BlockLife))
	c.Grace = cmp.Or(c.Grace, 3*time.Minute)
	c.JournalEvery = cmp.Or(c.JournalEvery, 10*time.Millisecond)
	c.Tick = cmp.Or(c.Tick, time.Second)
	c.Timeout = cmp.Or(c.Timeout, 2*time.Second)
	c.Takeover = cmp.Or(c.Takeover, 10*time.Second)
	c.Patience = cmp.Or(c.Patience, 2*c.Tick)
	if c.BlockSize < 1 || c.BlockLife <= 0 || c.Grace < 0 || c.LowWater < 0 || c.JournalEvery <= 0 || c.Tick <= 0 || c.Timeout <= 0 {
		return errors.New("pool/postgres: a size or a time is negative")
	}
	if c.LeaseLife < c.BlockLife {
		return errors.New("pool/postgres: leases must live at least as long as blocks")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}
