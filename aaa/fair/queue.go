package fair

import "container/heap"

// Queue is a queue of what is kept for clients, the oldest in front. It is bounded: when there is no room, the oldest of the client
// that has most gives way. It is not safe for concurrent use.
type Queue[T any] struct {
	most  int
	all   list[T]
	of    map[string]*share[T]
	sizes sizes[T]
}

// share is what is kept for one client.
type share[T any] struct {
	client string
	queue  list[T]
	at     int // in sizes
}

// list goes through one pair of the links of its places.
type list[T any] struct {
	links       int
	first, last *Place[T]
	count       int
}

// Place is where something is kept.
type Place[T any] struct {
	Thing        T
	share        *share[T]
	older, newer [2]*Place[T]
}

// The lists that a place is in.
const (
	ofAll = iota
	ofClient
)

// NewQueue makes one that keeps so many at most.
func NewQueue[T any](most int) *Queue[T] {
	return &Queue[T]{most: most, all: list[T]{links: ofAll}, of: make(map[string]*share[T])}
}

// Add keeps something as the newest. Who adds has made room.
func (q *Queue[T]) Add(thing T, client string) *Place[T] {
	s := q.of[client]
	if s == nil {
		s = &share[T]{client: client, queue: list[T]{links: ofClient}}
		q.of[client] = s
		heap.Push(&q.sizes, s)
	}
	p := &Place[T]{Thing: thing, share: s}
	q.all.add(p)
	s.queue.add(p)
	heap.Fix(&q.sizes, s.at)
	return p
}

// Remove keeps it no longer. It is called once for each place.
func (q *Queue[T]) Remove(p *Place[T]) {
	s := p.share
	q.all.remove(p)
	s.queue.remove(p)
	if s.queue.count > 0 {
		heap.Fix(&q.sizes, s.at)
		return
	}
	heap.Remove(&q.sizes, s.at)
	delete(q.of, s.client)
}

// Oldest is the one that came first; nil: there is none.
func (q *Queue[T]) Oldest() *Place[T] { return q.all.first }

// Surplus is what has to give way before another one comes; nil: nothing has to.
func (q *Queue[T]) Surplus() *Place[T] {
	if q.all.count < q.most {
		return nil
	}
	return q.sizes[0].queue.first
}

// Len is how much is kept.
func (q *Queue[T]) Len() int { return q.all.count }

func (l *list[T]) add(p *Place[T]) {
	n := l.links
	p.older[n] = l.last
	if l.last == nil {
		l.first = p
	} else {
		l.last.newer[n] = p
	}
	l.last = p
	l.count++
}

func (l *list[T]) remove(p *Place[T]) {
	n := l.links
	if p.older[n] == nil {
		l.first = p.newer[n]
	} else {
		p.older[n].newer[n] = p.newer[n]
	}
	if p.newer[n] == nil {
		l.last = p.older[n]
	} else {
		p.newer[n].older[n] = p.older[n]
	}
	p.older[n], p.newer[n] = nil, nil
	l.count--
}

// sizes is a heap, the largest share in front.
type sizes[T any] []*share[T]

func (h sizes[T]) Len() int           { return len(h) }
func (h sizes[T]) Less(i, j int) bool { return h[i].queue.count > h[j].queue.count }
func (h sizes[T]) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].at, h[j].at = i, j }
func (h *sizes[T]) Push(x any) {
	s := x.(*share[T])
	s.at = len(*h)
	*h = append(*h, s)
}
func (h *sizes[T]) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return s
}
