package radiusserver

import (
	"fmt"
	"testing"
	"time"
)

// TestNamesOfSessionsRise with time, as text, and are never the same.
func TestNamesOfSessionsRise(t *testing.T) {
	last, now := "", time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for range 5000 {
		now = now.Add(777 * time.Millisecond)
		name := newSession("branch", now)
		if name <= last || len(name) != len("branch/")+24 {
			t.Fatalf("%q comes after %q", name, last)
		}
		last = name
	}
	if again := newSession("branch", now); again == last {
		t.Error("two sessions of one millisecond have one name")
	}
}

// A Class that tells of a login that is still to come is none of ours, whoever has made it: a session cannot begin ten thousand years
// from now, and what keeps sessions has no room for it.
func TestAMarkOfTheFutureIsNone(t *testing.T) {
	r := newRig(t, nil)
	now := time.Now()
	for i, started := range []time.Time{now.Add(time.Minute), now.Add(48 * time.Hour), now.AddDate(10_000, 0, 0)} {
		believed := i == 0 // the clock of another node may be ahead
		m := mark{session: newSession("branch", now), started: started}
		got := r.took(accounting(t, 1, str(44, fmt.Sprint(i)), str(1, "alice"), row{0, 25, m.encode()}))
		if (got.Session == m.session) != believed || !believed && got.Started.After(time.Now()) {
			t.Errorf("%v: %q, began %v", started, got.Session, got.Started)
		}
	}
}
