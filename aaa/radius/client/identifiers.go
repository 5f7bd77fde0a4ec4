package client

import "time"

// identifierCount is how many requests one socket can tell apart (RFC 2865 section 3).
const identifierCount = 256

// identifiers hands out the identifiers of one socket: the one that was given back longest ago comes first (RFC 5080
// section 2.2.1), and none comes that is in use or rests. Those of requests that were never answered rest, so that a late
// answer, or a server that remembers the old request, meets no new one.
type identifiers struct {
	free    queue[byte]
	resting queue[restingIdentifier] // in the order of their ends
}

type restingIdentifier struct {
	id    byte
	until time.Time
}

// queue is a ring of at most identifierCount elements.
type queue[T any] struct {
	items       [identifierCount]T
	head, count int
}

func (q *queue[T]) push(v T) {
	q.items[(q.head+q.count)%identifierCount] = v
	q.count++
}

func (q *queue[T]) pop() T {
	v := q.items[q.head]
	q.head = (q.head + 1) % identifierCount
	q.count--
	return v
}

// newIdentifiers makes all of them free, beginning anywhere.
func newIdentifiers(first byte) *identifiers {
	t := &identifiers{}
	for i := range identifierCount {
		t.free.push(first + byte(i))
	}
	return t
}

// take gives out an identifier, if there is one.
func (t *identifiers) take(now time.Time) (byte, bool) {
	t.ripen(now)
	if t.free.count == 0 {
		return 0, false
	}
	return t.free.pop(), true
}

// ripen frees those that have rested enough.
func (t *identifiers) ripen(now time.Time) {
	for t.resting.count > 0 && !now.Before(t.resting.items[t.resting.head].until) {
		t.free.push(t.resting.pop().id)
	}
}

// release gives an identifier back that was answered or never sent.
func (t *identifiers) release(id byte) { t.free.push(id) }

// rest gives an identifier back that must not be used until then. Ends must not go back in time.
func (t *identifiers) rest(id byte, until time.Time) { t.resting.push(restingIdentifier{id, until}) }

// used counts those that cannot be given out, as of the last take.
func (t *identifiers) used() int { return identifierCount - t.free.count }

// nextRipe is when the first resting one is free again.
func (t *identifiers) nextRipe() (time.Time, bool) {
	if t.resting.count == 0 {
		return time.Time{}, false
	}
	return t.resting.items[t.resting.head].until, true
}
