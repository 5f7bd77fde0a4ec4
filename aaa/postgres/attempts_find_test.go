package postgres

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
)

// tale is a tale of one step, with a character in it that the database cannot hold.
type tale struct{}

func (tale) Fingerprint() string { return "Windows 10 or 11" }
func (tale) Steps() []byte       { return []byte(`[{"after_ns":1,"what":"SCCRQ","detail":"a\u0000b"}]`) }

func wholeAttempt(i int, at time.Time) aaa.Attempt {
	a := attempt(i)
	a.At, a.Tale, a.Cause, a.Backend, a.Rule, a.Pool, a.Why = at, tale{}, "logged-in", "hq", "the name ends with @sales", "staff", "as before"
	a.Vendor, a.Group, a.VirtualTemplate, a.CallingNumber, a.CalledNumber = "Microsoft", "default", "vt1", "555", "777"
	a.LocalTunnel, a.LocalSession = 65535, uint16(i)
	return a
}

func refusedAttempt(i int, at time.Time) aaa.Attempt {
	a := wholeAttempt(i, at)
	a.OK, a.Verdict, a.Phase, a.Cause, a.Detail, a.Address = false, "the password is wrong: x", "authentication", "wrong-password", "x", netip.Addr{}
	return a
}

func TestAttemptsAreReadBackAsTheyWere(t *testing.T) {
	pool := sharedPool(t)
	at := time.Now().Truncate(time.Microsecond)
	good, bad := wholeAttempt(1, at), refusedAttempt(2, at.Add(-time.Hour))
	a := NewAttempts(pool, quiet)
	if err := a.insert(t.Context(), []aaa.Attempt{good, bad}); err != nil {
		t.Fatal(err)
	}
	found, err := NewAttemptBook(pool, time.Second).Find(t.Context(), AttemptQuery{Limit: 10})
	if err != nil || len(found) != 2 {
		t.Fatal(err, found)
	}
	good.Tale, bad.Tale, good.Phase = nil, nil, ""
	for i, want := range []aaa.Attempt{good, bad} {
		got := found[i].Attempt
		if !got.At.Equal(want.At) {
			t.Errorf("at %v, want %v", got.At, want.At)
		}
		got.At = want.At
		if got != want || found[i].Fingerprint != "Windows 10 or 11" {
			t.Errorf("%+v of %s\nwant %+v", got, found[i].Fingerprint, want)
		}
		if hasSteps := strings.Contains(string(found[i].Steps), "SCCRQ"); hasSteps == want.OK {
			t.Errorf("steps %q of one that succeeded: %v", found[i].Steps, want.OK)
		}
	}
}

func TestStepsAreKeptAsSaid(t *testing.T) {
	pool := sharedPool(t)
	for steps, want := range map[Which]int{WhichAll: 2, WhichFailed: 1, WhichNone: 0} {
		run(t, pool, "TRUNCATE logins")
		a := NewAttempts(pool, quiet)
		a.Keep(WhichAll, steps)
		if err := a.insert(t.Context(), []aaa.Attempt{wholeAttempt(1, time.Now()), refusedAttempt(2, time.Now())}); err != nil {
			t.Fatal(err)
		}
		if n := one[int](t, pool, "SELECT count(steps) FROM logins"); n != want {
			t.Errorf("%d: %d with steps, want %d", steps, n, want)
		}
	}
}

func TestRowsAreKeptAsSaid(t *testing.T) {
	pool := sharedPool(t)
	for rows, want := range map[Which]string{WhichAll: "logged-in wrong-password", WhichFailed: "wrong-password", WhichNone: ""} {
		run(t, pool, "TRUNCATE logins")
		a := NewAttempts(pool, quiet)
		a.Keep(rows, WhichNone)
		a.Log(wholeAttempt(1, time.Now()))
		a.Log(refusedAttempt(2, time.Now()))
		ended, end := context.WithCancel(t.Context())
		end()
		a.Run(ended)
		if got := one[string](t, pool, "SELECT coalesce(string_agg(cause, ' ' ORDER BY cause), '') FROM logins"); got != want {
			t.Errorf("%d: %q, want %q", rows, got, want)
		}
	}
}

// TestAttemptsAreFoundByEveryFilter has one attempt an hour, the first just now; every third failed.
func TestAttemptsAreFoundByEveryFilter(t *testing.T) {
	pool := sharedPool(t)
	now := time.Now().Truncate(time.Microsecond)
	var all []aaa.Attempt
	for i := range 30 {
		a := wholeAttempt(i, now.Add(-time.Duration(i)*time.Hour))
		if i%3 == 0 {
			a = refusedAttempt(i, a.At)
		}
		a.Name, a.Account = fmt.Sprint("user", i%5), fmt.Sprint("account", i%5)
		a.Peer = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(i % 2), byte(i)}), 1701)
		a.Domain = []string{"sales", "lab"}[i%2]
		all = append(all, a)
	}
	w := NewAttempts(pool, quiet)
	if err := w.insert(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	run(t, pool, `INSERT INTO accounting (session, started_at, node, name, account, address) VALUES ('s7', now(), 'n1', 'x', 'x', '10.9.9.9')`)
	book := NewAttemptBook(pool, 5*time.Second)
	for name, c := range map[string]struct {
		q    AttemptQuery
		want func(i int, a *aaa.Attempt) bool
	}{
		"all":        {AttemptQuery{}, func(int, *aaa.Attempt) bool { return true }},
		"ID":         {AttemptQuery{ID: "s4"}, func(i int, _ *aaa.Attempt) bool { return i == 4 }},
		"name":       {AttemptQuery{User: "user3"}, func(i int, _ *aaa.Attempt) bool { return i%5 == 3 }},
		"account":    {AttemptQuery{User: "account3"}, func(i int, _ *aaa.Attempt) bool { return i%5 == 3 }},
		"domain":     {AttemptQuery{Domain: "SALES"}, func(i int, _ *aaa.Attempt) bool { return i%2 == 0 }},
		"peer":       {AttemptQuery{Peer: netip.MustParsePrefix("192.0.1.0/24")}, func(i int, _ *aaa.Attempt) bool { return i%2 == 1 }},
		"one peer":   {AttemptQuery{Peer: netip.MustParsePrefix("192.0.1.9/32")}, func(i int, _ *aaa.Attempt) bool { return i == 9 }},
		"no IPv6":    {AttemptQuery{Peer: netip.MustParsePrefix("2001:db8::/32")}, func(int, *aaa.Attempt) bool { return false }},
		"address":    {AttemptQuery{Address: netip.MustParseAddr("10.9.9.9")}, func(i int, _ *aaa.Attempt) bool { return i == 7 }},
		"failed":     {AttemptQuery{Failed: true}, func(_ int, a *aaa.Attempt) bool { return !a.OK }},
		"cause":      {AttemptQuery{Causes: []string{"wrong-password", "x"}}, func(_ int, a *aaa.Attempt) bool { return !a.OK }},
		"since":      {AttemptQuery{Since: now.Add(-5 * time.Hour)}, func(i int, _ *aaa.Attempt) bool { return i <= 5 }},
		"until":      {AttemptQuery{Until: now.Add(-5 * time.Hour)}, func(i int, _ *aaa.Attempt) bool { return i > 5 }},
		"two things": {AttemptQuery{User: "user3", Failed: true}, func(i int, _ *aaa.Attempt) bool { return i%5 == 3 && i%3 == 0 }},
	} {
		var want []string
		for i := range all {
			if c.want(i, &all[i]) {
				want = append(want, all[i].Session)
			}
		}
		if got := pages(t, book, c.q); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if at, found, err := book.Where(context.Background(), "s4"); err != nil || !found || !at.Equal(all[4].At) {
		t.Error(at, found, err)
	}
	if _, found, err := book.Where(context.Background(), "nobody"); err != nil || found {
		t.Error(found, err)
	}
}

// pages asks for all that fits, four at a time.
func pages(t *testing.T, book *AttemptBook, q AttemptQuery) (sessions []string) {
	t.Helper()
	q.Limit = 4
	for {
		found, err := book.Find(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			sessions = append(sessions, f.Session)
		}
		if len(found) < q.Limit {
			return sessions
		}
		last := found[len(found)-1]
		q.BehindAt, q.BehindID = last.At, last.Session
	}
}

func TestLookingBackForEverEnds(t *testing.T) {
	pool := sharedPool(t)
	a := NewAttempts(pool, quiet)
	if err := a.insert(t.Context(), []aaa.Attempt{wholeAttempt(1, time.Now()), wholeAttempt(2, time.Unix(0, 0))}); err != nil {
		t.Fatal(err)
	}
	for since, want := range map[time.Time]int{{}: 2, time.Unix(0, 0): 2, time.Unix(1, 0): 1, time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC): 2} {
		found, err := NewAttemptBook(pool, 5*time.Second).Find(t.Context(), AttemptQuery{Since: since, Limit: 10})
		if err != nil || len(found) != want {
			t.Errorf("since %v: %d attempts and %v, want %d", since, len(found), err, want)
		}
	}
}
