package ebpf

import (
	"testing"
	"time"
)

func TestAPlaceRestsBeforeItIsUsedAgain(t *testing.T) {
	s := slots{most: 2}
	now := time.Unix(1e9, 0)
	take := func(want uint32, wanted bool) {
		t.Helper()
		if slot, ok := s.take(now); ok != wanted || slot != want {
			t.Fatalf("place %d, %v; want %d, %v", slot, ok, want, wanted)
		}
	}
	take(0, true)
	s.give(0, now)
	take(1, true)
	take(0, false)
	now = now.Add(settled)
	take(0, false)
	now = now.Add(1)
	take(0, true)
	s.give(1, now)
	s.give(0, now.Add(settled))
	now = now.Add(settled + 1)
	take(1, true)
	take(0, false)
}
