package lns

import (
	"context"
	"sync/atomic"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/control"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/session"
	"lnsgate/lns/trace"
	"lnsgate/pool"
)

// controlMessage is a control datagram from the tunnel's peer.
type controlMessage struct{ datagram []byte }

func (m controlMessage) deliver(t *tunnel, now time.Time) {
	t.follow = nil // the peer is where it was
	t.step(now, func(o *control.Out) {
		if err := t.core.Receive(m.datagram, now, o); err != nil {
			t.server.counters.add(controlFault(err))
			t.log.Debug("control message dropped", "cause", err)
		}
	})
}

func (controlMessage) lost(s *Server) { s.counters.add(dropUnknownTunnel) }

// pppFrame is what a data message carried that is not user traffic of an open session.
type pppFrame struct {
	session l2tp.SessionID
	octets  []byte
}

func (f pppFrame) deliver(t *tunnel, now time.Time) {
	c := t.calls[f.session]
	if c == nil {
		t.server.counters.add(dropUnknownSession)
		return
	}
	t.follow = nil // the peer is where it was
	if !c.inform(f.octets, now) {
		c.frame(f.octets, now)
	}
}

func (pppFrame) lost(s *Server) { s.counters.add(dropUnknownSession) }

// loginAnswer is what the check of a login said.
type loginAnswer struct {
	call       *call
	request    *aaa.Request
	generation uint32
	epoch      uint64 // of the accounts and domains that it was checked against
	decision   aaa.Decision
	entered    bool // in the registry
	err        error
	trail      *aaa.Trail    // how it was decided; nil: nobody wants to know
	counted    time.Duration // how long the registry took; 0: it was not asked
}

func (a loginAnswer) deliver(t *tunnel, now time.Time) {
	if t.calls[a.call.id] != a.call {
		a.lost(t.server)
		return
	}
	if a.err == nil && a.epoch != t.server.epoch.Load() {
		t.server.recheck(t, a)
		return
	}
	if a.call.core.Awaits(a.generation) {
		a.call.giveUpAsking()
	}
	a.call.authenticated(a, now)
}

func (a loginAnswer) lost(s *Server) {
	if a.entered {
		s.leave(a.call.uid)
	}
}

// leaseAnswer is what the pools said.
type leaseAnswer struct {
	call       *call
	generation uint32
	lease      pool.Lease
	err        error
	prefixes   session.Prefixes
	prefixErr  error // why there are none, or not all
	took       time.Duration
}

func (a leaseAnswer) deliver(_ *tunnel, now time.Time) {
	if a.call.core.Awaits(a.generation) {
		a.call.giveUpAsking()
	}
	a.call.leased(a, now)
}

func (a leaseAnswer) lost(s *Server) {
	if a.lease.Address.IsValid() {
		s.release(a.lease)
	}
	for _, lease := range a.prefixes.All() {
		s.release(lease)
	}
}

// release gives a lease back, away from the tunnel's goroutine. The channel is closed when that is done.
func (s *Server) release(lease pool.Lease) <-chan struct{} {
	done := make(chan struct{})
	s.work.must(func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
		defer cancel()
		if err := s.deps.Pools.Release(ctx, lease); err != nil {
			s.deps.Log.Error("lease not given back", "address", lease.Address, "cause", err)
		}
	})
	return done
}

const releaseTimeout = 10 * time.Second

// closeTunnel ends the tunnel politely.
type closeTunnel struct {
	verdict trace.Verdict
	result  l2tp.ResultCode
}

func (m closeTunnel) deliver(t *tunnel, now time.Time) { t.close(m.verdict, m.result, now) }
func (closeTunnel) lost(*Server)                       {}

// abandon ends the tunnel without a word.
type abandon struct{ verdict trace.Verdict }

func (m abandon) deliver(t *tunnel, now time.Time) {
	t.endCalls(m.verdict, now)
	if m.verdict.Cause != trace.Unknown {
		t.endStory(m.verdict, now)
	}
	if t.up && len(m.verdict.Detail) > 0 {
		t.log.Info("tunnel closed", "cause", m.verdict.String())
	}
	t.over = true
}

func (abandon) lost(*Server) {}

// makeRoom abandons a half-open tunnel, of which there may be so many. A flood makes many of them: the tunnel finds the words.
type makeRoom struct{ limit int }

func (m makeRoom) deliver(t *tunnel, now time.Time) {
	abandon{trace.Because(trace.MadeRoom, "room is needed, there may be %d half-open tunnels (limits.half_open)", m.limit)}.deliver(t, now)
}

func (makeRoom) lost(*Server) {}

// question asks the tunnel's goroutine something about what it owns. Whoever asked may give up before it is read.
type question struct {
	ask   func(*tunnel, time.Time)
	state atomic.Uint32
	done  chan struct{} // closed when it has been answered, or never will be
}

// The states of a question. It is answered or given up, whichever comes first.
const (
	questionOpen = iota
	questionAnswered
	questionGivenUp
)

func newQuestion(ask func(*tunnel, time.Time)) *question {
	return &question{ask: ask, done: make(chan struct{})}
}

// wait returns whether the question has been answered.
func (q *question) wait(ctx context.Context) bool {
	select {
	case <-q.done:
	case <-ctx.Done():
		if q.state.CompareAndSwap(questionOpen, questionGivenUp) {
			return false
		}
		<-q.done // it is being answered just now
	}
	return q.state.Load() == questionAnswered
}

func (q *question) deliver(t *tunnel, now time.Time) {
	defer close(q.done)
	if q.state.CompareAndSwap(questionOpen, questionAnswered) {
		q.ask(t, now)
	}
}

func (q *question) lost(*Server) {
	q.state.CompareAndSwap(questionOpen, questionGivenUp)
	close(q.done)
}
