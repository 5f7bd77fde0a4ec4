package guard

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"lnsgate/aaa"
)

// talks is a back end that leads conversations of ten words, and takes a tenth of a second for each.
type talks struct {
	end   error // of all conversations; nil: they get in
	asked atomic.Int32
}

const words = 10

func (s *talks) Authenticate(_ context.Context, r *aaa.Request) (aaa.Decision, error) {
	<-time.After(100 * time.Millisecond)
	if len(r.Proof.State) < words-1 {
		return aaa.Decision{}, &aaa.Challenge{State: append(r.Proof.State, 0)}
	}
	s.asked.Add(1)
	return aaa.Decision{Account: r.Name}, s.end
}

func (s *talks) Authorize(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	return s.Authenticate(ctx, r)
}

// talk goes on until it hears a yes or a no, and leaves the last words out when it is told to.
func talk(ctx context.Context, a aaa.Authenticator, r aaa.Request, until int) (aaa.Request, error) {
	for {
		if len(r.Proof.State) == until {
			return r, nil
		}
		word, cancel := context.WithTimeout(ctx, 10*time.Second)
		_, err := a.Authenticate(word, &r)
		cancel()
		more, ok := err.(*aaa.Challenge)
		if !ok {
			return r, err
		}
		r.Proof.State = more.State
	}
}

// TestACrowdThatTalksGetsIn: a thousand at once whom one name hides, that of the outside of EAP, at a server far away.
func TestACrowdThatTalksGetsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, next := New(Config{}), &talks{}
		var in atomic.Int32
		many(1000, func(int) {
			r := aaa.Request{Name: "wifi@sales.example", Proof: aaa.Proof{Method: aaa.EAP}, NAS: &aaa.NAS{Client: "ap"}}
			if _, err := talk(t.Context(), g.Before(next), r, -1); err == nil {
				in.Add(1)
			}
		})
		if n := in.Load(); n != 1000 {
			t.Errorf("%d got in", n)
		}
	})
}

// TestWhoTalksGuessesLittle: a thousand conversations are led to their last words, which are then said at the same moment. Those
// are as many guesses as there may be words at once, and only the first time.
func TestWhoTalksGuessesLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, next := New(Config{}), &talks{end: wrong}
		a := g.Before(next)
		for _, most := range []int32{mostTalks, 1, 1} {
			before := next.asked.Load()
			led := make([]aaa.Request, 1000)
			many(len(led), func(i int) {
				led[i], _ = talk(t.Context(), a, aaa.Request{Name: "bob", Proof: aaa.Proof{Method: aaa.EAP}}, words-1)
			})
			many(len(led), func(i int) { _, _ = talk(t.Context(), a, led[i], -1) })
			if n := next.asked.Load() - before; n > most || n == 0 {
				t.Errorf("%d passwords were tried, where %d may be", n, most)
			}
			<-time.After(time.Minute)
		}
	})
}
