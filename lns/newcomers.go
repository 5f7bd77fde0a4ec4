package lns

import "sync/atomic"

// mostNewcomers is how many SCCRQs may wait: a second's work. Who is beyond them says it again.
const mostNewcomers = 1 << 14

// newcomers opens tunnels one after the other, away from the goroutines that read the sockets: what is answered quickly, such as a HELLO
// of those who are in, is not to wait behind thousands who come at once.
type newcomers struct {
	crew    crew
	waiting atomic.Int64
}

// try says false when too many wait.
func (n *newcomers) try(open func()) bool {
	if n.waiting.Load() >= mostNewcomers {
		return false
	}
	n.waiting.Add(1)
	n.crew.run(func() {
		defer n.waiting.Add(-1)
		open()
	})
	return true
}
