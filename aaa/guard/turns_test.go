package guard

import (
	"context"
	"errors"
	"net/netip"
	"strings"
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

// together has a thousand log in at the same moment, each from an address of their own, and tells what each has heard.
func together(ctx context.Context, g *Guard, next aaa.Authenticator, name string) []error {
	heard := make([]error, 1000)
	many(len(heard), func(i int) {
		r := &aaa.Request{Name: name, Peer: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1701)}
		_, heard[i] = g.Before(next).Authenticate(ctx, r)
	})
	return heard
}

// many does something so often at the same time, and waits for all of it.
func many(n int, do func(int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { do(i) })
	}
	all.Wait()
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
		if n := len(g.turns.lines); n != 0 {
			t.Errorf("%d lines are remembered", n)
		}
	})
}

// TestACrowdOfOneNameGetsIn, and soon: the doors of a hotel have one name, and all of them dial when the power is back.
func TestACrowdOfOneNameGetsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, next, began := New(Config{Failures: 5}), &slow{}, time.Now()
		if err := errors.Join(together(t.Context(), g, next, "door")...); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		if n := len(g.turns.lines); n != 0 {
			t.Errorf("%d lines are remembered", n)
		}
	})
}

// TestWhoWaitsForATurnTimesOut when the back end is slow, which is nobody's guess: another NAS then gets no answer rather than a
// no. It holds up nobody.
func TestWhoWaitsForATurnTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, next := New(Config{Failures: 5}), &slow{err: aaa.Reject(aaa.BackendUnavailable, "")} // says nothing of passwords
		ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
		defer cancel()
		late := 0
		for _, err := range together(ctx, g, next, "ann") {
			if no, ok := errors.AsType[*aaa.Rejection](err); ok && no.Retryable() && strings.Contains(no.Detail, "other logins of this name") {
				late++
			}
		}
		if asked := next.asked.Load(); asked != 15 || late != 985 || g.Delayed() != 0 {
			t.Errorf("%d asked, %d late, %d delayed", asked, late, g.Delayed())
		}
		if n := len(g.turns.lines); n != 0 {
			t.Errorf("%d lines are remembered", n)
		}
		if next.crowd != 5 {
			t.Errorf("%d at once", next.crowd)
		}
	})
}

// TestWhoGivesUpIsForgotten at once, even while nobody leaves: or memory would grow with each call that ends while a back end hangs.
func TestWhoGivesUpIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, next := New(Config{Failures: 5}), &slow{err: wrong}
		go together(t.Context(), g, next, "ann")
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		go together(ctx, g, next, "ann")
		synctest.Wait()
		line := g.turns.lines[pair{name: "ann"}]
		if n := line.waiting.Len(); n != 1995 {
			t.Errorf("%d wait", n)
		}
		cancel()
		synctest.Wait()
		if n := line.waiting.Len(); n != 995 {
			t.Errorf("%d wait, of whom 1000 have given up", n)
		}
		<-time.After(time.Second)
	})
}

// TestAfterItsDelayANameHasOneCheck, however many wait for that moment.
func TestAfterItsDelayANameHasOneCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, next := New(Config{Failures: 5, SourceFailures: -1}), &slow{err: wrong}
		together(t.Context(), g, next, "ann")
		for i := range int32(3) {
			<-time.After(10 * time.Second)
			together(t.Context(), g, next, "ann")
			if n := next.asked.Load(); n != 7+i {
				t.Errorf("%d passwords were tried after %d delays", n, i+1)
			}
		}
	})
}

// TestWhoIsKnownHasTurnsApart, as strangers could take them all.
func TestWhoIsKnownHasTurnsApart(t *testing.T) {
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

// TestWhereANameIsKnownGuessesTakeTurnsToo: all subscribers of a LAC come from one address.
func TestWhereANameIsKnownGuessesTakeTurnsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, next := New(Config{Failures: 5, SourceFailures: -1}), &slow{}
		ann := &aaa.Request{Name: "ann", Peer: netip.MustParseAddrPort("192.0.2.1:1701")}
		if _, err := g.Before(next).Authenticate(t.Context(), ann); err != nil {
			t.Fatal(err)
		}
		guesses := &slow{err: wrong}
		many(1000, func(int) { _, _ = g.Before(guesses).Authenticate(t.Context(), ann) })
		if n := guesses.asked.Load(); n != 6 {
			t.Errorf("%d passwords were tried", n)
		}
		if n := len(g.turns.lines); n != 0 {
			t.Errorf("%d lines are remembered", n)
		}
	})
}

// TestATurnEndsWhateverComesOfIt, even when a back end panics and somebody catches that.
func TestATurnEndsWhateverComesOfIt(t *testing.T) {
	g := New(Config{Failures: 1})
	for range 3 {
		func() {
			defer func() { _ = recover() }()
			_, _ = g.Before(panics{}).Authenticate(t.Context(), &aaa.Request{Name: "ann"})
		}()
	}
	if n := len(g.turns.lines); n != 0 {
		t.Errorf("%d turns are still taken", n)
	}
}

type panics struct{ aaa.Authenticator }

func (panics) Authenticate(context.Context, *aaa.Request) (aaa.Decision, error) { panic("a fault") }

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
	for _, name := range []string{`Example.com\ann`, `EXAMPLE.com\ann`, `example.com\ann`} {
		g.try(t, name, elsewhere, wrong)
	}
	if g.try(t, `exampLe.com\ann`, elsewhere, wrong) {
		t.Error("another spelling is another name, where the domain stands in front")
	}
	if !g.try(t, `example.com\Ann`, elsewhere, nil) {
		t.Error("another user waits, where the domain stands in front")
	}
}
