package client

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Group is a set of servers that stand in for each other. It is safe for concurrent use.
type Group struct {
	config  Config
	log     *slog.Logger
	servers []*server
	ctx     context.Context // ends with the group
	cancel  context.CancelFunc
	running sync.WaitGroup
	saving  sync.Mutex // one file at a time
	calls   sync.Pool  // of *call

	mu      sync.Mutex // guards everything below and in the servers, links and calls
	closed  bool
	timers  timers
	sending []transmission // to be written when the mutex is free
	notes   []note         // to be logged then
}

// transmission is a copy of octets that go out again, or of a Status-Server.
type transmission struct {
	link   *link
	octets []byte
}

// note is a line of the log.
type note struct {
	level slog.Level
	text  string
	attrs []any
}

// New makes a group. A configuration that cannot work is an error that names every fault. A state file that cannot be read
// is logged and does without.
func New(c Config) (*Group, error) {
	c = c.withDefaults()
	if err := c.faults(); err != nil {
		return nil, err
	}
	g := &Group{config: c, log: c.Log.With("radius_group", c.Name)}
	g.timers.wake = make(chan struct{}, 1)
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.calls.New = func() any { return newCall() }
	signs, err := recall(c.StateFile)
	if err != nil {
		g.log.Warn("What was learnt about RADIUS servers cannot be read. Until they sign a reply again, unsigned ones are "+
			"taken where the policy is auto.", "file", c.StateFile, "cause", err)
	}
	now := time.Now()
	for _, s := range c.Servers {
		g.servers = append(g.servers, newServer(g, s, signs, now))
	}
	g.running.Go(g.keepTime)
	for _, s := range g.servers {
		g.running.Go(s.keep)
	}
	return g, nil
}

// Close ends the group and returns when no goroutine of it is left. Exchanges that wait return ErrClosed.
func (g *Group) Close() {
	g.mu.Lock()
	g.closed = true
	for _, s := range g.servers {
		for len(s.links) > 0 {
			s.drop(s.links[0], ErrClosed)
		}
		s.flush(ErrClosed)
	}
	g.mu.Unlock()
	g.cancel()
	g.running.Wait()
}

// keepTime is the goroutine of the timers. It also writes what they want sent, and logs.
func (g *Group) keepTime() {
	clock := time.NewTimer(time.Hour)
	defer clock.Stop()
	var sending []transmission
	var notes []note
	for {
		g.mu.Lock()
		now := time.Now()
		next := g.timers.expire(now)
		sending, g.sending = g.sending, sending[:0]
		notes, g.notes = g.notes, notes[:0]
		g.mu.Unlock()
		for i := range sending {
			sending[i].link.write(sending[i].octets)
			sending[i] = transmission{}
		}
		for _, n := range notes {
			g.log.Log(g.ctx, n.level, n.text, n.attrs...)
		}
		wait := time.Hour
		if !next.IsZero() {
			wait = time.Until(next)
		}
		clock.Reset(wait)
		select {
		case <-clock.C:
		case <-g.timers.wake:
		case <-g.ctx.Done():
			return
		}
	}
}

// note has a line logged. The mutex is held.
func (g *Group) note(level slog.Level, text string, attrs ...any) {
	const most = 64 // a storm is told by counters
	if len(g.notes) < most {
		g.notes = append(g.notes, note{level, text, attrs})
		g.timers.nudge()
	}
}

// send has octets written by the goroutine of the timers. The mutex is held.
func (g *Group) send(l *link, octets []byte) {
	g.sending = append(g.sending, transmission{l, append([]byte(nil), octets...)})
	g.timers.nudge()
}

// random is from [-1, 1).
func random() float64 { return 2*rand.Float64() - 1 }

// jittered is d, longer or shorter by up to a tenth.
func jittered(d time.Duration) time.Duration { return d + time.Duration(float64(d)*random()/10) }
