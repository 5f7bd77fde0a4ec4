package radiusserver

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestACrewRunsEveryTaskAndKeepsFewWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ending := make(chan struct{})
		c := newCrew(ending)
		var working sync.WaitGroup
		var done atomic.Int32
		block := make(chan struct{})
		for range 2 * mostIdle {
			c.run(&working, func() { <-block; done.Add(1) })
		}
		synctest.Wait()
		if n := c.idle.Load(); n != 0 {
			t.Errorf("%d wait while all have something to do", n)
		}
		close(block)
		working.Wait()
		synctest.Wait()
		if n := c.idle.Load(); n != mostIdle {
			t.Errorf("%d wait for more, want %d", n, mostIdle)
		}
		c.run(&working, func() { done.Add(1) })
		working.Wait()
		if n := done.Load(); n != 2*mostIdle+1 {
			t.Errorf("%d tasks are done", n)
		}
		close(ending) // else the bubble does not end
	})
}

func TestWithoutACrewATaskRunsAllTheSame(t *testing.T) {
	var working sync.WaitGroup
	ran := false
	(*crew)(nil).run(&working, func() { ran = true })
	if working.Wait(); !ran {
		t.Error("it did not run")
	}
}
