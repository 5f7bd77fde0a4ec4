package recorder

import (
	"cmp"
	"fmt"
	"net/netip"
	"time"

	"lnsgate/lns/trace"
)

// ring keeps stories up to a bound in octets. The oldest give way.
type ring struct {
	stories chain // the oldest first
	octets  int
	bound   int
}

// spot is where a story is kept.
type spot struct {
	in *ring
	link
	octets  int
	refusal refusal // of a stranger
}

// refusal is what strangers are told apart by.
type refusal struct {
	from  netip.Addr
	cause trace.Cause
}

// id is the session's, or one of the recorder's making. The caller holds s.mu.
func (s *Story) id() string {
	if s.facts.ID != "" {
		return s.facts.ID
	}
	return fmt.Sprintf("%st%08x", s.recorder.prefix, s.serial)
}

func (r *Recorder) called(s *Story, uid string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sessions[uid] = s
}

func (r *Recorder) unname(s *Story) {
	if uid := s.facts.ID; r.sessions[uid] == s {
		delete(r.sessions, uid)
	}
}

// keep moves a story from those under way into its ring.
func (r *Recorder) keep(s *Story, k kind) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.enter(s, &r.rings[k])
}

func (r *Recorder) enter(s *Story, in *ring) {
	s.mu.Lock()
	s.tape.settle()
	s.octets = s.size()
	s.kept.Store(true)
	s.mu.Unlock()
	s.in = in
	in.stories.append(s)
	in.octets += s.octets
	r.trim(in)
}

// trim lets the oldest stories go until the others fit.
func (r *Recorder) trim(in *ring) {
	for in.octets > in.bound {
		r.remove(in.stories.first)
	}
}

func (r *Recorder) remove(s *Story) {
	s.leave()
	s.in.octets -= s.octets
	s.in = nil
	r.unname(s)
	if r.refusals[s.refusal] == s {
		delete(r.refusals, s.refusal)
	}
}

// grown counts what a story has grown by that is kept already.
func (r *Recorder) grown(s *Story, octets int) {
	if !s.kept.Load() || octets == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.in == nil {
		return
	}
	s.octets += octets
	s.in.octets += octets
	r.trim(s.in)
}

// Refusal is a stranger who was sent away before there was a tunnel.
type Refusal struct {
	Peer     netip.AddrPort
	HostName string
	Cause    trace.Cause
}

// Refuse records that a stranger was sent away. It is cheap, whatever strangers do: the same refusal of the same source is only
// counted, and of new ones only some a second are kept; only for those the detail of the verdict is asked. The attempt is what to
// write down of it; false: nothing.
func (r *Recorder) Refuse(f Refusal, detail func() string, now time.Time) (trace.Attempt, bool) {
	if r == nil {
		return trace.Attempt{}, false
	}
	why := refusal{f.Peer.Addr().Unmap(), f.Cause}
	r.mu.Lock()
	if old := r.refusals[why]; old != nil && r.again(old, now) {
		r.mu.Unlock()
		return trace.Attempt{}, false
	}
	if !r.budget.take(now) {
		r.mu.Unlock()
		return trace.Attempt{}, false
	}
	r.mu.Unlock()
	return r.newRefusal(f, detail, now)
}

func (r *Recorder) newRefusal(f Refusal, detail func() string, now time.Time) (trace.Attempt, bool) {
	s := r.Begin(f.Peer, now)
	s.Tell(func(a *trace.Attempt) { a.HostName = f.HostName })
	s.Note(now, trace.Step{Stage: trace.StageTunnel, Actor: trace.Peer, What: "SCCRQ", Detail: "host " + fmt.Sprintf("%q", cmp.Or(f.HostName, "?"))})
	news := s.End(now, trace.Verdict{Cause: f.Cause, Detail: detail()})
	return s.Attempt(), news
}

// again counts a refusal that has been kept, if that was not too long ago.
func (r *Recorder) again(s *Story, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.facts.Began) > forgetRefusal {
		return false
	}
	s.facts.Times = max(1, s.facts.Times) + 1
	s.facts.Ended = now
	return true
}

// forgetRefusal is how long refusals of one source are one story.
const forgetRefusal = time.Hour

// keepStranger keeps the story of a stranger, unless the same has happened to it before: then that is counted.
func (r *Recorder) keepStranger(s *Story, now time.Time) (news bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.leave()
	why := refusal{s.facts.Peer.Addr().Unmap(), s.facts.Verdict.Cause}
	if old := r.refusals[why]; old != nil && r.again(old, now) {
		r.unname(s)
		s.mu.Lock()
		s.tape.free()
		s.mu.Unlock()
		return false
	}
	s.refusal = why
	r.refusals[why] = s
	r.enter(s, &r.rings[strangers])
	return true
}

// budget bounds how many stories strangers can make us keep: some at once, and a few a second in the long run.
type budget struct {
	whole   time.Time // when it is full again
	leftOut uint64
}

const (
	budgetBurst = 200
	budgetEvery = time.Second / 20
)

func (b *budget) take(now time.Time) bool {
	from := b.whole
	if from.Before(now) {
		from = now
	}
	if from.Sub(now) > budgetBurst*budgetEvery {
		b.leftOut++
		return false
	}
	b.whole = from.Add(budgetEvery)
	return true
}
