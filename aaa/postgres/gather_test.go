package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// rounds records what a gathering does, and lets it go on one by one.
type rounds struct {
	mu   sync.Mutex
	done []string
	free chan struct{}
	err  func(things []*string) error
}

func (r *rounds) round(_ context.Context, things []*string) error {
	<-r.free
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for _, s := range things {
		names = append(names, *s)
	}
	slices.Sort(names)
	r.done = append(r.done, strings.Join(names, " "))
	return r.err(things)
}

func newRounds(most int) (*rounds, *gathering[string]) {
	r := &rounds{free: make(chan struct{}), err: func([]*string) error { return nil }}
	return r, newGathering(most, func(s *string) string { return *s }, r.round)
}

// come has things asked for, one after the other, and does not wait.
func come(ctx context.Context, g *gathering[string], answers chan error, things ...string) {
	for _, s := range things {
		go func() { answers <- g.do(ctx, &s) }()
		synctest.Wait()
	}
}

func TestWhoComesMeanwhileGoesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, g := newRounds(3)
		answers := make(chan error, 9)
		come(t.Context(), g, answers, "a", "b", "c", "d", "e", "e", "f")
		close(r.free)
		for range 7 {
			if err := <-answers; err != nil {
				t.Error(err)
			}
		}
		pause(t.Context(), 2*gatherGap)
		// No more than three, and never twice the same.
		if got := fmt.Sprint(r.done); got != "[a b c d e e f]" || len(r.done) != 4 {
			t.Errorf("%q", r.done)
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.working != 0 || len(g.waiting) != 0 {
			t.Error("it goes on")
		}
	})
}

// Things of different sizes share a round as long as there is room.
func TestARoundIsFullBySize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, g := newRounds(4)
		g.size = func(s *string) int { return len(*s) }
		answers := make(chan error, 9)
		come(t.Context(), g, answers, "aaaa", "bb", "c", "d", "ee", "fff", "g", "h")
		close(r.free)
		for range 8 {
			if err := <-answers; err != nil {
				t.Error(err)
			}
		}
		if got := fmt.Sprintf("%q", r.done); got != `["aaaa" "bb c d" "ee" "fff g" "h"]` {
			t.Error(got)
		}
	})
}

// TestCrowdGoesInSeveralRounds: while rounds are under way that do not end, who comes next is served by another.
func TestCrowdGoesInSeveralRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rounds{free: make(chan struct{}), err: func([]*string) error { return nil }}
		g := newCrowd(3, 2, r.round)
		answers := make(chan error, 9)
		come(t.Context(), g, answers, "a", "a", "b", "c", "c", "d")
		r.free <- struct{}{}
		synctest.Wait()
		if got := fmt.Sprintf("%q", r.done); got != `["a"]` {
			t.Error(got)
		}
		close(r.free)
		for range 6 {
			if err := <-answers; err != nil {
				t.Error(err)
			}
		}
		synctest.Wait() // without a pause
		slices.Sort(r.done)
		if got := fmt.Sprintf("%q", r.done); got != `["a" "a" "b c c" "d"]` || g.working != 0 {
			t.Error(got, g.working)
		}
	})
}

// TestWhoComesWhileMoreAreWaitedForIsCompany: after a busy round nobody begins another one alone.
func TestWhoComesWhileMoreAreWaitedForIsCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rounds{free: make(chan struct{}), err: func([]*string) error { return nil }}
		g := newCrowd(9, 2, r.round)
		answers := make(chan error, 9)
		come(t.Context(), g, answers, "a", "b", "c", "d", "e")
		close(r.free)
		synctest.Wait() // a and b went alone, c, d and e together: more are waited for
		began := time.Now()
		come(t.Context(), g, answers, "f", "g")
		for range 7 {
			if err := <-answers; err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(began); took != gatherGap {
			t.Errorf("%s", took)
		}
		slices.Sort(r.done)
		if got := fmt.Sprintf("%q", r.done); got != `["a" "b" "c d e" "f g"]` {
			t.Error(got)
		}
		pause(t.Context(), 2*gatherGap)
	})
}

// TestAWholeRoundWaitsForNobody: as soon as so many have come as one round takes, it begins.
func TestAWholeRoundWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rounds{free: make(chan struct{}), err: func([]*string) error { return nil }}
		g := newCrowd(4, 2, r.round)
		answers := make(chan error, 9)
		come(t.Context(), g, answers, "a", "b", "c", "d", "e")
		close(r.free)
		synctest.Wait() // a and b went alone, c, d and e together: more are waited for
		began := time.Now()
		come(t.Context(), g, answers, "f", "g", "h")
		synctest.Wait()
		if len(answers) != 5 {
			t.Errorf("%d answers, three wait", len(answers))
		}
		come(t.Context(), g, answers, "i")
		for range 9 {
			<-answers
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("%s", took)
		}
		slices.Sort(r.done)
		if got := fmt.Sprintf("%q", r.done); got != `["a" "b" "c d e" "f g h i"]` {
			t.Error(got)
		}
		pause(t.Context(), 2*gatherGap)
	})
}

func TestTheMoreCameTheLongerMoreAreWaitedFor(t *testing.T) {
	for round, want := range map[int]time.Duration{2: gatherGap, 8: gatherGap, 20: 5 * time.Millisecond, 32: gatherMost, 1000: gatherMost} {
		if got := gapAfter(round); got != want {
			t.Errorf("after %d: %s, want %s", round, got, want)
		}
	}
}

func TestWhoGivesUpIsNotServedOrNobodyKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, g := newRounds(3)
		ctx, cancel := context.WithCancel(t.Context())
		answers := make(chan error, 9)
		come(ctx, g, answers, "a", "b")
		come(t.Context(), g, make(chan error, 9), "a")
		cancel()
		for range 2 {
			if err := <-answers; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		close(r.free)
		synctest.Wait()
		if got := fmt.Sprintf("%q", r.done); got != `["a" "a"]` { // what came later is done later
			t.Error(got)
		}
		if err := g.do(ctx, new(string)); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		pause(t.Context(), 2*gatherGap)
	})
}

func TestOneThatIsRefusedDoesNotHarmTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, g := newRounds(9)
		r.err = func(things []*string) error {
			for _, s := range things {
				if *s == "bad" {
					return &pgconn.PgError{Code: "22021"}
				}
			}
			return nil
		}
		good, bad := make(chan error, 9), make(chan error, 1)
		come(t.Context(), g, good, "a", "b")
		come(t.Context(), g, bad, "bad")
		come(t.Context(), g, good, "c")
		close(r.free)
		for range 3 {
			if err := <-good; err != nil {
				t.Error(err)
			}
		}
		if err := <-bad; !refused(err) {
			t.Error(err)
		}
		pause(t.Context(), 2*gatherGap)
	})
}
