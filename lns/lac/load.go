package lac

import (
	"context"
	"errors"
	"sync"
	"time"

	"lnsgate/lns/l2tp"
)

// defaultConcurrency is how many set-ups may be under way at once.
const defaultConcurrency = 256

// BatchWire is how a shard of a Load reaches the server. Datagrams come back through Shard.Deliver.
type BatchWire interface {
	// SendBatch sends datagrams to the server, in order, and keeps nothing of them. Runs of equal length are cheapest.
	SendBatch(datagrams [][]byte) error
}

// LoadConfig says how many calls to place, and how.
type LoadConfig struct {
	// Count is how many calls to place, and Rate how many to begin per second; zero begins them as fast as Concurrency
	// allows, which is how many set-ups may be under way at once. Zero means 256.
	Count       int
	Rate        float64
	Concurrency int
	// SessionsPerTunnel is how many calls share a tunnel; zero means 1.
	SessionsPerTunnel int
	// Hold is how long an open session is kept before we hang up. KeepUp keeps all until the context ends.
	Hold   time.Duration
	KeepUp bool
	// Farewell is how long good-byes may take at the end; zero means 10 s.
	Farewell time.Duration
	// Tunnel is the pattern of all tunnels; its Tunnel id is chosen per tunnel.
	Tunnel Config
	// Login makes the n-th login, n from 0; its Session id is chosen.
	Login func(n int) Login
	// Wires are the ways to the server, one shard each. A shard has at most 65,535 tunnels at a time.
	Wires []BatchWire
}

// Load places many calls and measures how that goes. Set-ups run on the goroutines that call Shard.Deliver and Flush,
// and on one of its own per shard for what is due by time.
type Load struct {
	cfg    LoadConfig
	shards []*Shard
}

// NewLoad makes a load that has not begun.
func NewLoad(cfg LoadConfig) (*Load, error) {
	if cfg.Count <= 0 || len(cfg.Wires) == 0 || cfg.Login == nil {
		return nil, errors.New("a load needs a count, a login and at least one way to the server")
	}
	if cfg.Concurrency <= 0 {
		cfg.Concurrency = defaultConcurrency
	}
	if cfg.SessionsPerTunnel <= 0 {
		cfg.SessionsPerTunnel = 1
	}
	if cfg.Farewell <= 0 {
		cfg.Farewell = 10 * time.Second
	}
	cfg.Tunnel.Talk = false
	l := &Load{cfg: cfg}
	for i, w := range cfg.Wires {
		l.shards = append(l.shards, newShard(&l.cfg, i, w))
	}
	return l, nil
}

// Shard is the entrance for what comes in over the i-th wire.
func (l *Load) Shard(i int) *Shard { return l.shards[i] }

// Run places the calls and returns when every one has ended, or, with KeepUp, when the context has ended and the
// good-byes are said. When the context ends earlier no further call begins and all are hung up.
func (l *Load) Run(ctx context.Context) Report {
	start := time.Now()
	var all sync.WaitGroup
	for _, s := range l.shards {
		all.Go(func() { s.run(ctx, start) })
	}
	all.Wait()
	return l.Report()
}

// Report tells how it stands. It may be called at any time by any goroutine.
func (l *Load) Report() Report {
	var sum tally
	for _, s := range l.shards {
		s.mu.Lock()
		sum.merge(&s.tally)
		s.mu.Unlock()
	}
	return sum.report(l.cfg.Count)
}

// loadTunnel is one tunnel of a load.
type loadTunnel struct {
	id       l2tp.TunnelID
	caller   *Caller
	placed   int // calls placed so far
	deadline time.Time
	place    int    // in the queue; -1 when not in it
	batch    uint64 // the batch that its last datagram is in
	rounds   int    // datagrams of it in that
}

// openCall is a session that is up, to be hung up at a time.
type openCall struct {
	tunnel  *loadTunnel
	session l2tp.SessionID
	until   time.Time
}

// run is the goroutine of a shard: it acts when something is due by time. What is due because a datagram came is done by
// those who call Flush.
func (s *Shard) run(ctx context.Context, start time.Time) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	s.begin(start)
	leave := ctx.Done()
	for {
		select {
		case <-timer.C:
		case <-s.kick:
		case <-leave:
			leave = nil
			s.leave(time.Now())
		}
		next, done := s.step(time.Now())
		if done {
			return
		}
		arm(timer, next)
	}
}
