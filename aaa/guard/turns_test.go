package guard

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"lnsgate/aaa"
)

// slow checks passwords in a tenth of a second, and gives the same answer to all.
type slow struct {
	err   error
	asked atomic.Int32

	mu           sync.Mutex
	under, crowd int // at once now, and at most
}

func (s *slow) Authenticate(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	s.asked.Add(1)
	s.enter(1)
	defer s.enter(-1)
	<-time.After(100 * time.Millisecond)
	return aaa.Decision{Account: r.Name}, s.err
}

func (s *slow) enter(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.under += n
	s.crowd = max(s.crowd, s.under)
}

func (s *slow) Authorize(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	return s.Authenticate(ctx, r)
}

// together has a thousand log in at the same moment, each from an address of their own, and returns how many got in.
func together(ctx context.Context, g *Guard, next aaa.Authenticator, name string) int {
	var in atomic.Int32
	var all sync.WaitGroup
	for i := range 1000 {
		all.Go(func() {
			r := &aaa.Request{Name: name, Peer: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1701)}
			if _, err := g.Before(next).Authenticate(ctx, r); err == nil {
				in.Add(1)
			}
		})
	}
	all.Wait()
	return int(in.Load())
}

// TestGuessesAtOnceAreNoMoreThanGuessesInTurn: who sends a thousand before the first has failed has tried six.
func TestGuessesAtOnceAreNoMoreThanGuessesInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, next := New(Config{Failures: 5}), &slow{err: wrong}
		together(t.Context(), g, next, "ann")
		if n := next.asked.Load(); n != 6 {
			t.Errorf("%d passwords were tried", n)
		}
		if n := g.Delayed(); n != 994 {
			t.Errorf("%d were delayed", n)
		}
		if n := len(g.turns.names); n != 0 {
			t.Errorf("%d names are remembered", n)
		}
	})
}

// TestACrowdOfOneNameGetsIn, and soon: the doors of a hotel have one name, and all of them dial when the power is back.
func TestACrowdOfOneNameGetsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, next, began := New(Config{Failures: 5}), &slow{}, time.Now()
		if n := together(t.Context(), g, next, "door"); n != 1000 {
			t.Errorf("%d got in", n)
		}
		if took := time.Since(began); took > 500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		if n := len(g.turns.names); n != 0 {
			t.Errorf("%d names are remembered", n)
		}
	})
}

// TestWhoWaitsForATurnIsToldWhy when the time is over, and holds up nobody.
func TestWhoWaitsForATurnIsToldWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, next := New(Config{Failures: 5}), &slow{err: aaa.Reject(aaa.BackendUnavailable, "")} // says nothing of passwords
		ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
		defer cancel()
		together(ctx, g, next, "ann")
		if asked, delayed := next.asked.Load(), g.Delayed(); asked != 15 || delayed != 985 {
			t.Errorf("%d asked, %d delayed", asked, delayed)
		}
		if n := len(g.turns.names); n != 0 {
			t.Errorf("%d names are remembered", n)
		}
		if next.crowd != 5 {
			t.Errorf("%d at once", next.crowd)
		}
	})
}

// TestWhoIsKnownNeedsNoTurn, as strangers could take them all.
func TestWhoIsKnownNeedsNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, next := New(Config{Failures: 5}), &slow{}
		ann := &aaa.Request{Name: "ann", Peer: netip.MustParseAddrPort("192.0.2.1:1701")}
		if _, err := g.Before(next).Authenticate(t.Context(), ann); err != nil {
			t.Fatal(err)
		}
		stuck := &slow{err: wrong}
		go together(t.Context(), g, stuck, "ann")
		synctest.Wait()
		if n := stuck.asked.Load(); n != 5 {
			t.Errorf("%d strangers have a turn", n)
		}
		began := time.Now()
		if _, err := g.Before(next).Authenticate(t.Context(), ann); err != nil || time.Since(began) != 100*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		<-time.After(time.Second)
	})
}

// TestSpellingsOfADomainAreOneName, of a user not: accounts are told apart so.
func TestSpellingsOfADomainAreOneName(t *testing.T) {
	bans := newBans(t, Policy{})
	g := newGuardian(Config{Bans: bans, Failures: 2, SourceFailures: -1})
	for _, name := range []string{"ann@example.com", "ann@Example.com", "ann@EXAMPLE.COM"} {
		g.try(t, name, elsewhere, wrong)
	}
	if g.try(t, "ann@exampLe.com", elsewhere, wrong) {
		t.Error("another spelling is another name")
	}
	if !g.try(t, "Ann@example.com", elsewhere, nil) {
		t.Error("another user waits")
	}
	if err := bans.Add(Ban{Account: "bob@Example.com", Since: g.clock, By: "root"}); err != nil {
		t.Fatal(err)
	}
	if g.try(t, "bob@eXample.com", elsewhere, nil) {
		t.Error("another spelling of the domain is not banned")
	}
	if lifted, err := bans.Lift("bob@EXAMPLE.com", netip.Prefix{}, g.clock); !lifted || err != nil {
		t.Errorf("%v %v", lifted, err)
	}
}
