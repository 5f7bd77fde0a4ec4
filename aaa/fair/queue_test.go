package fair

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// shares is how much is kept for each client.
func (q *Queue[T]) shares() map[string]int {
	counts := map[string]int{}
	for client, s := range q.of {
		counts[client] = s.queue.count
	}
	return counts
}

// What is kept is what a plain list would keep.
func TestAQueueIsAsSimpleAsItSounds(t *testing.T) {
	type kept struct {
		client string
		n      int
	}
	rapid.Check(t, func(t *rapid.T) {
		const most = 12
		f, next := NewQueue[kept](most), 0
		var plain []kept
		places := map[kept]*Place[kept]{}
		drop := func(k kept) {
			f.Remove(places[k])
			delete(places, k)
			plain = slices.DeleteFunc(plain, func(other kept) bool { return other == k })
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				next++
				k := kept{rapid.SampledFrom([]string{"a", "a", "a", "b", "b", "c", "d"}).Draw(t, "client"), next}
				if gone := f.Surplus(); gone != nil {
					drop(gone.Thing)
				}
				places[k] = f.Add(k, k.client)
				plain = append(plain, k)
			},
			"remove": func(t *rapid.T) {
				if len(plain) == 0 {
					t.Skip()
				}
				drop(rapid.SampledFrom(plain).Draw(t, "which"))
			},
			"": func(t *rapid.T) {
				counts, first := map[string]int{}, map[string]kept{}
				for _, k := range plain {
					if counts[k.client]++; counts[k.client] == 1 {
						first[k.client] = k
					}
				}
				if got := f.shares(); f.Len() != len(plain) || len(plain) > most || fmt.Sprint(got) != fmt.Sprint(counts) {
					t.Fatalf("%d are kept, %v; want %v", f.Len(), got, counts)
				}
				if oldest := f.Oldest(); (oldest == nil) != (len(plain) == 0) || oldest != nil && oldest.Thing != plain[0] {
					t.Fatalf("the oldest is %v of %v", oldest, plain)
				}
				gone := f.Surplus()
				if (gone != nil) != (len(plain) == most) {
					t.Fatalf("%d are kept, and %v gives way", len(plain), gone)
				}
				if gone == nil {
					return
				}
				for client, n := range counts {
					if n > counts[gone.Thing.client] || gone.Thing != first[gone.Thing.client] {
						t.Fatalf("%v gives way, and %s has %d: %v", gone.Thing, client, n, plain)
					}
				}
			},
		})
	})
}
