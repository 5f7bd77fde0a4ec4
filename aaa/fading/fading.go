package fading

import (
	"sync"
	"time"
)

// Map remembers things for a while, and never more of them than a bound. It keeps two generations: new things go into
// the young one; when that is full, or old, it becomes the old one, and what was old is forgotten. So every operation
// takes the same short time, and a flood of names pushes out others but cannot grow the memory.
//
// What was not put again lives for at least half of the time, unless there is a flood, and at most for all of it. It is
// safe for concurrent use.
type Map[K comparable, V any] struct {
	half time.Duration
	most int // in one generation

	mu         sync.Mutex
	young, old map[K]V
	since      time.Time // the young generation exists
}

// New makes a map that remembers for the given time, and that many things at most.
func New[K comparable, V any](life time.Duration, most int) *Map[K, V] {
	return &Map[K, V]{half: life / 2, most: max(1, most/2), young: map[K]V{}, old: map[K]V{}}
}

// age forgets what is due. The lock is held.
func (f *Map[K, V]) age(now time.Time) {
	switch passed := now.Sub(f.since); {
	case passed >= 2*f.half:
		f.young, f.old, f.since = map[K]V{}, map[K]V{}, now
	case passed >= f.half:
		f.young, f.old, f.since = map[K]V{}, f.young, now
	}
}

// Get returns what is remembered.
func (f *Map[K, V]) Get(key K, now time.Time) (V, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.age(now)
	return f.find(key)
}

func (f *Map[K, V]) find(key K) (V, bool) {
	if v, ok := f.young[key]; ok {
		return v, true
	}
	v, ok := f.old[key]
	return v, ok
}

// Change replaces what is remembered of a key by what the function makes of it, the zero value at first.
func (f *Map[K, V]) Change(key K, now time.Time, replace func(V) V) V {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.age(now)
	before, _ := f.find(key)
	if _, there := f.young[key]; !there && len(f.young) >= f.most {
		f.young, f.old, f.since = map[K]V{}, f.young, now
	}
	after := replace(before)
	delete(f.old, key)
	f.young[key] = after
	return after
}

// Forget removes a key.
func (f *Map[K, V]) Forget(key K) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.young, key)
	delete(f.old, key)
}

// Size is how many keys are remembered.
func (f *Map[K, V]) Size() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.young) + len(f.old)
}
