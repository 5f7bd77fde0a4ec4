package guard

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"lnsgate/aaa"
)

// answers is an authenticator that gives the same answer to all.
type answers struct {
	err   error
	asked int
}

func (a *answers) Authenticate(context.Context, *aaa.Request) (aaa.Decision, error) {
	a.asked++
	return aaa.Decision{}, a.err
}

func (a *answers) Authorize(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	return a.Authenticate(ctx, r)
}

// guardian is a guard with a clock that a test sets.
type guardian struct {
	*Guard
	clock time.Time
	next  answers
}

func newGuardian(cfg Config) *guardian {
	g := &guardian{Guard: New(cfg), clock: time.Unix(1e9, 0)}
	g.now = func() time.Time { return g.clock }
	return g
}

// try logs in and reports whether the next one was asked.
func (g *guardian) try(t *testing.T, name, source string, err error) bool {
	t.Helper()
	r := &aaa.Request{Name: name}
	if source != "" {
		r.Peer = netip.AddrPortFrom(netip.MustParseAddr(source), 1701)
	}
	return g.ask(t, r, err)
}

// ask is try with a request of any kind.
func (g *guardian) ask(t *testing.T, r *aaa.Request, err error) bool {
	t.Helper()
	g.next = answers{err: err}
	_, got := g.Before(&g.next).Authenticate(context.Background(), r)
	if g.next.asked == 0 && causeOf(got) != aaa.TooManyFailures || g.next.asked == 1 && got != err {
		t.Errorf("asked %d times: %v", g.next.asked, got)
	}
	return g.next.asked == 1
}

var wrong = aaa.Reject(aaa.WrongPassword, "")

func TestWhoGuessesAPasswordWaits(t *testing.T) {
	g := newGuardian(Config{Failures: 3, Delay: time.Second, MaxDelay: 4 * time.Second, Forget: time.Minute})
	for i := range 4 {
		if !g.try(t, "bob", fmt.Sprintf("192.0.2.%d", i), wrong) {
			t.Errorf("failure %d is not free", i+1)
		}
	}
	for _, delay := range []time.Duration{1, 2, 4, 4, 4} {
		g.clock = g.clock.Add(delay*time.Second - 1)
		if g.try(t, "bob", "192.0.2.77", nil) {
			t.Errorf("not held for %d s", delay)
		}
		if !g.try(t, "eve", "192.0.2.77", nil) {
			t.Error("another name is held")
		}
		g.clock = g.clock.Add(1)
		if !g.try(t, "bob", "192.0.2.78", wrong) {
			t.Errorf("held for more than %d s", delay)
		}
	}
	if _, err := g.Before(&g.next).Authenticate(context.Background(), &aaa.Request{Name: "bob"}); reasonOf(err) != aaa.NameDelayed {
		t.Error(err)
	}
	if g.Delayed() != 6 {
		t.Errorf("%d delayed", g.Delayed())
	}
	g.clock = g.clock.Add(4 * time.Second)
	if !g.try(t, "bob", "192.0.2.1", nil) || !g.try(t, "bob", "192.0.2.1", wrong) || !g.try(t, "bob", "192.0.2.1", wrong) {
		t.Error("a success did not clear the name")
	}
}

func TestWhoTriesManyNamesWaits(t *testing.T) {
	g := newGuardian(Config{SourceFailures: 10})
	held := 0
	for i := range 20 {
		if !g.try(t, fmt.Sprint("user", i), "192.0.2.1", aaa.Reject(aaa.UnknownUser, "")) {
			held++
		}
	}
	at := netip.MustParseAddrPort("192.0.2.1:1701")
	if _, err := g.Before(&g.next).Authenticate(context.Background(), &aaa.Request{Name: "user0", Peer: at}); reasonOf(err) != aaa.SourceDelayed {
		t.Error(err)
	}
	if held != 9 || !g.try(t, "user0", "192.0.2.2", wrong) || !g.try(t, "user0", "", wrong) {
		t.Errorf("%d of 20 held", held)
	}
	g.clock = g.clock.Add(time.Second)
	if !g.try(t, "good", "::ffff:192.0.2.1", nil) || !g.try(t, "user1", "192.0.2.1", wrong) {
		t.Error("a success did not clear the address")
	}
}

// The users of a NAS come from one address. One of them who guesses must not keep out the others.
func TestTheUsersOfANASAreToldApartByTheirNumber(t *testing.T) {
	g := newGuardian(Config{SourceFailures: 10})
	nas := func(client, name, station string) *aaa.Request {
		return &aaa.Request{Name: name, Peer: netip.MustParseAddrPort("192.0.2.1:1645"), CallingNumber: station, NAS: &aaa.NAS{Client: client}}
	}
	held := 0
	for i := range 20 {
		if !g.ask(t, nas("branch", fmt.Sprint("user", i), "02-00-5E-00-53-01"), aaa.Reject(aaa.UnknownUser, "")) {
			held++
		}
	}
	if held != 9 {
		t.Errorf("%d of 20 held", held)
	}
	for i := range 100 {
		if !g.ask(t, nas("branch", fmt.Sprint("silent", i), ""), aaa.Reject(aaa.UnknownUser, "")) {
			t.Fatal("held for want of a number")
		}
	}
	for what, r := range map[string]*aaa.Request{
		"another caller": nas("branch", "a", "02-00-5E-00-53-02"), "the same of another NAS": nas("annex", "b", "02-00-5E-00-53-01"),
		"a caller without number": nas("branch", "c", ""), "a tunnel from there": {Name: "d", Peer: netip.MustParseAddrPort("192.0.2.1:1701")},
	} {
		if !g.ask(t, r, wrong) {
			t.Errorf("%s is held", what)
		}
	}
	_, err := g.Before(&g.next).Authenticate(context.Background(), nas("branch", "x", "02-00-5E-00-53-01"))
	if err == nil || !strings.Contains(err.Error(), `caller "02-00-5E-00-53-01" of branch`) {
		t.Errorf("the administrator reads: %v", err)
	}
	long := strings.Repeat("9", maxStation)
	for i := range 20 {
		g.ask(t, nas("branch", fmt.Sprint("long", i), long+fmt.Sprint(i)), wrong)
	}
	if n := g.sources.Size(); n != 5 {
		t.Errorf("%d sources are remembered", n)
	}
}

// Whoever hides behind an anonymous identity shares it with others.
func TestAnAnonymousIdentityOfEAPIsNobodysName(t *testing.T) {
	g := newGuardian(Config{Failures: 1, SourceFailures: 20})
	eap := func(name string) *aaa.Request {
		return &aaa.Request{Name: name, Proof: aaa.Proof{Method: aaa.EAP}, NAS: &aaa.NAS{Client: "branch"}, CallingNumber: "1"}
	}
	other := 0
	for name, free := range map[string]int{"anonymous@sales": 5, "@sales": 5, "Anonymous": 5, "": 5, "anonymouse": 2, "bob@sales": 2} {
		for i := range 5 {
			other++
			r := eap(name)
			r.CallingNumber = fmt.Sprint("other ", other)
			if asked := g.ask(t, r, wrong); asked != (i < free) {
				t.Errorf("%q: failure %d asked: %v", name, i+1, asked)
			}
		}
	}
	for range 21 {
		g.ask(t, eap("@sales"), wrong)
	}
	if g.ask(t, eap("@sales"), wrong) {
		t.Error("the caller is not counted")
	}
	pap := &aaa.Request{Name: "anonymous"}
	g.ask(t, pap, wrong)
	if g.ask(t, pap, wrong); g.ask(t, pap, wrong) {
		t.Error("without EAP it is a name like any other")
	}
}

func TestOnlyGuessesCount(t *testing.T) {
	g := newGuardian(Config{Failures: 1, SourceFailures: 1})
	for cause := aaa.CauseNone; cause <= aaa.Misconfigured; cause++ {
		if cause == aaa.Refused {
			continue // see TestWhatARADIUSServerRefusesWaitsAndBansNobody
		}
		guess := cause == aaa.WrongPassword || cause == aaa.UnknownUser || cause == aaa.AccountDisabled || cause == aaa.AccountExpired
		held := false
		for range 5 {
			held = held || !g.try(t, fmt.Sprint(cause), fmt.Sprintf("192.0.2.%d", cause), aaa.Reject(cause, ""))
		}
		if held != guess {
			t.Errorf("%s: held %v", cause, held)
		}
	}
	g.next = answers{err: wrong}
	for range 10 {
		if _, err := g.Before(&g.next).Authorize(context.Background(), &aaa.Request{Name: "bob"}); err != wrong {
			t.Error(err)
		}
	}
	if !g.try(t, "bob", "", nil) {
		t.Error("Authorize counts")
	}
}

func TestFailuresAreForgotten(t *testing.T) {
	g := newGuardian(Config{Failures: 1, Forget: 10 * time.Minute, MaxDelay: time.Second})
	for range 10 {
		g.try(t, "bob", "", wrong)
		g.clock = g.clock.Add(time.Second)
	}
	g.clock = g.clock.Add(10 * time.Minute)
	for i := range 2 {
		if !g.try(t, "bob", "", wrong) {
			t.Errorf("failure %d after a long time is held", i+1)
		}
	}
	if n := g.names.Size(); n != 1 {
		t.Errorf("%d names are remembered", n)
	}
	off := newGuardian(Config{Failures: -1, SourceFailures: -1})
	for range 1000 {
		if !off.try(t, "bob", "192.0.2.1", wrong) {
			t.Fatal("held, but it is switched off")
		}
	}
}

func TestAFloodOfNamesDoesNotGrowTheMemory(t *testing.T) {
	g := newGuardian(Config{SourceFailures: -1})
	for i := range maxGuarded + maxGuarded/4 {
		g.try(t, fmt.Sprint(i), "192.0.2.1", wrong)
	}
	for i := range 100 {
		g.try(t, strings.Repeat("x", 300)+fmt.Sprint(i), "192.0.2.1", wrong)
	}
	if n := g.names.Size(); n > maxGuarded {
		t.Errorf("%d names are remembered", n)
	}
}

// The peer must not see from the time that it was held.
func TestAHeldLoginTakesAsLongAsAnyOther(t *testing.T) {
	g := New(Config{Failures: 1})
	slow := slowAnswers{30 * time.Millisecond}
	a := g.Before(slow)
	r := &aaa.Request{Name: "bob"}
	var took time.Duration
	for range 8 {
		began := time.Now()
		_, err := a.Authenticate(context.Background(), r)
		if took = time.Since(began); causeOf(err) == aaa.TooManyFailures {
			break
		}
		_, _ = a.Authenticate(context.Background(), &aaa.Request{Name: fmt.Sprint(took)}) // the mean needs more than one
	}
	if took < 5*time.Millisecond {
		t.Errorf("rejected after %s", took)
	}
}

type slowAnswers struct{ pause time.Duration }

func (s slowAnswers) Authenticate(ctx context.Context, _ *aaa.Request) (aaa.Decision, error) {
	pause(ctx, s.pause)
	return aaa.Decision{}, wrong
}

func (s slowAnswers) Authorize(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	return s.Authenticate(ctx, r)
}

func TestAGuardIsForMany(t *testing.T) {
	g := New(Config{Failures: 1000000, SourceFailures: 1000000})
	a := g.Before(&aaatestFake{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 1000 {
				_, _ = a.Authenticate(context.Background(), &aaa.Request{Name: fmt.Sprint(i % 7)})
			}
		})
	}
	wg.Wait()
	if f, _ := g.names.Get("0", time.Now()); f.count != 8*143 {
		t.Errorf("%d failures of one name", f.count)
	}
}

type aaatestFake struct{}

func (*aaatestFake) Authenticate(context.Context, *aaa.Request) (aaa.Decision, error) {
	return aaa.Decision{}, wrong
}

func (*aaatestFake) Authorize(context.Context, *aaa.Request) (aaa.Decision, error) {
	return aaa.Decision{}, wrong
}

func causeOf(err error) aaa.Cause {
	if r, ok := errors.AsType[*aaa.Rejection](err); ok {
		return r.Cause
	}
	return aaa.CauseNone
}

func reasonOf(err error) aaa.Reason {
	if r, ok := errors.AsType[*aaa.Rejection](err); ok {
		return r.Reason
	}
	return aaa.ReasonNone
}
