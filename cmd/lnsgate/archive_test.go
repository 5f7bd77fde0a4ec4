package main

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"lnsgate/aaa"
	sqlaccounts "lnsgate/aaa/postgres"
	"lnsgate/lns/trace"
)

func TestAttemptsOfTheDatabaseAreWhatTheyWere(t *testing.T) {
	at := time.Date(2026, 11, 24, 8, 0, 10, 0, time.UTC)
	row := sqlaccounts.StoredAttempt{Fingerprint: "xl2tpd", Steps: []byte(`[{"after_ns":5,"stage":"link","actor":"lns","what":"LCP Configure-Request"}]`),
		Attempt: aaa.Attempt{At: at, Took: 10 * time.Second, Session: "n-1-2/3", Node: "n", Name: "bob", Method: aaa.CHAP, Verdict: "the password is wrong: x",
			Cause: "wrong-password", Detail: "x", Peer: netip.MustParseAddrPort("192.0.2.1:1701"), LocalTunnel: 2, LocalSession: 3}}
	want := trace.Attempt{ID: "n-1-2/3", Node: "n", Name: "bob", Method: "chap", Began: at.Add(-10 * time.Second), Ended: at,
		Verdict: trace.Verdict{Cause: trace.WrongPassword, Detail: "x"}, Peer: row.Peer, Tunnel: 2, Session: 3, Fingerprint: "xl2tpd",
		Steps: []trace.Step{{After: 5, Stage: trace.StageLink, Actor: trace.LNS, What: "LCP Configure-Request"}}}
	if got := attemptFrom(&row); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	row.Cause, row.Detail, row.Steps = "", "", []byte(`"of another form"`)
	if got := attemptFrom(&row); got.Verdict.Detail != "the password is wrong: x" || got.Verdict.Cause != trace.Unknown || got.Steps != nil {
		t.Errorf("an older row became %+v", got)
	}
	row.OK = true
	if got := attemptFrom(&row); got.Verdict.Cause != trace.LoggedIn || !got.Opened.Equal(at) || !got.Ended.IsZero() {
		t.Errorf("an older row became %+v", got)
	}
}
