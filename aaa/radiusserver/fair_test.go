package radiusserver

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lnsgate/aaa"
)

// Whatever one client keeps the server with, what others have stays.
func TestAClientThatFloodsTakesNothingFromOthers(t *testing.T) {
	now := time.Unix(1000, 0)

	a := newAnswers(100, 10*time.Second)
	answer := func(client string, listener int) fate {
		e, _, f := a.begin(question{listener: listener, identifier: client[0]}, client, [16]byte{}, now, func() bool { return true })
		if f == isNew {
			a.end(e, []byte{1}, now)
		}
		return f
	}
	c := newConversations()
	c.order.most = 100
	few := c.wait(&conversation{client: "few", name: "alice"}, now)
	s := newSessions()
	s.order.most = 100
	settle := func(client, nas string) {
		s.settle(nasSession{nas, "0"}, "alice", mark{session: nas}, true, news{client: client, kind: aaa.RecordStart})
	}
	d := newDelays()

	answer("few", 0)
	settle("few", "few")
	for n := range mostDelayed {
		if n < 1000 {
			answer("many", n)
			c.wait(&conversation{client: "many", name: "alice"}, now)
			settle("many", fmt.Sprintf("many/%d", n)) // behind a proxy it has as many names as it likes
		}
		d.add(now, "many", func() {})
	}
	if answer("few", 0) != isAnswered || answer("many", 999) != isAnswered || a.len() > 100 {
		t.Errorf("of %d answers, that to the other client is not kept", a.len())
	}
	if c.resume(few, "few", "alice", now) == nil || c.len() > 100 {
		t.Errorf("of %d conversations, that of the other client is gone", c.len())
	}
	if _, _, there := s.find(nasSession{"few", "0"}, "alice"); !there || len(s.known) > 100 {
		t.Errorf("of %d sessions, that of the other client is forgotten", len(s.known))
	}
	if !d.add(now, "few", func() {}) || d.add(now, "many", func() {}) {
		t.Errorf("%d no's wait, and those of the other client find no room", d.len())
	}
	d.due(now)
	if !d.add(now, "many", func() {}) || len(d.of) != 1 {
		t.Errorf("no's that were sent still count: %v", d.of)
	}
}

// shares is how much is kept for each client.
func (f *fair[T]) shares() map[string]int {
	counts := map[string]int{}
	for client, s := range f.of {
		counts[client] = s.queue.count
	}
	return counts
}

// What is kept is what a plain list would keep.
func TestFairIsAsSimpleAsItSounds(t *testing.T) {
	type kept struct {
		client string
		n      int
	}
	rapid.Check(t, func(t *rapid.T) {
		const most = 12
		f, next := newFair[kept](most), 0
		var plain []kept
		places := map[kept]*place[kept]{}
		drop := func(k kept) {
			f.remove(places[k])
			delete(places, k)
			plain = slices.DeleteFunc(plain, func(other kept) bool { return other == k })
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				next++
				k := kept{rapid.SampledFrom([]string{"a", "a", "a", "b", "b", "c", "d"}).Draw(t, "client"), next}
				if gone := f.surplus(); gone != nil {
					drop(gone.thing)
				}
				places[k] = f.add(k, k.client)
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
				if got := f.shares(); f.len() != len(plain) || len(plain) > most || fmt.Sprint(got) != fmt.Sprint(counts) {
					t.Fatalf("%d are kept, %v; want %v", f.len(), got, counts)
				}
				if oldest := f.oldest(); (oldest == nil) != (len(plain) == 0) || oldest != nil && oldest.thing != plain[0] {
					t.Fatalf("the oldest is %v of %v", oldest, plain)
				}
				gone := f.surplus()
				if (gone != nil) != (len(plain) == most) {
					t.Fatalf("%d are kept, and %v gives way", len(plain), gone)
				}
				if gone == nil {
					return
				}
				for client, n := range counts {
					if n > counts[gone.thing.client] || gone.thing != first[gone.thing.client] {
						t.Fatalf("%v gives way, and %s has %d: %v", gone.thing, client, n, plain)
					}
				}
			},
		})
	})
}
