package foreign

import (
	"errors"
	"log/slog"
	"time"

	"lnsgate/aaa"
	"lnsgate/pool"
)

// Config is what Sessions are made of. Zero values take the defaults that are named.
type Config struct {
	Node     string       // this one, in records
	Pools    pool.Keeper  // nil: nobody is given an address
	Registry aaa.Registry // nil: what this node itself has let in is counted, see Counts
	// Shared says that Pools and Registry are those of several nodes, and outlive this process. Else nobody is let in before the
	// sessions that live have their addresses and places again.
	Shared  bool
	Own     func(pool.Lease) bool // when Shared: an address, or a pool, that only this process keeps books of; nil: there is none
	Records Records
	Store   Store
	Sender  Sender            // nil: NASes are told nothing, and the orders say so
	AAA     aaa.Authenticator // asked by Reauthorize
	Clients func(name string) (Client, bool)
	Sinks   func(domain string) []string // where the records of a session go whose login another node had; nil: as Record.Sinks says

	Offer   time.Duration   // how long an address waits for the Start; 0 = 110 s
	Interim time.Duration   // between two interim records, granted where account and domain have none; 0 = 10 min, < 0 = none
	Sweep   time.Duration   // from one look for silent sessions and orders of others to the next; 0 = 1 min
	Closing time.Duration   // that a NAS has for the Stop of a session that it said it has ended; 0 = 90 s
	Retry   []time.Duration // after an order that was not answered, the last one again and again; nil = 10 s, 30 s, 1, 2, 5 min
	GiveUp  time.Duration   // an order that was not answered for so long; 0 = 24 h
	AtOnce  int             // orders that wait for an answer at the same time; 0 = 64
	Most    int             // sessions that are kept in memory, and logins; 0 = 1,000,000
	Log     *slog.Logger
	Now     func() time.Time // nil = time.Now
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Clients == nil {
		c.Clients = func(string) (Client, bool) { return Client{}, false }
	}
	if len(c.Retry) == 0 {
		c.Retry = []time.Duration{10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute}
	}
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{
		{&c.Offer, 110 * time.Second}, {&c.Interim, 10 * time.Minute}, {&c.Sweep, time.Minute}, {&c.Closing, 90 * time.Second},
		{&c.GiveUp, 24 * time.Hour},
	} {
		if *d.value == 0 {
			*d.value = d.standard
		}
	}
	for _, n := range []struct {
		value    *int
		standard int
	}{{&c.AtOnce, 64}, {&c.Most, 1_000_000}} {
		if *n.value <= 0 {
			*n.value = n.standard
		}
	}
	return c
}

// validate tells every fault at once.
func (c *Config) validate() error {
	var faults []error
	if c.Records == nil {
		faults = append(faults, errors.New("foreign: nobody takes the records"))
	}
	if c.Store == nil {
		faults = append(faults, errors.New("foreign: nobody keeps the sessions"))
	}
	if c.AAA == nil {
		faults = append(faults, errors.New("foreign: there is nobody to ask what accounts may"))
	}
	return errors.Join(faults...)
}
