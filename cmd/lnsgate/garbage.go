package main

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// How much garbage there may be. Most of what lives are idle sessions, and memory is what they are counted by: so half of what
// lives, where Go's default is as much again. But a crowd that logs in makes garbage by the megabyte, and with little room for
// it the collector costs as much as a quarter of all else. So there is more room as long as the crowd comes, and what it took
// is given back when it is over.
const (
	garbageIdle  = 50        // percent of what lives
	garbageLeast = 100       // likewise, during a crowd
	garbageMost  = 2000      // likewise
	garbageCrowd = 192 << 20 // octets of it that may be there during a crowd, at least

	garbageLook  = 500 * time.Millisecond
	garbageBusy  = 2 << 20 // octets allocated between two looks: some hundred logins a second
	garbageQuiet = 10      // looks at less than that until the crowd is over
)

// allowance decides how much garbage there may be. It is asked at every look.
type allowance struct {
	percent   int    // in force
	allocated uint64 // octets since the start, at the last look
	quiet     int    // looks since the last one that was busy
}

// look takes the octets allocated since the start and those that live. It reports whether the percentage has changed, and
// whether that is because a crowd is over.
func (a *allowance) look(allocated, live uint64) (changed, over bool) {
	busy := allocated-a.allocated >= garbageBusy
	a.allocated = allocated
	if !busy {
		a.quiet++
		over = a.percent != garbageIdle && a.quiet >= garbageQuiet
		if over {
			a.percent = garbageIdle
		}
		return over, over
	}
	a.quiet = 0
	want := int(min(max(garbageLeast, 100*garbageCrowd/max(live, 1)), garbageMost))
	if 4*want >= 3*a.percent && 3*want <= 4*a.percent { // setting it stops the world for a moment
		return false, false
	}
	a.percent = want
	return true, false
}

// allowGarbage keeps the percentage right until stop is called, which puts the former one in force again. Whoever sets GOGC
// knows better.
func allowGarbage() (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(garbageIdle)
	end := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() { watchGarbage(end) })
	return func() {
		close(end)
		looking.Wait()
		debug.SetGCPercent(before)
	}
}

func watchGarbage(end <-chan struct{}) {
	sizes := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	a := allowance{percent: garbageIdle}
	looks := time.NewTicker(garbageLook)
	defer looks.Stop()
	for {
		select {
		case <-end:
			return
		case <-looks.C:
		}
		metrics.Read(sizes)
		changed, over := a.look(sizes[0].Value.Uint64(), sizes[1].Value.Uint64())
		if changed {
			debug.SetGCPercent(a.percent)
		}
		if over {
			debug.FreeOSMemory()
		}
	}
}
