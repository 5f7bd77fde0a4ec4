package radiusserver

import (
	"sync"
	"sync/atomic"
)

// mostIdle is how many goroutines wait for more to do.
const mostIdle = 256

// crew runs tasks, each on a goroutine of its own. Goroutines that are done wait for the next task: a new one would have to grow
// its stack first, which costs more than most answers. Nil runs tasks without keeping anybody.
type crew struct {
	next   chan func()
	idle   atomic.Int32
	ending <-chan struct{} // closed when nobody is to wait any more
}

func newCrew(ending <-chan struct{}) *crew { return &crew{next: make(chan func()), ending: ending} }

// run runs a task, which the group counts until it is done.
func (c *crew) run(working *sync.WaitGroup, task func()) {
	working.Add(1)
	counted := func() {
		defer working.Done()
		task()
	}
	if c == nil {
		go counted()
		return
	}
	select {
	case c.next <- counted:
	default:
		go c.work(counted)
	}
}

func (c *crew) work(task func()) {
	for {
		task()
		if c.idle.Add(1) > mostIdle {
			c.idle.Add(-1)
			return
		}
		select {
		case task = <-c.next:
			c.idle.Add(-1)
		case <-c.ending:
			return
		}
	}
}
