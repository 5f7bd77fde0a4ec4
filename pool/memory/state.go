package memory

import (
	"math"
	"math/bits"
	"time"

	"lnsgate/pool"
)

// idleLimit is how many free addresses a pool remembers, with the account that had each last, before it gives out
// remembered addresses in preference to fresh ones.
const idleLimit = 1 << 16

// state is one pool at work. The allocator's mutex guards it.
type state struct {
	cfg     pool.Pool
	why     string // "free address of pool x"
	size    uint64
	static  uint64            // reserved addresses among size
	leased  uint64            // leased addresses among size that are not reserved
	fresh   cursor            // the addresses never used so far
	resting list              // released and in quarantine, oldest first
	idle    list              // released and free, oldest first
	last    map[string]*entry // what each account released last; older ones hang on entry.before
}

func newState(cfg pool.Pool) *state {
	s := &state{
		cfg:   cfg,
		why:   "free address of pool " + cfg.Name,
		fresh: cursor{spans: cfg.Spans(), length: cfg.PrefixLength},
		last:  make(map[string]*entry),
	}
	if cfg.PrefixLength > 0 {
		s.why = "free prefix of pool " + cfg.Name
	}
	for _, span := range s.fresh.spans {
		sum, carry := bits.Add64(s.size, span.Count(cfg.PrefixLength), 0)
		if carry != 0 {
			sum = math.MaxUint64
		}
		s.size = sum
	}
	return s
}

// rest puts a released address into quarantine. One that was only offered needs none.
func (s *state) rest(e *entry, now time.Time) {
	e.leased = false
	e.released = now
	if e.offered {
		s.idle.append(e)
	} else {
		s.resting.append(e)
	}
	if s.cfg.Sticky && e.lease.Account != "" {
		account := e.lease.Account
		if e.before = s.last[account]; e.before != nil {
			e.before.after = e
		}
		s.last[account] = e
	}
}

// ripen frees the addresses whose quarantine is over.
func (s *state) ripen(now time.Time) {
	for e := s.resting.head; e != nil && !now.Before(e.released.Add(s.cfg.Quarantine)); e = s.resting.head {
		s.resting.remove(e)
		s.idle.append(e)
	}
}

// forget takes a released address out of the pool's lists, to be given away or dropped.
func (s *state) forget(e *entry) {
	e.in.remove(e)
	account := e.lease.Account
	switch {
	case e.after != nil:
		e.after.before = e.before
	case s.last[account] != e: // it was never remembered
	case e.before != nil:
		s.last[account] = e.before
	default:
		delete(s.last, account)
	}
	if e.before != nil {
		e.before.after = e.after
	}
	e.before, e.after = nil, nil
}

func (s *state) usage() pool.Usage {
	return pool.Usage{
		Pool:        s.cfg.Name,
		Size:        s.size,
		Leased:      s.leased,
		Quarantined: uint64(s.resting.count),
		Static:      s.static,
	}
}
