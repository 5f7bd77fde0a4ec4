package recorder

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"lnsgate/lns/trace"
)

// watchBuffer is how many events may wait for a watcher.
const watchBuffer = 256

// watchers are told what happens, each as fast as it reads.
type watchers struct {
	mu    sync.Mutex // guards all
	all   map[chan trace.Event]struct{}
	count atomic.Int32
	lost  atomic.Uint64
}

// Watch returns a channel of what happens from now on. Events for which the reader is too slow are lost, and counted. It is closed when
// the context ends.
func (r *Recorder) Watch(ctx context.Context) <-chan trace.Event {
	events := make(chan trace.Event, watchBuffer)
	if r == nil {
		context.AfterFunc(ctx, func() { close(events) })
		return events
	}
	w := &r.watchers
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = make(map[chan trace.Event]struct{})
	}
	w.all[events] = struct{}{}
	w.count.Add(1)
	context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, events)
		w.count.Add(-1)
		close(events)
	})
	return events
}

// announce tells whoever watches. It costs nothing when nobody does.
func (r *Recorder) announce(k trace.EventKind, s *Story) {
	if r.watchers.count.Load() > 0 {
		r.tell(k, s)
	}
}

func (r *Recorder) tell(k trace.EventKind, s *Story) {
	s.mu.Lock()
	a := &s.facts
	e := trace.Event{Kind: k, At: time.Now(), ID: s.id(), Tunnel: a.Tunnel, Session: a.Handle(), Peer: a.Peer, Name: a.Name,
		Account: a.Account, Domain: a.Domain, Address: a.Address, Verdict: a.Verdict}
	s.mu.Unlock()
	r.Announce(e)
}

// Announce tells whoever watches of what has no story any more.
func (r *Recorder) Announce(e trace.Event) {
	if r == nil || r.watchers.count.Load() == 0 {
		return
	}
	w := &r.watchers
	w.mu.Lock()
	defer w.mu.Unlock()
	for events := range w.all {
		select {
		case events <- e:
		default:
			w.lost.Add(1)
		}
	}
}
