package guard

import (
	"context"
	"sync"
)

// turns keep many guesses of one name from being checked before the first of them has failed: at first as many are checked at once
// as failures are free, after a failure one; each success doubles it, since a name may be that of a crowd. A name is remembered
// while somebody has a turn.
type turns struct {
	free  int
	mu    sync.Mutex
	names map[string]*line
}

// line is who has a turn, and who waits for one.
type line struct {
	under, most int
	waiting     []*waiter // the first is next
}

type waiter struct {
	turn chan struct{} // closed when it has come
	gone bool          // has given up
}

// outcome is what came of a turn.
type outcome int

const (
	neither outcome = iota
	gotIn
	failed
)

// mostTurns ends the doubling.
const mostTurns = 1 << 16

func newTurns(free int) *turns { return &turns{free: free, names: make(map[string]*line)} }

// take waits for a turn. False: the context has ended before.
func (t *turns) take(ctx context.Context, name string) bool {
	t.mu.Lock()
	l := t.names[name]
	if l == nil {
		l = &line{most: t.free}
		t.names[name] = l
	}
	if l.under < l.most {
		l.under++
		t.mu.Unlock()
		return true
	}
	w := &waiter{turn: make(chan struct{})}
	l.waiting = append(l.waiting, w)
	t.mu.Unlock()
	select {
	case <-w.turn:
		return true
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-w.turn: // it came between the two
		t.end(name, neither)
	default:
		w.gone = true
	}
	return false
}

// leave ends a turn.
func (t *turns) leave(name string, o outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end(name, o)
}

// end gives turns to those who wait. The mutex is held.
func (t *turns) end(name string, o outcome) {
	l := t.names[name]
	l.under--
	switch o {
	case gotIn:
		l.most = min(2*l.most, mostTurns)
	case failed:
		l.most = 1
	}
	for len(l.waiting) > 0 && l.under < l.most {
		w := l.waiting[0]
		l.waiting = l.waiting[1:]
		if !w.gone {
			l.under++
			close(w.turn)
		}
	}
	if l.under == 0 {
		delete(t.names, name)
	}
}
