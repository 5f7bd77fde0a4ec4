package radiusserver

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

// The clock of a NAS is hours behind ours: how long its sessions last is right all the same.
func TestANASWhoseClockIsBehind(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for name, tc := range map[string]struct{ began, lasted, want time.Duration }{ // before now, and of the session
		"as it was":               {time.Hour, 50 * time.Minute, 10 * time.Minute},
		"longer than it can have": {time.Hour, 90 * time.Hour, 0},
		"it does not say":         {time.Hour, 0, time.Hour},
		"another node is ahead":   {-time.Minute, time.Second, -time.Minute},
	} {
		p := packet(t, radius.CodeAccountingRequest, num(46, uint32(tc.lasted/time.Second)))
		r := &aaa.Record{Kind: aaa.RecordStop, At: now.Add(-5 * time.Hour)}
		addLogin(r, p, mark{session: "nas/a", started: now.Add(-tc.began)}, true, now)
		if got := now.Sub(r.At); got != tc.want {
			t.Errorf("%s: it was %s ago, want %s", name, got, tc.want)
		}
	}
}

// Whatever the clock of a NAS does, its sessions have the start that they had, and last as long as the NAS counts.
func TestANASWhoseClockIsSet(t *testing.T) {
	clocks := map[string]time.Duration{"right": 0, "behind": -2 * time.Hour, "long behind": -20 * 24 * time.Hour, "never set": -40 * 365 * 24 * time.Hour, "ahead": 2 * time.Hour}
	for before, one := range clocks {
		for after, other := range clocks {
			for _, class := range []bool{true, false} {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, nil)
					about := []row{str(44, "0001"), str(1, "alice")}
					if class {
						about = append(about, row{0, 25, r.ask(login(t, "alice", password)).Get(wire.TypeClass)})
					}
					off := one
					tell := func(status uint32, rows ...row) aaa.Record {
						return r.took(accounting(t, status, append(slices.Concat(about, rows), num(55, uint32(time.Now().Add(off).Unix())))...))
					}
					start := tell(statusStart)
					check := func(rec aaa.Record, lasted time.Duration) {
						t.Helper()
						if took := rec.At.Sub(rec.Started); rec.Session != start.Session || !rec.Started.Equal(start.Started) || (took-lasted).Abs() > time.Second || rec.At.After(time.Now()) {
							t.Errorf("%s, then %s, Class %v: a %s of %s after %v since %v, want %s after %v since %v", before, after, class,
								rec.Kind, rec.Session, took, rec.Started, start.Session, lasted, start.Started)
						}
					}
					time.Sleep(30 * time.Minute)
					check(tell(statusInterim, num(46, 1800)), 30*time.Minute)
					off = other
					time.Sleep(5 * time.Hour)
					check(tell(statusInterim, num(46, 19800)), 330*time.Minute)
					time.Sleep(30 * time.Minute)
					check(tell(statusStop, num(46, 21600)), 6*time.Hour)
				})
			}
		}
	}
}

// Without Acct-Session-Time our own clock tells the end of a session that the clock of its NAS has end before it began.
func TestTheEndOfASessionThatCountsNothing(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	r := &aaa.Record{Kind: aaa.RecordStop, At: now.Add(-5 * time.Hour)}
	addLogin(r, packet(t, radius.CodeAccountingRequest, num(41, 30)), mark{session: "nas/a", started: now.Add(-time.Hour)}, true, now)
	if got := now.Sub(r.At); got != 30*time.Second {
		t.Errorf("it was %v ago", got)
	}
}
