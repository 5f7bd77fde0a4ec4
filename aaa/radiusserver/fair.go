package radiusserver

import "container/heap"

// fair is a queue of what is kept for clients, the oldest in front. It is bounded: when there is no room, the oldest of the client
// that has most gives way, so that one that floods the server takes nothing from those that do not.
type fair[T any] struct {
	most  int
	all   queue[T]
	of    map[string]*share[T]
	sizes sizes[T]
}

// share is what is kept for one client.
type share[T any] struct {
	client string
	queue  queue[T]
	at     int // in sizes
}

// queue is a list through one pair of the links of its places.
type queue[T any] struct {
	links       int
	first, last *place[T]
	count       int
}

// place is where something is kept. It is in two queues.
type place[T any] struct {
	thing        T
	share        *share[T]
	older, newer [2]*place[T]
}

// The queues.
const (
	ofAll = iota
	ofClient
)

func newFair[T any](most int) *fair[T] {
	return &fair[T]{most: most, all: queue[T]{links: ofAll}, of: make(map[string]*share[T])}
}

// add keeps something as the newest. Who adds has made room.
func (f *fair[T]) add(thing T, client string) *place[T] {
	s := f.of[client]
	if s == nil {
		s = &share[T]{client: client, queue: queue[T]{links: ofClient}}
		f.of[client] = s
		heap.Push(&f.sizes, s)
	}
	p := &place[T]{thing: thing, share: s}
	f.all.add(p)
	s.queue.add(p)
	heap.Fix(&f.sizes, s.at)
	return p
}

// remove keeps it no longer. It is called once for each place.
func (f *fair[T]) remove(p *place[T]) {
	s := p.share
	f.all.remove(p)
	s.queue.remove(p)
	if s.queue.count > 0 {
		heap.Fix(&f.sizes, s.at)
		return
	}
	heap.Remove(&f.sizes, s.at)
	delete(f.of, s.client)
}

// oldest is the one that came first; nil: there is none.
func (f *fair[T]) oldest() *place[T] { return f.all.first }

// surplus is what has to give way before another one comes; nil: nothing has to.
func (f *fair[T]) surplus() *place[T] {
	if f.all.count < f.most {
		return nil
	}
	return f.sizes[0].queue.first
}

func (f *fair[T]) len() int { return f.all.count }

func (q *queue[T]) add(p *place[T]) {
	n := q.links
	p.older[n] = q.last
	if q.last == nil {
		q.first = p
	} else {
		q.last.newer[n] = p
	}
	q.last = p
	q.count++
}

func (q *queue[T]) remove(p *place[T]) {
	n := q.links
	if p.older[n] == nil {
		q.first = p.newer[n]
	} else {
		p.older[n].newer[n] = p.newer[n]
	}
	if p.newer[n] == nil {
		q.last = p.older[n]
	} else {
		p.newer[n].older[n] = p.older[n]
	}
	p.older[n], p.newer[n] = nil, nil
	q.count--
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
