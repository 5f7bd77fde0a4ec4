package main

import (
	"runtime/debug"
	"testing"
)

func TestGarbageOfACrowd(t *testing.T) {
	const mb = 1 << 20
	a := allowance{percent: garbageIdle}
	allocated := uint64(0)
	for n, x := range []struct {
		allocates, live uint64
		changed, over   bool
		percent         int
	}{
		{1 * mb, 10 * mb, false, false, 50},   // a few
		{50 * mb, 10 * mb, true, false, 1920}, // a crowd, and little lives
		{50 * mb, 11 * mb, false, false, 1920},
		{50 * mb, 30 * mb, true, false, 640},
		{50 * mb, 5 * mb, true, false, 2000},
		{50 * mb, 64 * mb, true, false, 300},
		{50 * mb, 80 * mb, false, false, 300}, // nearly the same
		{50 * mb, 512 * mb, true, false, 100}, // as much as lives is more than enough
		{50 * mb, 64 * mb, true, false, 300},
		{0, 64 * mb, false, false, 300},
	} {
		allocated += x.allocates
		changed, over := a.look(allocated, x.live)
		if changed != x.changed || over != x.over || a.percent != x.percent {
			t.Errorf("look %d: %t, %t, %d%%", n, changed, over, a.percent)
		}
	}
	for n := range garbageQuiet - 2 {
		if changed, _ := a.look(allocated, 64*mb); changed {
			t.Errorf("over after %d quiet looks", n+2)
		}
	}
	if changed, over := a.look(allocated, 64*mb); !changed || !over || a.percent != garbageIdle {
		t.Errorf("not over: %t, %t, %d%%", changed, over, a.percent)
	}
	if changed, over := a.look(allocated, 64*mb); changed || over {
		t.Error("over twice")
	}
	if changed, _ := a.look(allocated+50*mb, 0); !changed || a.percent != garbageMost {
		t.Errorf("nothing is known to live: %d%%", a.percent)
	}
}

func TestGarbageIsNobodysBusinessWithGOGC(t *testing.T) {
	t.Setenv("GOGC", "77")
	before := debug.SetGCPercent(93)
	defer debug.SetGCPercent(before)
	allowGarbage()()
	if got := debug.SetGCPercent(93); got != 93 {
		t.Errorf("%d", got)
	}
	t.Setenv("GOGC", "")
	stop := allowGarbage()
	if got := debug.SetGCPercent(garbageIdle); got != garbageIdle {
		t.Errorf("%d while it runs", got)
	}
	stop()
	if got := debug.SetGCPercent(93); got != 93 {
		t.Errorf("%d afterwards", got)
	}
}
