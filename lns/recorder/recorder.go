package recorder

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"lnsgate/lns/trace"
)

// DefaultOctets is how much memory the stories may take that are over: some thousands of each kind.
const DefaultOctets = 16 << 20

// Config is what a Recorder needs.
type Config struct {
	Node   string
	Prefix string // of the IDs of attempts without a session; it must differ from start to start of the process
	Octets int    // that stories may take that are over; 0: DefaultOctets
	// Archive has what memory no longer has, and what other nodes have seen; nil: nothing more is found.
	Archive Archive
}

// Archive finds attempts that were written down, in the order of trace.Newest. It is safe for concurrent use.
type Archive interface {
	// Find returns attempts as the filter wants them, but for Before: those behind a place are asked for by that place.
	Find(ctx context.Context, f trace.Filter, behind Place) ([]trace.Attempt, error)
	// Where returns the place of the attempt of this ID; false when there is none.
	Where(ctx context.Context, id string) (Place, bool, error)
}

// Place is where in the order of newest first an attempt stands. The zero Place is in front of all.
type Place struct {
	At time.Time
	ID string
}

// Recorder has the stories of this node. Its methods are safe for concurrent use; those of a nil Recorder do nothing.
type Recorder struct {
	node, prefix string
	archive      Archive

	mu       sync.Mutex // guards all below, and where in them a story is
	serial   uint64
	live     chain
	sessions map[string]*Story // those that have the ID of a session and are still kept
	rings    [kindCount]ring
	refusals map[refusal]*Story // what the strangers in their ring were refused for
	budget   budget
	watchers watchers
}

// kind is what became of an attempt, as far as the place to keep it goes: no kind pushes out another.
type kind uint8

const (
	failed    kind = iota // somebody with a name could not log in
	strangers             // there never was a name
	opened
	kindCount
)

// Shares of the memory, in percent.
var shares = [kindCount]int{failed: 50, strangers: 15, opened: 35}

// New makes a recorder.
func New(c Config) *Recorder {
	if c.Octets <= 0 {
		c.Octets = DefaultOctets
	}
	r := &Recorder{node: c.Node, prefix: c.Prefix, archive: c.Archive,
		sessions: make(map[string]*Story), refusals: make(map[refusal]*Story)}
	for k := range r.rings {
		r.rings[k].bound = c.Octets / 100 * shares[k]
	}
	return r
}

// Stats is how much a recorder holds.
type Stats struct {
	Live      int    // attempts under way
	Kept      int    // stories that are over, or of open sessions
	Octets    int    // that those take
	LeftOut   uint64 // refusals of strangers that were not even counted one by one, in a flood
	Unwatched uint64 // events that a watcher was too slow for
}

// Stats returns how much the recorder holds.
func (r *Recorder) Stats() Stats {
	if r == nil {
		return Stats{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Stats{Live: r.live.count, LeftOut: r.budget.leftOut, Unwatched: r.watchers.lost.Load()}
	for k := range r.rings {
		s.Kept += r.rings[k].stories.count
		s.Octets += r.rings[k].octets
	}
	return s
}

// Begin begins the story of a peer whose SCCRQ has just been heard.
func (r *Recorder) Begin(peer netip.AddrPort, now time.Time) *Story {
	if r == nil {
		return nil
	}
	s := &Story{recorder: r, tape: newTape()}
	s.facts.Node, s.facts.Began, s.facts.Peer = r.node, now, peer
	s.facts.Verdict.Cause = trace.InProgress
	r.mu.Lock()
	defer r.mu.Unlock()
	r.serial++
	s.serial = r.serial
	r.live.append(s)
	return s
}

// Session returns the story of a session that is open, or was, to add to it; nil when it is no longer kept.
func (r *Recorder) Session(uid string) *Story {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sessions[uid]
}
