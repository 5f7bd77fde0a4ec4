package foreign

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"lnsgate/aaa"
)

// Sessions are those of all NASes that this node answers. It is safe for concurrent use. It is an aaa.Sessions, and takes what
// NASes tell (radiusserver.Accounter).
type Sessions struct {
	config   Config
	registry aaa.Registry
	counts   *Counts // the registry, if it is of this node alone
	offers   Offers  // nil: the pools outlive this process
	born     time.Time
	turns    turns
	resumed  resumption
	desk     *desk
	wake     chan struct{} // something has to be done sooner than was thought

	mu      sync.Mutex // guards what follows
	book    *book
	live    map[string]int  // sessions of each client, as far as is known
	debts   map[string]debt // by session
	pay     time.Time       // when debts are tried again
	closing []closing       // the one that is due first comes first
	recheck []recheck       // likewise
	asked   time.Time       // when accounts were last asked about
	there   time.Time       // since when the Store has been there whenever silent sessions were looked for; zero: it is away

	figures figures
}

// figures are the counters of Stats.
type figures struct {
	lapsed, conflicts, moved, late, restarted, silent, lost, done, refused, repeated, givenUp atomic.Uint64
}

var _ aaa.Sessions = (*Sessions)(nil)

// New makes the sessions. Run must be running for what is to happen without anybody's asking.
func New(c Config) (*Sessions, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	born := c.Now()
	s := &Sessions{
		config: c, registry: c.Registry, born: born, desk: newDesk(c.AtOnce), wake: make(chan struct{}, 1),
		book: newBook(c.Most, born), live: map[string]int{}, debts: map[string]debt{}, there: born,
	}
	if s.registry == nil {
		s.counts = NewCounts(func(ctx context.Context, session, reason string) { s.Disconnect(ctx, session, reason) })
		s.registry = s.counts
	}
	if o, does := c.Store.(Offers); does && !c.Shared && c.Pools != nil {
		s.offers = o
	}
	s.resumed.init()
	return s, nil
}

// Stats are figures for metrics. Those without a word on it count from the start of the process.
type Stats struct {
	Logins    int    // now, that have an answer and no Start yet
	Known     int    // sessions now that this node has heard of
	Owed      int    // addresses and places now that could not be kept or given back yet
	Orders    int    // now, that are being told
	Lapsed    uint64 // logins without a Start
	Conflicts uint64 // sessions that said they have an address of another
	Moved     uint64 // sessions that have another address than the one they were given
	Late      uint64 // records that changed nothing
	Restarted uint64 // sessions that a restart of their NAS ended
	Silent    uint64 // sessions that were given up because nothing was heard of them
	Lost      uint64 // sessions that their NAS does not know any more
	Done      uint64 // orders that the NAS did
	Refused   uint64 // orders that it did not do
	Repeated  uint64 // tries without an answer
	GivenUp   uint64 // orders that were never answered
}

// Stats returns the figures of this moment.
func (s *Sessions) Stats() Stats {
	f := &s.figures
	stats := Stats{
		Orders: s.desk.len(), Lapsed: f.lapsed.Load(), Conflicts: f.conflicts.Load(), Moved: f.moved.Load(), Late: f.late.Load(),
		Restarted: f.restarted.Load(), Silent: f.silent.Load(), Lost: f.lost.Load(), Done: f.done.Load(), Refused: f.refused.Load(),
		Repeated: f.repeated.Load(), GivenUp: f.givenUp.Load(),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	stats.Logins, stats.Owed = s.book.waiting, len(s.debts)
	stats.Known = len(s.book.cards) - s.book.waiting
	return stats
}

// get returns what is known of a session.
func (s *Sessions) get(session string) (entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.book.get(session)
}

// set notes what is known of a session. Who calls it has its turn.
func (s *Sessions) set(e entry) {
	s.mu.Lock()
	first := !e.live && s.book.waiting == 0
	out := s.book.set(e)
	s.mu.Unlock()
	if out != nil && !out.live && out.counted { // nobody will remember to
		s.owe(out.session, debt{leave: true})
	}
	if first {
		s.hurry()
	}
}

// hurry has Run look what there is to do.
func (s *Sessions) hurry() { signal(s.wake) }

// client is what is to be known of a client of the RADIUS server.
func (s *Sessions) client(nas *aaa.NAS) Client {
	if nas == nil {
		return Client{}
	}
	c, _ := s.config.Clients(nas.Client)
	return c
}
