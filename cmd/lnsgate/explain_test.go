package main

import (
	"bytes"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"lnsgate/lns/admin"
	"lnsgate/lns/trace"
)

func TestWhatANameCanMean(t *testing.T) {
	address := netip.MustParseAddr("10.1.2.3")
	host := netip.MustParsePrefix("10.1.2.3/32")
	for who, want := range map[string][]trace.Filter{
		"":                     {{}},
		"alice@sales":          {{User: "alice@sales"}, {ID: "alice@sales"}},
		"12/7":                 {{Session: "12/7"}, {User: "12/7"}},
		"10.1.2.3":             {{Address: address}, {Peer: host}, {User: "10.1.2.3"}},
		"gw1-18c2f-00000007-1": {{User: "gw1-18c2f-00000007-1"}, {ID: "gw1-18c2f-00000007-1"}},
	} {
		var e explanation
		if got, err := e.filters(who, time.Time{}); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v, want %+v", who, got, err, want)
		}
	}
	e := explanation{peer: "192.0.2.0/24", failed: true, domain: "sales", causes: []string{"wrong-password"}}
	want := []trace.Filter{{User: "bob", Peer: netip.MustParsePrefix("192.0.2.0/24"), Failed: true, Domain: "sales", Causes: []trace.Cause{trace.WrongPassword}}, {ID: "bob"}}
	if got, err := e.filters("bob", time.Time{}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []explanation{{peer: "here"}, {causes: []string{"bad luck"}}, {since: "yesterday"}} {
		if _, err := bad.filters("", time.Now()); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

func TestSince(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.Local)
	for text, want := range map[string]time.Time{
		"": {}, "30m": now.Add(-30 * time.Minute), "7d": now.AddDate(0, 0, -7), "2026-11-24": time.Date(2026, 11, 24, 0, 0, 0, 0, time.Local),
		"2026-11-24 08:30": time.Date(2026, 11, 24, 8, 30, 0, 0, time.Local), "2026-11-24T08:30:00Z": time.Date(2026, 11, 24, 8, 30, 0, 0, time.UTC),
	} {
		if got, err := since(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, bad := range []string{"d", "-1d", "1.5d", "-5m", "0s", "soon"} {
		if got, err := since(bad, now); err == nil {
			t.Errorf("%q is %v", bad, got)
		}
	}
}

func TestListOfAttempts(t *testing.T) {
	cmd := newExplainCommand()
	var out bytes.Buffer
	cmd.SetOut(&out)
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.Local)
	err := printAttempts(cmd, []admin.Attempt{
		{Attempt: trace.Attempt{Began: at, Ended: at, Times: 3, Peer: netip.MustParseAddrPort("192.0.2.1:1701"), Verdict: trace.Verdict{Cause: trace.NoGroup}}},
		{Attempt: trace.Attempt{Opened: at, Name: "o'bob \x1b[2J", Peer: netip.MustParseAddrPort("192.0.2.2:1701"), Verdict: trace.Verdict{Cause: trace.LoggedIn}}},
		{Attempt: trace.Attempt{Opened: at, Name: "anna", Peer: netip.MustParseAddrPort("192.0.2.3:1701"), Verdict: trace.Because(trace.WrongPassword, "%s", strings.Repeat("x", 500))}},
	})
	text := out.String()
	if err != nil || !strings.Contains(text, "3 times: "+trace.NoGroup.String()) || strings.Contains(text, "\x1b") || !strings.Contains(text, "lnsgate explain anna\n") || strings.Contains(text, strings.Repeat("x", 120)) {
		t.Errorf("%v\n%s", err, text)
	}
}

// A ladder that is being watched is drawn step by step, each once, with the verdict when it is there.
func TestFollowingDrawsEachStepOnce(t *testing.T) {
	a := trace.Attempt{ID: "t1", Began: time.Unix(1e9, 0), Name: "anna", Verdict: trace.Verdict{Cause: trace.InProgress}}
	var f follower
	var all strings.Builder
	say := func(what string) {
		a.Steps = append(a.Steps, trace.Step{Actor: trace.Peer, What: what})
		all.WriteString(f.news(&a))
	}
	say("SCCRQ")
	all.WriteString(f.news(&a)) // nothing new
	a.ID = "s1"
	say("ICRQ")
	a.Verdict.Cause = trace.WrongPassword
	say("CDN")
	all.WriteString(f.news(&a))
	text := all.String()
	for _, once := range []string{"SCCRQ", "ICRQ", "CDN", "User ", "Verdict", "Remedy"} {
		if n := strings.Count(text, once); n != 1 {
			t.Errorf("%q is told %d times:\n%s", once, n, text)
		}
	}
}
