package radiusserver

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// mostDelayed is how many no's wait at most, three quarters of them for one client. What is more is dropped: to send it early would
// tell it from the others.
const mostDelayed = 1 << 16

// delayed is a no that waits for its time.
type delayed struct {
	at     time.Time
	client string
	send   func()
}

// byTime is a heap, the earliest in front.
type byTime []delayed

func (h byTime) Len() int           { return len(h) }
func (h byTime) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h byTime) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byTime) Push(x any)        { *h = append(*h, x.(delayed)) }
func (h *byTime) Pop() any {
	last := len(*h) - 1
	d := (*h)[last]
	(*h)[last] = delayed{}
	*h = (*h)[:last]
	return d
}

// delays holds no's back without anybody waiting for them but run, which is one goroutine for all.
type delays struct {
	mu      sync.Mutex
	waiting byTime
	of      map[string]int // how many of them, by client
	sooner  chan struct{}  // there is one that is due before the others
}

func newDelays() *delays { return &delays{of: make(map[string]int), sooner: make(chan struct{}, 1)} }

// add has send called at that time. False: there are too many, or too many of the client.
func (d *delays) add(at time.Time, client string, send func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.waiting) >= mostDelayed || d.of[client] >= shareOf(mostDelayed) {
		return false
	}
	heap.Push(&d.waiting, delayed{at, client, send})
	d.of[client]++
	if d.waiting[0].at.Equal(at) {
		select {
		case d.sooner <- struct{}{}:
		default:
		}
	}
	return true
}

// run calls what is due until the context ends. What still waits then is never called.
func (d *delays) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.sooner:
		case <-timer.C:
		}
		for _, send := range d.due(time.Now()) {
			send()
		}
		if next, any := d.next(); any {
			timer.Reset(time.Until(next))
		}
	}
}

// due takes out what is due.
func (d *delays) due(now time.Time) []func() {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []func()
	for len(d.waiting) > 0 && !now.Before(d.waiting[0].at) {
		one := heap.Pop(&d.waiting).(delayed)
		if d.of[one.client]--; d.of[one.client] == 0 {
			delete(d.of, one.client)
		}
		list = append(list, one.send)
	}
	return list
}

func (d *delays) next() (at time.Time, any bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.waiting) == 0 {
		return time.Time{}, false
	}
	return d.waiting[0].at, true
}

func (d *delays) len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.waiting)
}
