package lns

import "sync"

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
	queue   []func()
	first   int // in queue: what is before it has been taken
	closed  bool
}

// run begins f, or has it wait for its turn, and does not wait for it.
func (c *crew) run(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := len(c.idle) - 1
	switch {
	case c.limit > 0 && c.working >= c.limit:
		c.queue = append(c.queue, f)
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
			f = c.more(next)
		}
	}
}

// more is what a goroutine that is done has to do next; nil when it has to wait for that, or for the end.
func (c *crew) more(next chan func()) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.first < len(c.queue) {
		f := c.queue[c.first]
		c.queue[c.first] = nil
		if c.first++; 2*c.first >= len(c.queue) {
			rest := copy(c.queue, c.queue[c.first:])
			clear(c.queue[rest:])
			c.queue, c.first = c.queue[:rest], 0
		}
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
