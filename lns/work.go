package lns

import (
	"sync"
	"time"
)

// work runs what may take long, away from the goroutines of the tunnels and bounded in number.
type work struct {
	checks doorway // the jobs of try, and before them those of soon
	dues   crew    // of must: when a server closes there is one for each session, and a goroutine for each would take more than they do
	jobs   sync.WaitGroup
	crew   crew
}

// limit says how many jobs of try run at once, and how many more may wait.
func (w *work) limit(running, waiting int) {
	running = max(running, 1)
	w.checks.open(running, running+waiting)
	w.dues.limit = mostDues
}

// try runs the job when it is its turn; false when too many wait already.
func (w *work) try(job func()) bool { return w.checks.try(&w.jobs, job) }

// soon runs the job before those of try that wait, and however many do: it is another step of what try has let in.
func (w *work) soon(job func()) { w.checks.pass(&w.jobs, job, true) }

// must runs the job soon, however many wait: it gives back what would leak otherwise. Slow logins do not hold it up.
func (w *work) must(job func()) {
	w.on(&w.dues, job)
}

// begin runs the job at once. It bounds nothing.
func (w *work) begin(job func()) { w.on(&w.crew, job) }

func (w *work) on(c *crew, job func()) {
	w.jobs.Add(1)
	c.run(func() {
		defer w.jobs.Done()
		job()
	})
}

// mostDues is how many jobs of must run at once. Back ends do together what is asked for at the same time: with too few of them the
// end of a server with very many sessions would be one wait for a disk after the other.
const mostDues = 1024

// wait returns when every job is done, or false when that takes too long.
func (w *work) wait(limit time.Duration) bool {
	done := make(chan struct{})
	go func() {
		w.jobs.Wait()
		close(done)
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}
