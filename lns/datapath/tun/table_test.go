package tun

import (
	"maps"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

func TestTableHoldsWhatAMapHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tested table
		model := map[uint32]*session{}
		key := rapid.Uint32Range(0, 300)
		for range rapid.IntRange(1, 600).Draw(t, "steps") {
			k := key.Draw(t, "key")
			if _, there := model[k]; there {
				tested.remove(k)
				delete(model, k)
			} else {
				s := new(session)
				tested.insert(k, s)
				model[k] = s
			}
		}
		tested.remove(301)
		found := map[uint32]*session{}
		for k := range uint32(302) {
			if s := tested.get(k); s != nil {
				found[k] = s
			}
		}
		if !maps.Equal(found, model) {
			t.Fatalf("table has %d entries, map %d", len(found), len(model))
		}
		n := 0
		tested.each(func(*session) { n++ })
		if n != len(model) || tested.live != n {
			t.Fatalf("each sees %d, live is %d, want %d", n, tested.live, len(model))
		}
	})
}

func TestAnEmptyTable(t *testing.T) {
	var tested table
	tested.remove(0)
	tested.each(func(*session) { t.Error("there is a session") })
	if tested.get(0) != nil {
		t.Error("there is a session")
	}
}

func TestTableStaysSmallUnderChange(t *testing.T) {
	var tested table
	s := new(session)
	for k := range uint32(100_000) {
		tested.insert(k, s)
		if k >= 10 {
			tested.remove(k - 10)
		}
	}
	if n := len(tested.slots.Load().entries); n > 2*smallestTable {
		t.Errorf("ten sessions take %d slots", n)
	}
}

func TestTableIsReadWhileItChanges(t *testing.T) {
	var tested table
	steady := new(session)
	for k := range uint32(20) {
		tested.insert(k, steady)
	}
	var stop atomic.Bool
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for !stop.Load() {
				for k := range uint32(20) {
					if tested.get(k) != steady {
						t.Errorf("session %d was not found", k)
						return
					}
				}
			}
		})
	}
	other := new(session)
	for round := range uint32(200) {
		for k := range uint32(50) {
			tested.insert(1000+round+k*7919, other)
		}
		for k := range uint32(50) {
			tested.remove(1000 + round + k*7919)
		}
	}
	stop.Store(true)
	readers.Wait()
}
