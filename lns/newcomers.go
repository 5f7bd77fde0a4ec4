package lns

import (
	"sync"
	"sync/atomic"
)

// mostNewcomers is how many SCCRQs may wait: a second's work. Who is beyond them says it again.
const mostNewcomers = 1 << 14

// newcomers opens tunnels one after the other, away from the goroutines that read the sockets: what is answered quickly, such as a HELLO
// of those who are in, is not to wait behind thousands who come at once.
type newcomers struct {
	crew    crew
	waiting atomic.Int64
}

// try says false when too many wait. The group counts those that do.
func (n *newcomers) try(jobs *sync.WaitGroup, open func()) bool {
	if n.waiting.Load() >= mostNewcomers {
		return false
	}
	n.waiting.Add(1)
	jobs.Add(1)
	n.crew.run(func() {
		defer jobs.Done()
		defer n.waiting.Add(-1)
		open()
	})
	return true
}
