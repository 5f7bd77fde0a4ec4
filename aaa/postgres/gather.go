package postgres

import (
	"context"
	"slices"
	"sync"
	"time"
)

// gathering does together what many goroutines ask for at the same time. Who asks first starts the work; who asks while
// it is under way waits for the next round. So nobody waits for company, and the busier it gets the more each round does.
// Its goroutines live as long as there is work.
//
// Things with the same key are never done in one round, but in the order in which they were asked for, also when somebody
// did not wait for the answer. Without keys, several rounds may be under way at once.
type gathering[T any] struct {
	most   int                                          // in one round, by size
	size   func(*T) int                                 // nil: each is 1
	atOnce int                                          // rounds; 1 if there is a key
	busy   int                                          // after a round of so many, more are waited for
	key    func(*T) string                              // nil: none
	round  func(ctx context.Context, things []*T) error // all or nothing

	mu      sync.Mutex
	waiting []*caller[T]
	working int           // rounds under way, and waits for the next
	idling  int           // of these, waits
	full    chan struct{} // takes one: while it is waited, a whole round has come together
}

type caller[T any] struct {
	thing *T
	done  chan error // takes one
}

func newGathering[T any](most int, key func(*T) string, round func(context.Context, []*T) error) *gathering[T] {
	return &gathering[T]{most: most, atOnce: 1, busy: 2, key: key, round: round, full: make(chan struct{}, 1)}
}

// newCrowd makes a gathering of things that may be done in any order, and that are soon done: waiting for more pays only
// where many come.
func newCrowd[T any](most, atOnce int, round func(context.Context, []*T) error) *gathering[T] {
	return &gathering[T]{most: most, atOnce: atOnce, busy: 3, round: round, full: make(chan struct{}, 1)}
}

// do has a thing done and waits for it. When the context ends before its turn, it is not done; when it ends while the
// thing is under way, nobody knows, but what is asked for later about the same key is done after it.
func (g *gathering[T]) do(ctx context.Context, thing *T) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return g.await(ctx, g.put(thing))
}

// put has a thing done after what was put before it under the same key.
func (g *gathering[T]) put(thing *T) *caller[T] {
	c := &caller[T]{thing, make(chan error, 1)}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, c)
	if g.working < g.atOnce && g.idling == 0 {
		g.working++
		go g.work()
	}
	if g.idling > 0 && g.sizeOf(g.waiting) >= g.most {
		select {
		case g.full <- struct{}{}:
		default:
		}
	}
	return c
}

// await waits for a thing that was put.
func (g *gathering[T]) await(ctx context.Context, c *caller[T]) error {
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		g.mu.Lock()
		defer g.mu.Unlock()
		g.waiting = slices.DeleteFunc(g.waiting, func(w *caller[T]) bool { return w == c })
		return ctx.Err()
	}
}

// work does round after round, until nobody waits.
func (g *gathering[T]) work() {
	for round := g.take(); len(round) > 0; round = g.take() {
		g.perform(round)
		if len(round) >= g.busy && g.sizeOf(round) < g.most {
			g.idle(gapAfter(len(round)))
		}
	}
}

// idle waits for company, until there is enough for a whole round. Who comes meanwhile is the company, and begins no other round.
func (g *gathering[T]) idle(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	g.mu.Lock()
	g.idling++
	enough := g.sizeOf(g.waiting) >= g.most
	select {
	case <-g.full: // said too late for the wait before
	default:
	}
	g.mu.Unlock()
	if !enough {
		select {
		case <-timer.C:
		case <-g.full:
		}
	}
	g.mu.Lock()
	g.idling--
	g.mu.Unlock()
}

// How long more are waited for after a busy round: the more there were, the more will come. A round costs as much as the work on
// some ten things.
const (
	gatherGap  = 2 * time.Millisecond
	gatherMost = 8 * time.Millisecond
	gatherEach = 250 * time.Microsecond
)

func gapAfter(round int) time.Duration {
	return min(max(gatherGap, time.Duration(round)*gatherEach), gatherMost)
}

// take begins a round with those who have waited the longest. Without any, the work is over.
func (g *gathering[T]) take() []*caller[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.fit()
	round := slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	if n == 0 {
		g.working--
	}
	return round
}

// sizeOf is how much of a round they take.
func (g *gathering[T]) sizeOf(callers []*caller[T]) int {
	if g.size == nil {
		return len(callers)
	}
	all := 0
	for _, c := range callers {
		all += g.size(c.thing)
	}
	return all
}

// fit is how many of those who wait the next round does. The lock is held.
func (g *gathering[T]) fit() int {
	var keys map[string]bool
	if g.key != nil {
		keys = make(map[string]bool, min(len(g.waiting), g.most))
	}
	n, taken := 0, 0
	for n < len(g.waiting) {
		taken += g.sizeOf(g.waiting[n : n+1])
		if taken > g.most {
			break
		}
		if g.key != nil {
			key := g.key(g.waiting[n].thing)
			if keys[key] {
				break
			}
			keys[key] = true
		}
		n++
	}
	return n
}

// perform does one round. What the database refuses, or somebody's open transaction holds up, is looked for one by one, so that
// it does not harm the others.
func (g *gathering[T]) perform(round []*caller[T]) {
	things := make([]*T, len(round))
	for i, c := range round {
		things[i] = c.thing
	}
	err := g.round(context.Background(), things)
	if len(round) > 1 && (refused(err) || codeOf(err) == lockNotAvailable) {
		for i := range round {
			g.perform(round[i : i+1])
		}
		return
	}
	for _, c := range round {
		c.done <- err
	}
}
