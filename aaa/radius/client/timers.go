package client

import (
	"container/heap"
	"time"
)

// timer is something that is due once. Its owner sets and stops it under the mutex of the group; fire is called with that
// held, from the goroutine of the timers.
type timer struct {
	at    time.Time
	index int // in the heap, plus one; 0 = not set
	fire  func(now time.Time)
}

// timers is all timers of a group, the next one in front. It is guarded by the mutex of the group.
type timers struct {
	heap timerHeap
	// next is when the goroutine is going to look again. It may be too early, never too late.
	next time.Time
	wake chan struct{} // buffered by one
}

// set makes t due at that time, whether it was set or not.
func (ts *timers) set(t *timer, at time.Time) {
	t.at = at
	if t.index == 0 {
		heap.Push(&ts.heap, t)
	} else {
		heap.Fix(&ts.heap, t.index-1)
	}
	if ts.next.IsZero() || at.Before(ts.next) {
		ts.next = at
		ts.nudge()
	}
}

// stop makes t not due any more.
func (ts *timers) stop(t *timer) {
	if t.index != 0 {
		heap.Remove(&ts.heap, t.index-1)
	}
}

// nudge has the goroutine look now.
func (ts *timers) nudge() { nudge(ts.wake) }

// expire fires what is due, and says when to look again; the zero time is: when nudged.
func (ts *timers) expire(now time.Time) time.Time {
	for len(ts.heap) > 0 && !ts.heap[0].at.After(now) {
		t := heap.Pop(&ts.heap).(*timer)
		t.fire(now)
	}
	ts.next = time.Time{}
	if len(ts.heap) > 0 {
		ts.next = ts.heap[0].at
	}
	return ts.next
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

type timerHeap []*timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i+1, j+1
}

func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	*h = append(*h, t)
	t.index = len(*h)
}

func (h *timerHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last], t.index = nil, 0
	*h = (*h)[:last]
	return t
}
