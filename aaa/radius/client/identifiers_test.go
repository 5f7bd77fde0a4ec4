package client

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever is done, no identifier is out twice, none that rests is given out early, and the one that was given back
// longest ago comes first.
func TestIdentifiers(t *testing.T) {
	const rest = 30 * time.Second
	rapid.Check(t, func(t *rapid.T) {
		ids := newIdentifiers(byte(rapid.IntRange(0, 255).Draw(t, "first")))
		now := time.Unix(1000, 0)
		out := map[byte]bool{}
		resting := map[byte]time.Time{}
		freed := map[byte]time.Time{} // when it was free again
		taken := func() byte {
			list := make([]byte, 0, len(out))
			for id := range 256 {
				if out[byte(id)] {
					list = append(list, byte(id))
				}
			}
			return rapid.SampledFrom(list).Draw(t, "id")
		}
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				for range rapid.IntRange(1, 200).Draw(t, "times") {
					id, ok := ids.take(now)
					for r, until := range resting {
						if !now.Before(until) {
							freed[r] = now
							delete(resting, r)
						}
					}
					if free := 256 - len(out) - len(resting); ok != (free > 0) {
						t.Fatalf("take is %v with %d free", ok, free)
					}
					if !ok {
						return
					}
					if _, early := resting[id]; out[id] || early {
						t.Fatalf("identifier %d is not free", id)
					}
					for other, at := range freed {
						if !out[other] && resting[other].IsZero() && at.Before(freed[id]) {
							t.Fatalf("%d was given back before %d", other, id)
						}
					}
					out[id] = true
				}
			},
			"release": func(t *rapid.T) {
				if len(out) == 0 {
					t.Skip("none is out")
				}
				id := taken()
				delete(out, id)
				freed[id] = now
				ids.release(id)
			},
			"rest": func(t *rapid.T) {
				if len(out) == 0 {
					t.Skip("none is out")
				}
				id := taken()
				delete(out, id)
				resting[id] = now.Add(rest)
				ids.rest(id, now.Add(rest))
			},
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 20).Draw(t, "seconds")) * time.Second)
			},
			"": func(t *rapid.T) {
				if ids.free.count+ids.resting.count+len(out) != identifierCount {
					t.Fatal("identifiers were lost")
				}
			},
		})
	})
}

func TestTimersFireInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ts := timers{wake: make(chan struct{}, 1)}
		start := time.Unix(0, 0)
		var last time.Time
		fired := map[*timer]bool{}
		all := make([]*timer, 20)
		for i := range all {
			tm := &timer{}
			tm.fire = func(time.Time) {
				if tm.at.Before(last) {
					t.Fatalf("%v after %v", tm.at, last)
				}
				last, fired[tm] = tm.at, true
			}
			all[i] = tm
		}
		want := map[*timer]bool{}
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			tm := rapid.SampledFrom(all).Draw(t, "timer")
			if rapid.Bool().Draw(t, "set") {
				at := start.Add(time.Duration(rapid.IntRange(1, 50).Draw(t, "at")))
				ts.set(tm, at)
				if ts.next.After(at) {
					t.Fatalf("looks at %v, too late for %v", ts.next, at)
				}
				want[tm] = true
			} else {
				ts.stop(tm)
				delete(want, tm)
			}
		}
		if next := ts.expire(start.Add(50)); !next.IsZero() {
			t.Fatalf("something is left for %v", next)
		}
		if len(fired) != len(want) {
			t.Fatalf("%d fired, not %d", len(fired), len(want))
		}
	})
}
