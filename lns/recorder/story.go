package recorder

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"lnsgate/lns/ppp"
	"lnsgate/lns/trace"
)

// Story is an attempt as it is being told. Its methods are safe for concurrent use; those of a nil Story do nothing.
type Story struct {
	recorder *Recorder
	serial   uint64

	mu    sync.Mutex // guards all below; it is taken after that of the recorder, never before
	facts trace.Attempt
	signs trace.Signs
	tape  tape

	kept atomic.Bool
	spot // guarded by the recorder
}

// Note adds a step. Its After is counted from now.
func (s *Story) Note(now time.Time, step trace.Step) {
	if s == nil {
		return
	}
	s.mu.Lock()
	step.After = now.Sub(s.facts.Began)
	before := len(s.tape.octets)
	s.tape.words(step)
	grown := len(s.tape.octets) - before
	s.mu.Unlock()
	s.recorder.grown(s, grown)
}

// Packet adds a PPP control packet that the actor has sent. It is masked before it is kept.
func (s *Story) Packet(now time.Time, actor trace.Actor, f ppp.Frame) {
	if s == nil {
		return
	}
	s.mu.Lock()
	before := len(s.tape.octets)
	s.tape.packet(actor, now.Sub(s.facts.Began), f)
	grown := len(s.tape.octets) - before
	s.mu.Unlock()
	s.recorder.grown(s, grown)
}

// Tell changes what is known of the attempt besides its steps. It must not keep the pointer.
func (s *Story) Tell(change func(*trace.Attempt)) {
	if s == nil {
		return
	}
	s.mu.Lock()
	change(&s.facts)
	s.mu.Unlock()
}

// Shows tells what the peer shows of its maker, besides its name and what it says in LCP.
func (s *Story) Shows(signs trace.Signs) {
	if s == nil {
		return
	}
	s.mu.Lock()
	s.signs = signs
	s.mu.Unlock()
}

// ID returns what the attempt is called.
func (s *Story) ID() string {
	if s == nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id()
}

// Called gives the story the ID of its session.
func (s *Story) Called(uid string) {
	if s == nil {
		return
	}
	s.Tell(func(a *trace.Attempt) { a.ID = uid })
	s.recorder.called(s, uid)
	s.recorder.announce(trace.AttemptBegan, s)
}

// Changed tells whoever watches that the attempt has become somebody's.
func (s *Story) Changed() {
	if s != nil {
		s.recorder.announce(trace.AttemptChanged, s)
	}
}

// Open keeps the story of a session that has opened. What comes later may still be added.
func (s *Story) Open(now time.Time, address netip.Addr) {
	if s == nil {
		return
	}
	s.Tell(func(a *trace.Attempt) {
		a.Opened, a.Address, a.Verdict = now, address, trace.Verdict{Cause: trace.LoggedIn}
	})
	s.recorder.keep(s, opened)
	s.recorder.announce(trace.SessionOpened, s)
}

// End keeps the story of an attempt that is over, with its verdict. It says whether it tells anything new: the same said to a
// stranger again and again is counted in the story of the first time.
func (s *Story) End(now time.Time, v trace.Verdict) (news bool) {
	if s == nil {
		return true
	}
	var wasOpen bool
	var name string
	s.Note(now, trace.Step{Stage: trace.StageEnd, Actor: trace.LNS, What: "end", Detail: v.String()})
	s.Tell(func(a *trace.Attempt) {
		a.Ended, a.Verdict = now, v
		wasOpen, name = !a.Opened.IsZero(), a.Name
	})
	switch {
	case wasOpen:
		s.recorder.announce(trace.SessionClosed, s)
		return true
	case name == "":
		news = s.recorder.keepStranger(s, now)
	default:
		s.recorder.keep(s, failed)
		news = true
	}
	s.recorder.announce(trace.AttemptFailed, s)
	return news
}

// Attempt returns the story as it stands, with all its steps.
func (s *Story) Attempt() trace.Attempt {
	if s == nil {
		return trace.Attempt{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.facts
	a.ID = s.id()
	s.tape.tell(&a, s.signs)
	return a
}

// size is what a story takes that is kept, in octets.
func (s *Story) size() int {
	n := int(unsafe.Sizeof(*s)) + len(s.tape.octets) + bookkeeping
	for _, text := range []string{s.facts.ID, s.facts.HostName, s.facts.Vendor, s.facts.Calling, s.facts.Called, s.facts.Name, s.facts.Account,
		s.facts.Rule, s.facts.Why, s.facts.Verdict.Detail} {
		n += len(text)
	}
	return n
}

// bookkeeping is what the lists and maps take for one story.
const bookkeeping = 150
