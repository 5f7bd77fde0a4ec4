package lac

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"lnsgate/lns/l2tp"
)

// Shard is the part of a Load that uses one wire. Its mutex guards everything in it.
type Shard struct {
	cfg    *LoadConfig
	number int
	wire   BatchWire
	kick   chan struct{}

	mu       sync.Mutex
	tunnels  []*loadTunnel // by our id
	queue    queue
	filling  *loadTunnel // takes the next call
	lastID   l2tp.TunnelID
	began    time.Time // zero before Run
	placed   int       // calls begun by this shard
	pending  int       // set-ups under way
	open     []openCall
	closing  int // tunnels that are saying good-bye
	leaving  bool
	giveUp   time.Time // end of the good-byes; zero before
	armed    time.Time // what the goroutine waits for
	live     int       // tunnels
	out      Out
	outgoing []outgoing
	batch    [][]byte
	batches  uint64 // sent so far
	tally    tally
}

// outgoing is a datagram to send: round is its place among those of one tunnel in one batch. Datagrams are sent by round,
// and within a round by length, which keeps the order in each tunnel and makes runs of equal length.
type outgoing struct {
	round    int
	datagram []byte
}

func newShard(cfg *LoadConfig, number int, wire BatchWire) *Shard {
	return &Shard{
		cfg: cfg, number: number, wire: wire, kick: make(chan struct{}, 1), tunnels: make([]*loadTunnel, 1<<16),
	}
}

// share is how many of a number fall to this shard.
func (s *Shard) share(n int) int {
	shards := len(s.cfg.Wires)
	return (n + shards - 1 - s.number) / shards
}

// limit is how many set-ups, and how many good-byes, may be under way in this shard.
func (s *Shard) limit() int { return max(1, s.share(s.cfg.Concurrency)) }

func (s *Shard) begin(start time.Time) {
	s.mu.Lock()
	s.began = start
	s.tally.started = start
	s.mu.Unlock()
}

// Deliver takes one datagram from the server. Flush must follow when no more are at hand.
func (s *Shard) Deliver(datagram []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tunnels[tunnelOf(datagram)]
	if t == nil {
		s.tally.strays++
		return
	}
	now := time.Now()
	t.caller.Receive(datagram, now, &s.out) // an error only names a drop
	s.settle(t, now)
}

// tunnelOf reads the tunnel id of a datagram, 0 when there is none.
func tunnelOf(b []byte) l2tp.TunnelID {
	at := 2
	if len(b) > 0 && b[0]&0x40 != 0 {
		at = 4
	}
	if len(b) < at+2 {
		return 0
	}
	return l2tp.TunnelID(binary.BigEndian.Uint16(b[at:]))
}

// Flush sends what the datagrams since the last one have given rise to, and begins calls that may begin.
func (s *Shard) Flush() {
	s.mu.Lock()
	next := s.act(time.Now())
	earlier := !next.IsZero() && (s.armed.IsZero() || next.Before(s.armed))
	over := s.over()
	s.mu.Unlock()
	if earlier || over {
		select {
		case s.kick <- struct{}{}:
		default:
		}
	}
}

// step does what is due and tells when the next is, or that all is done.
func (s *Shard) step(now time.Time) (next time.Time, done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for due(s.queue.first(), now) {
		t := s.queue[0]
		t.caller.Advance(now, &s.out)
		s.settle(t, now)
	}
	s.armed = s.act(now)
	return s.armed, s.over() || due(s.giveUp, now)
}

// act hangs up and places what is due, sends, and tells when more is due.
func (s *Shard) act(now time.Time) time.Time {
	s.hangUp(now)
	next := s.placeDue(now)
	s.send()
	next = sooner(next, s.queue.first())
	if len(s.open) > 0 && !s.cfg.KeepUp && s.closing < s.limit() { // else the next good-bye is due when one is done
		next = sooner(next, s.open[0].until)
	}
	return sooner(next, s.giveUp)
}

// over tells whether nothing is left to do.
func (s *Shard) over() bool {
	all := s.leaving || s.placed == s.share(s.cfg.Count)
	return all && s.live == 0
}

// leave begins the end: no further calls, and good-bye to all.
func (s *Shard) leave(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaving, s.filling = true, nil
	s.giveUp = now.Add(s.cfg.Farewell)
}

// placeDue begins the calls whose time has come, and tells when the next is due; zero when that is not a matter of time.
func (s *Shard) placeDue(now time.Time) time.Time {
	for !s.leaving && !s.began.IsZero() && s.placed < s.share(s.cfg.Count) && s.pending < s.limit() {
		n := s.placed*len(s.cfg.Wires) + s.number
		if s.cfg.Rate > 0 {
			at := s.began.Add(time.Duration(float64(n) / s.cfg.Rate * float64(time.Second)))
			if now.Before(at) {
				return at
			}
		}
		if !s.place(n, now) {
			return time.Time{}
		}
	}
	return time.Time{}
}

// place begins one call, in the tunnel that is being filled or in a new one. It says false when no tunnel id is free.
func (s *Shard) place(n int, now time.Time) bool {
	login := s.cfg.Login(n)
	if t := s.filling; t != nil {
		login.Session = l2tp.SessionID(t.placed + 1)
		if t.caller.Place(login, now, &s.out) {
			s.count(t)
			s.settle(t, now)
			return true
		}
	}
	id := s.freeID()
	if id == 0 {
		return false
	}
	cfg := s.cfg.Tunnel
	cfg.Tunnel = id
	t := &loadTunnel{id: id, caller: NewCaller(cfg), place: -1}
	s.tunnels[id], s.filling = t, t
	s.live++
	login.Session = 1
	s.count(t)
	t.caller.Dial(login, now, &s.out)
	s.settle(t, now)
	return true
}

func (s *Shard) count(t *loadTunnel) {
	s.placed++
	s.pending++
	s.tally.placed++
	t.placed++
	if t.placed == s.cfg.SessionsPerTunnel {
		s.filling = nil
	}
}

// freeID finds a tunnel id that is free and has been so for long: it goes round.
func (s *Shard) freeID() l2tp.TunnelID {
	for range len(s.tunnels) {
		s.lastID++
		if s.lastID != 0 && s.tunnels[s.lastID] == nil {
			return s.lastID
		}
	}
	return 0
}

// hangUp ends the sessions whose time is over: those held long enough, and all when leaving, but never so many at once
// that the server's socket overflows.
func (s *Shard) hangUp(now time.Time) {
	for len(s.open) > 0 && s.closing < s.limit() {
		if !s.leaving && (s.cfg.KeepUp || now.Before(s.open[0].until)) {
			return
		}
		call := s.open[0]
		s.open = s.open[1:]
		if s.tunnels[call.tunnel.id] != call.tunnel || call.tunnel.caller.calls[call.session] == nil {
			continue // it ended by itself
		}
		s.closing++
		call.tunnel.caller.HangUp(call.session, now, &s.out)
		s.settle(call.tunnel, now)
	}
	if s.leaving && len(s.open) == 0 && s.pending > 0 {
		s.abandon(now)
	}
}

// abandon ends the set-ups that are still under way when leaving.
func (s *Shard) abandon(now time.Time) {
	for _, t := range s.tunnels {
		if t != nil && !t.caller.closing {
			t.caller.Close(now, &s.out)
			s.settle(t, now)
		}
	}
}

// settle takes in what a caller wants, after every step of it.
func (s *Shard) settle(t *loadTunnel, now time.Time) {
	if t.batch != s.batches {
		t.batch, t.rounds = s.batches, 0
	}
	for _, d := range s.out.Datagrams {
		s.outgoing = append(s.outgoing, outgoing{round: t.rounds, datagram: d})
		t.rounds++
	}
	for _, u := range s.out.Up {
		s.setUp(t, u, now)
	}
	for i := range s.out.Ended {
		s.setEnded(t, &s.out.Ended[i])
	}
	if s.out.Finished {
		s.queue.remove(t)
		s.tunnels[t.id] = nil
		s.live--
		if s.filling == t {
			s.filling = nil
		}
	} else {
		s.queue.set(t, t.caller.Deadline())
	}
	s.out.Reset()
}

func (s *Shard) setUp(t *loadTunnel, u Up, now time.Time) {
	if !s.tally.up(t, u, now) {
		return // it was up before, and negotiated again
	}
	s.pending--
	s.open = append(s.open, openCall{tunnel: t, session: u.Session, until: now.Add(s.cfg.Hold)})
}

func (s *Shard) setEnded(t *loadTunnel, e *Ended) {
	if wasUp := s.tally.ended(t, e); !wasUp {
		s.pending--
	} else if e.Cause == CauseClosedByUs && s.closing > 0 {
		s.closing--
	}
	if s.filling == t && t.caller.closing {
		s.filling = nil
	}
}

// send sends what has been collected.
func (s *Shard) send() {
	if len(s.outgoing) == 0 {
		return
	}
	slices.SortStableFunc(s.outgoing, func(a, b outgoing) int {
		if a.round != b.round {
			return a.round - b.round
		}
		return len(a.datagram) - len(b.datagram)
	})
	for _, o := range s.outgoing {
		s.batch = append(s.batch, o.datagram)
	}
	s.batches++
	s.wire.SendBatch(s.batch) // an error is lost datagrams: the protocol repeats them
	clear(s.outgoing)
	clear(s.batch)
	s.outgoing, s.batch = s.outgoing[:0], s.batch[:0]
}
