package lns

import (
	"container/heap"
	"time"
)

// deadlines orders the calls of a tunnel by when they are due: a LAC's tunnel holds thousands.
type deadlines struct {
	calls []*call
}

// set moves the call to its new deadline; zero takes it out.
func (d *deadlines) set(c *call, at time.Time) {
	c.dueAt = at
	switch {
	case at.IsZero() && c.dueIndex >= 0:
		heap.Remove(d, c.dueIndex)
	case at.IsZero():
	case c.dueIndex >= 0:
		heap.Fix(d, c.dueIndex)
	default:
		heap.Push(d, c)
	}
}

// first is the earliest deadline; zero when there is none.
func (d *deadlines) first() time.Time {
	if len(d.calls) == 0 {
		return time.Time{}
	}
	return d.calls[0].dueAt
}

// The methods of heap.Interface.

func (d *deadlines) Len() int           { return len(d.calls) }
func (d *deadlines) Less(i, j int) bool { return d.calls[i].dueAt.Before(d.calls[j].dueAt) }

func (d *deadlines) Swap(i, j int) {
	d.calls[i], d.calls[j] = d.calls[j], d.calls[i]
	d.calls[i].dueIndex, d.calls[j].dueIndex = i, j
}

func (d *deadlines) Push(x any) {
	c := x.(*call)
	c.dueIndex = len(d.calls)
	d.calls = append(d.calls, c)
}

func (d *deadlines) Pop() any {
	last := len(d.calls) - 1
	c := d.calls[last]
	d.calls[last] = nil
	d.calls = d.calls[:last]
	c.dueIndex = -1
	return c
}
