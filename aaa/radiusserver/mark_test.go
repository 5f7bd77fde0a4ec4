package radiusserver

import (
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
