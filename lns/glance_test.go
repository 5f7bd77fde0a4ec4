package lns

import (
	"net/netip"
	"testing"
	"time"
)

// A stranger who sends all the time from one place gets little, and a peer that has moved is still looked at.
func TestAStrangerDoesNotKeepOutAMove(t *testing.T) {
	var g glance
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	stranger, peer := netip.MustParseAddrPort("203.0.113.9:4500"), netip.MustParseAddrPort("198.51.100.1:61000")
	strange, seen := 0, 0
	for i := range 10_000 { // one millisecond each
		now := start.Add(time.Duration(i) * time.Millisecond)
		for range 3 {
			if g.allow(stranger, now) {
				strange++
			}
		}
		if i%1000 == 999 && g.allow(peer, now) { // it repeats itself
			seen++
		}
	}
	if strange > 101 || seen < 2 {
		t.Errorf("the stranger was looked at %d times, the peer %d times in 10", strange, seen)
	}
	if g.forget(); !g.allow(stranger, start.Add(time.Hour)) {
		t.Error("not looked at after all was forgotten")
	}
}
