package lns

import (
	"runtime"
	"sync"
)

// mostIdle is how many goroutines stay when there is nothing to do.
const mostIdle = 32

// crew runs functions on goroutines that stay for the next one: the stack of a new goroutine is small, and growing it, by copying,
// would cost more than most letters of a tunnel. Whoever is done last goes on first, so that few stacks are in use, and those
// are in the caches.
type crew struct {
	limit int // how many functions run at once, the others wait for their turn; zero: none has to wait

	mu      sync.Mutex // guards all below
	working int
	idle    []chan func()
	urgent  line
	queue   line
	hurried int // urgent ones that have gone first since the last of the others
	closed  bool
}

// patienceOfTheRest is how many urgent functions go first before one of the others has its turn.
const patienceOfTheRest = 8

// line is functions that wait, in order.
type line struct {
	waiting []func()
	first   int // what is before it has been taken
}

func (l *line) len() int { return len(l.waiting) - l.first }

func (l *line) add(f func()) { l.waiting = append(l.waiting, f) }

// take takes the first one; nil when there is none.
func (l *line) take() func() {
	if l.len() == 0 {
		return nil
	}
	f := l.waiting[l.first]
	l.waiting[l.first] = nil
	if l.first++; 2*l.first >= len(l.waiting) {
		rest := copy(l.waiting, l.waiting[l.first:])
		clear(l.waiting[rest:])
		l.waiting, l.first = l.waiting[:rest], 0
	}
	return f
}

// run begins f, or has it wait for its turn, and does not wait for it.
func (c *crew) run(f func()) { c.runAs(f, false) }

// runAs is run, for a function that goes before those that are not urgent. They still have a turn now and then.
func (c *crew) runAs(f func(), urgent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := len(c.idle) - 1
	switch {
	case c.limit > 0 && c.working >= c.limit && urgent:
		c.urgent.add(f)
		return
	case c.limit > 0 && c.working >= c.limit:
		c.queue.add(f)
		return
	case last >= 0:
		c.idle[last] <- f
		c.idle = c.idle[:last]
	default:
		go c.work(f)
	}
	c.working++
}

// work is the life of one goroutine.
func (c *crew) work(f func()) {
	next := make(chan func(), 1)
	for ok := true; ok; f, ok = <-next {
		for f != nil {
			f()
			if f = c.more(next); f != nil {
				runtime.Gosched() // or it would go on for its 10 ms, as would each of the others, before a socket is read again
			}
		}
	}
}

// more is what a goroutine that is done has to do next; nil when it has to wait for that, or for the end.
func (c *crew) more(next chan func()) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.turn(); f != nil {
		return f
	}
	c.working--
	if c.closed || len(c.idle) >= mostIdle {
		close(next)
	} else {
		c.idle = append(c.idle, next)
	}
	return nil
}

// turn takes whoever goes next out of the lines. The lock is held.
func (c *crew) turn() func() {
	if c.queue.len() == 0 || c.urgent.len() > 0 && c.hurried < patienceOfTheRest {
		c.hurried++
		return c.urgent.take()
	}
	c.hurried = 0
	return c.queue.take()
}

// close has nobody stay any more. Functions may still be run.
func (c *crew) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, next := range c.idle {
		close(next)
	}
	c.idle = nil
}
