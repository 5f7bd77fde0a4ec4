package main

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"lnsgate/aaa"
	sqlaccounts "lnsgate/aaa/postgres"
	"lnsgate/lns/recorder"
	"lnsgate/lns/trace"
)

// archive reads attempts of all nodes back from the database. It implements recorder.Archive.
type archive struct{ book *sqlaccounts.AttemptBook }

// longestLogin is how long before it was decided an attempt may have begun.
const longestLogin = time.Hour

// Find implements recorder.Archive. The table knows when attempts were decided; those that began too early or too late are left out
// here, and the next are asked for.
func (a archive) Find(ctx context.Context, f trace.Filter, behind recorder.Place) (found []trace.Attempt, err error) {
	q := sqlaccounts.AttemptQuery{ID: f.ID, User: f.User, Domain: f.Domain, Peer: f.Peer, Address: f.Address, Failed: f.Failed,
		Since: f.Since, Limit: f.Limit, BehindAt: behind.At, BehindID: behind.ID}
	if !f.Until.IsZero() {
		q.Until = f.Until.Add(longestLogin)
	}
	for _, c := range f.Causes {
		q.Causes = append(q.Causes, c.Name())
	}
	for {
		rows, err := a.book.Find(ctx, q)
		for i := range rows {
			if t := attemptFrom(&rows[i]); inTime(&f, t.Began) {
				found = append(found, t)
			}
		}
		if err != nil || len(rows) < q.Limit || len(found) >= f.Limit {
			return found[:min(len(found), f.Limit)], err
		}
		last := &rows[len(rows)-1]
		q.BehindAt, q.BehindID = last.At, last.Session
	}
}

func inTime(f *trace.Filter, began time.Time) bool {
	return (f.Since.IsZero() || !began.Before(f.Since)) && (f.Until.IsZero() || began.Before(f.Until))
}

// Where implements recorder.Archive.
func (a archive) Where(ctx context.Context, id string) (recorder.Place, bool, error) {
	at, found, err := a.book.Where(ctx, id)
	return recorder.Place{At: at, ID: id}, found, err
}

// attemptFrom makes an attempt of its row.
func attemptFrom(s *sqlaccounts.StoredAttempt) trace.Attempt {
	t := trace.Attempt{
		ID: s.Session, Node: s.Node, Began: s.At.Add(-s.Took), Verdict: verdictFrom(s), Peer: s.Peer, HostName: s.TunnelName, Vendor: s.Vendor,
		Fingerprint: s.Fingerprint, Group: s.Group, Template: s.VirtualTemplate, Tunnel: s.LocalTunnel, Session: s.LocalSession,
		Calling: s.CallingNumber, Called: s.CalledNumber, Name: s.Name, Account: s.Account, Domain: s.Domain, Rule: s.Rule,
		Backend: s.Backend, Address: s.Address, Pool: s.Pool, Why: s.Why,
	}
	if s.Method != aaa.MethodNone {
		t.Method = s.Method.String()
	}
	if s.OK {
		t.Opened = s.At
	} else {
		t.Ended = s.At
	}
	if json.Unmarshal(s.Steps, &t.Steps) != nil {
		t.Steps = nil // of a version that wrote them otherwise
	}
	return t
}

// verdictFrom reads the typed cause. Rows without one are older, or of a cause that this version does not know: the words stay.
func verdictFrom(s *sqlaccounts.StoredAttempt) trace.Verdict {
	v := trace.Verdict{Detail: s.Detail}
	switch {
	case v.Cause.UnmarshalText([]byte(s.Cause)) == nil:
	case s.OK:
		v.Cause = trace.LoggedIn
	default:
		v = trace.Verdict{Detail: strings.TrimSpace(s.Verdict)}
	}
	return v
}
