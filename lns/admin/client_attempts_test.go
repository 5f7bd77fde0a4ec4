package admin

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"lnsgate/lns/trace"
)

// asked remembers the filter of the last question.
type asked struct{ filter trace.Filter }

func (a *asked) Find(_ context.Context, f trace.Filter) ([]trace.Attempt, error) {
	a.filter = f
	return []trace.Attempt{{ID: "n-1-2/3", Name: "bob", Verdict: trace.Verdict{Cause: trace.WrongPassword}}}, nil
}

func TestClientAsksForAttempts(t *testing.T) {
	store := &asked{}
	client := start(t, Config{Engine: &fakeEngine{}, Attempts: store})
	f := trace.Filter{User: "bob", Domain: "sales", Peer: netip.MustParsePrefix("192.0.2.0/24"), Address: netip.MustParseAddr("10.0.0.1"), Session: "2/3",
		Failed: true, Causes: []trace.Cause{trace.WrongPassword, trace.NoAddress}, Since: time.Unix(1e9, 5).UTC(), Until: time.Unix(2e9, 0).UTC(), Limit: 7}
	page, err := client.Attempts(t.Context(), f)
	if err != nil || len(page.Attempts) != 1 || page.Attempts[0].Meaning.Remedy != trace.WrongPassword.Remedy() {
		t.Fatalf("%v, %+v", err, page)
	}
	got := store.filter
	if got.User != f.User || got.Domain != f.Domain || got.Peer != f.Peer || got.Address != f.Address || got.Session != f.Session || !got.Failed ||
		len(got.Causes) != 2 || !got.Since.Equal(f.Since) || !got.Until.Equal(f.Until) {
		t.Errorf("asked for %+v, want %+v", got, f)
	}
	if a, err := client.Attempt(t.Context(), "n-1-2/3"); err != nil || a.Name != "bob" || store.filter.ID != "n-1-2/3" {
		t.Errorf("%v, %+v, asked for %+v", err, a, store.filter)
	}
}
