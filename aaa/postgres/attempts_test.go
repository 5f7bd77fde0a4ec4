package postgres

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/test/pgtest"
)

func attempt(i int) aaa.Attempt {
	return aaa.Attempt{
		At: time.Now(), Session: fmt.Sprint("s", i), Node: "n1", Name: "bob", Account: "bob", Domain: "sales", Method: aaa.CHAP,
		Peer: netip.MustParseAddrPort("192.0.2.9:1701"), TunnelName: "lac", OK: true, Phase: "open",
		Address: netip.MustParseAddr("10.0.0.1"), Took: 1500 * time.Millisecond,
	}
}

func TestAttemptsAreWritten(t *testing.T) {
	pool := sharedPool(t)
	a := NewAttempts(pool, quiet)
	stop := background(t, a.Run)
	a.Log(attempt(1))
	bad := aaa.Attempt{At: time.Now(), Session: "bad", Node: "n1", Name: "a\xffb\x00", Verdict: "wrong password", Phase: "authenticate",
		Peer: netip.MustParseAddrPort("[fe80::1%eth0]:1701"), TunnelName: strings.Repeat("\x00", 9)}
	a.Log(bad)
	until(t, "both are written", 5*time.Second, func() bool { return a.Written() == 2 })
	type row struct{ verdict, name, method, peer, address, took string }
	for session, want := range map[string]row{
		"s1":  {granted, "bob", "chap", "192.0.2.9", "10.0.0.1", "00:00:01.5"},
		"bad": {"wrong password", "a\uFFFDb\uFFFD", "none", "fe80::1", "", "00:00:00"},
	} {
		var got row
		err := pool.QueryRow(context.Background(), `SELECT verdict, name, method, host(peer), coalesce(host(address), ''), took::text FROM logins WHERE session = $1`, session).
			Scan(&got.verdict, &got.name, &got.method, &got.peer, &got.address, &got.took)
		if err != nil || got != want {
			t.Errorf("%s: %v, %+v", session, err, got)
		}
	}
	for i := range 2000 {
		a.Log(attempt(i + 2))
	}
	stop() // what waits is written before it returns
	if n := one[int](t, pool, `SELECT count(*) FROM logins`); n != 2002 || a.Lost() != 0 {
		t.Errorf("%d rows, %d lost", n, a.Lost())
	}
}

// TestAnAttemptThatComesAgainChangesNothing: the answer to the first time may have been lost, and others come along.
func TestAnAttemptThatComesAgainChangesNothing(t *testing.T) {
	pool := sharedPool(t)
	a := NewAttempts(pool, quiet)
	first, changed := attempt(1), attempt(1)
	changed.At, changed.Name = first.At, "mallory"
	for _, batch := range [][]aaa.Attempt{{first}, {first, attempt(2)}, {changed, attempt(3)}} {
		if err := a.insert(context.Background(), batch); err != nil {
			t.Fatal(err)
		}
	}
	if got := one[string](t, pool, "SELECT string_agg(session || ' ' || name, ', ' ORDER BY session) FROM logins"); got != "s1 bob, s2 bob, s3 bob" {
		t.Error(got)
	}
}

func TestARowThatIsRefusedDoesNotTakeOthersAlong(t *testing.T) {
	pool := pgtest.New(t)
	a := NewAttempts(pool, quiet)
	run(t, pool, `ALTER TABLE logins ADD CHECK (name <> 'evil')`)
	evil := attempt(1)
	evil.Name = "evil"
	a.Log(attempt(0))
	a.Log(evil)
	a.Log(attempt(2))
	background(t, a.Run)
	until(t, "the others are written", 10*time.Second, func() bool { return a.Written() == 2 && a.Lost() == 1 })
}

func TestAttemptsWaitForTheDatabaseAndAreCountedWhenTooMany(t *testing.T) {
	pool := sharedPool(t)
	a := NewAttempts(pool, quiet)
	for i := range attemptsQueue + 7 {
		a.Log(attempt(i))
	}
	if a.Lost() != 7 {
		t.Errorf("%d lost", a.Lost())
	}
	background(t, a.Run)
	until(t, "all others are written", 30*time.Second, func() bool { return a.Written() == attemptsQueue })
}

func TestARefusedRowAtTheEndDoesNotTakeOthersAlong(t *testing.T) {
	pool := sharedPool(t)
	a := NewAttempts(pool, quiet)
	bad := attempt(2)
	bad.At = time.Date(300000, 1, 1, 0, 0, 0, 0, time.UTC)
	a.store(t.Context(), []aaa.Attempt{attempt(1), bad, attempt(3)})
	if a.Written() != 2 || a.Lost() != 1 {
		t.Errorf("%d written and %d lost, want 2 and 1", a.Written(), a.Lost())
	}
}

func TestRowsThatTheDatabaseSaysNothingAboutAreStillToBeWritten(t *testing.T) {
	pool := sharedPool(t)
	a := NewAttempts(pool, quiet)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if rest := a.oneByOne(ended, []aaa.Attempt{attempt(1), attempt(2)}); len(rest) != 2 || a.Lost() != 0 {
		t.Errorf("%d are left and %d lost, want 2 and 0", len(rest), a.Lost())
	}
}
