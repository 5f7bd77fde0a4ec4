package guard

import (
	"container/list"
	"context"
	"sync"
)

// turns keep many guesses of one name from being checked before the first of them has failed: at first as many are checked at once
// as failures are free, after a failure one; each success doubles it, since a name may be that of a crowd. Whoever is known has
// turns apart from strangers, and from those who are known elsewhere. A name is remembered while somebody has a turn.
type turns struct {
	mu    sync.Mutex
	lines map[pair]*line
}

// line is who has a turn, and who waits for one.
type line struct {
	under, most int
	clean       bool // there is no failure that counts
	waiting     list.List
}

// outcome is what came of a turn.
type outcome int

const (
	neither outcome = iota
	goesOn          // a conversation, and nobody knows yet
	gotIn
	failed
)

const (
	mostTurns = 1 << 16 // ends the doubling
	// mostTalks is how many words of conversations are checked at once where nobody has failed. One more with each that goes on:
	// hardly any word of a conversation is a guess, but each of them takes a turn, and all of a crowd must get to the last.
	mostTalks = 64
)

func newTurns() *turns { return &turns{lines: make(map[pair]*line)} }

// take waits for a turn in a line. Free says how many failures are free yet. False: the context has ended before.
func (t *turns) take(ctx context.Context, of pair, free int) bool {
	t.mu.Lock()
	l := t.lines[of]
	if l == nil {
		l = &line{most: max(free, 1), clean: free > 0}
		t.lines[of] = l
	}
	if l.under < l.most {
		l.under++
		t.mu.Unlock()
		return true
	}
	turn := make(chan struct{})
	place := l.waiting.PushBack(turn)
	t.mu.Unlock()
	select {
	case <-turn:
		return true
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-turn: // it came between the two
		t.end(of, neither)
	default:
		l.waiting.Remove(place)
	}
	return false
}

// leave ends a turn.
func (t *turns) leave(of pair, o outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end(of, o)
}

// end gives turns to those who wait. The mutex is held.
func (t *turns) end(of pair, o outcome) {
	l := t.lines[of]
	l.under--
	switch {
	case o == gotIn:
		l.most = min(2*l.most, mostTurns)
	case o == goesOn && l.clean && l.most < mostTalks:
		l.most++
	case o == failed:
		l.most, l.clean = 1, false
	}
	for l.waiting.Len() > 0 && l.under < l.most {
		l.under++
		close(l.waiting.Remove(l.waiting.Front()).(chan struct{}))
	}
	if l.under == 0 {
		delete(t.lines, of)
	}
}
