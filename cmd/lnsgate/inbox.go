package main

import "sync"

// inbox takes items from a room that must not be held up, for a goroutine that may be busy. It is safe for concurrent use.
type inbox[T any] struct {
	state *inboxState[T]
	wake  chan struct{} // holds one token while there may be items
}

type inboxState[T any] struct {
	mu    sync.Mutex // guards items
	items []T
}

func newInbox[T any]() inbox[T] {
	return inbox[T]{state: &inboxState[T]{}, wake: make(chan struct{}, 1)}
}

// put adds items and returns at once.
func (b inbox[T]) put(items []T) {
	b.state.mu.Lock()
	b.state.items = append(b.state.items, items...)
	b.state.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take empties the box.
func (b inbox[T]) take() []T {
	b.state.mu.Lock()
	defer b.state.mu.Unlock()
	items := b.state.items
	b.state.items = nil
	return items
}
