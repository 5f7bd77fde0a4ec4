package postgres

import (
	"context"
	"slices"
	"sync"
	"time"
)

// gathering does together what many goroutines ask for at the same time. Who asks first starts the work; who asks while
// it is under way waits for the next round. So nobody waits for company, and the busier it gets the more each round does.
// Its one goroutine lives as long as there is work.
//
// Things with the same key are never done in one round, but in the order in which they were asked for, also when somebody
// did not wait for the answer.
type gathering[T any] struct {
	most  int // in one round
	key   func(*T) string
	round func(ctx context.Context, things []*T) error // all or nothing

	mu      sync.Mutex
	waiting []*caller[T]
	working bool
}

type caller[T any] struct {
	thing *T
	done  chan error // takes one
}

func newGathering[T any](most int, key func(*T) string, round func(context.Context, []*T) error) *gathering[T] {
	return &gathering[T]{most: most, key: key, round: round}
}

// do has a thing done and waits for it. When the context ends before its turn, it is not done; when it ends while the
// thing is under way, nobody knows, but what is asked for later about the same key is done after it.
func (g *gathering[T]) do(ctx context.Context, thing *T) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := &caller[T]{thing, make(chan error, 1)}
	g.mu.Lock()
	g.waiting = append(g.waiting, c)
	if !g.working {
		g.working = true
		go g.work()
	}
	g.mu.Unlock()
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
		if len(round) > 1 && len(round) < g.most {
			pause(context.Background(), gatherGap)
		}
	}
}

// gatherGap is how long a busy round is waited for.
const gatherGap = 2 * time.Millisecond

// take begins a round with those who have waited the longest. Without any, the work is over.
func (g *gathering[T]) take() []*caller[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, keys := 0, make(map[string]bool, min(len(g.waiting), g.most))
	for n < min(len(g.waiting), g.most) && !keys[g.key(g.waiting[n].thing)] {
		keys[g.key(g.waiting[n].thing)] = true
		n++
	}
	round := slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	g.working = n > 0
	return round
}

// perform does one round. What the database refuses is looked for one by one, so that it does not harm the others.
func (g *gathering[T]) perform(round []*caller[T]) {
	things := make([]*T, len(round))
	for i, c := range round {
		things[i] = c.thing
	}
	err := g.round(context.Background(), things)
	if len(round) > 1 && refused(err) {
		for i := range round {
			g.perform(round[i : i+1])
		}
		return
	}
	for _, c := range round {
		c.done <- err
	}
}
