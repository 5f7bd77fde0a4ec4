package recorder

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestChainsKeepTheirOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var chains [2]chain
		var want [2][]*Story
		stories := make([]*Story, 6)
		for i := range stories {
			stories[i] = &Story{}
		}
		for range rapid.IntRange(0, 40).Draw(t, "moves") {
			s := stories[rapid.IntRange(0, 5).Draw(t, "story")]
			for k := range want {
				want[k] = slices.DeleteFunc(want[k], func(o *Story) bool { return o == s })
			}
			if to := rapid.IntRange(0, 2).Draw(t, "to"); to == 2 {
				s.leave()
			} else {
				chains[to].append(s)
				want[to] = append(want[to], s)
			}
			for k := range chains {
				var got, back []*Story
				for s := chains[k].first; s != nil; s = s.newer {
					got = append(got, s)
				}
				for s := chains[k].last; s != nil; s = s.older {
					back = append(back, s)
				}
				slices.Reverse(back)
				if !slices.Equal(got, want[k]) || !slices.Equal(back, want[k]) || chains[k].count != len(want[k]) {
					t.Fatalf("%v and %v, want %v", got, back, want[k])
				}
			}
		}
	})
}
