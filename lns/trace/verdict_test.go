package trace

import (
	"fmt"
	"testing"
)

func TestEveryCauseHasItsOwnSentence(t *testing.T) {
	seen := map[string]Cause{}
	for c := Unknown; c < causeCount; c++ {
		s := c.String()
		if s == "" {
			t.Errorf("cause %d has no sentence", c)
		}
		if other, twice := seen[s]; twice {
			t.Errorf("causes %d and %d share the sentence %q", c, other, s)
		}
		seen[s] = c
	}
	if got, want := causeCount.String(), fmt.Sprintf("cause %d", uint8(causeCount)); got != want {
		t.Errorf("an unknown cause reads %q", got)
	}
}

func TestVerdictAddsItsDetail(t *testing.T) {
	if got := (Verdict{Cause: Kicked}).String(); got != Kicked.String() {
		t.Errorf("without detail: %q", got)
	}
	want := Kicked.String() + ": by alice"
	if got := Because(Kicked, "by %s", "alice").String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
