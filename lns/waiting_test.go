package lns

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

func addr(b byte) netip.Addr { return netip.AddrFrom4([4]byte{203, 0, 113, b}) }

func TestWaitingKeepsCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w waiting[int]
		places := map[int]*place{}
		sources := map[int]byte{}
		t.Repeat(map[string]func(*rapid.T){
			"enter": func(t *rapid.T) {
				i, from := len(sources), rapid.ByteRange(1, 4).Draw(t, "from")
				held := 0
				for k := range places {
					if sources[k] == from {
						held++
					}
				}
				at := &place{}
				if ok := w.enter(i, at, addr(from), 3); ok != (held < 3) {
					t.Fatalf("enter says %v with %d of 3 held", ok, held)
				} else if ok {
					places[i] = at
				}
				sources[i] = from
			},
			"leave": func(t *rapid.T) {
				for i, at := range places {
					w.leave(at)
					w.leave(at)
					delete(places, i)
					break
				}
			},
			"evict": func(t *rapid.T) {
				i, ok := w.evict(1)
				if ok != (len(places) > 0) {
					t.Fatalf("evict says %v with %d waiting", ok, len(places))
				}
				if ok && places[i] == nil {
					t.Fatalf("%d gave way, and was not there", i)
				}
				delete(places, i)
			},
			"": func(t *rapid.T) {
				if len(w.items) != len(places) {
					t.Fatalf("%d wait, want %d", len(w.items), len(places))
				}
				for i, at := range places {
					if !at.inside || w.items[at.index].item != i {
						t.Fatalf("%d is not where its place says", i)
					}
				}
			},
		})
	})
}

func TestWhoHasMostGivesWay(t *testing.T) {
	var w waiting[byte]
	for i := range 100 {
		from := byte(1)
		if i == 0 {
			from = 2
		}
		w.enter(from, &place{}, addr(from), 0)
	}
	for range 90 {
		if from, _ := w.evict(1); from == 2 {
			t.Fatal("the source with one item gave way to the one with a hundred")
		}
	}
	if _, ok := w.evict(11); ok {
		t.Error("something gave way below the limit")
	}
}

func TestWhoHasRepeatedItselfStays(t *testing.T) {
	var w waiting[bool]
	for i := range 1000 {
		real := i%100 == 0
		w.enter(real, &place{real: real}, addr(byte(i)), 0)
	}
	for range 500 { // samples without a stranger do not come up while so few others wait
		if real, _ := w.evict(1); real {
			t.Fatal("who has repeated itself gave way to one that has not")
		}
	}
}
