package lns

import (
	"sync"
	"sync/atomic"
)

// doorway lets only some wait.
type doorway struct {
	crew   crew
	most   int64
	inside atomic.Int64 // those of try that wait or run
}

// open says how many run at once, and how many there may be of those and of those that wait.
func (d *doorway) open(running, most int) { d.crew.limit, d.most = running, int64(most) }

// try runs the job when it is its turn; false when there are too many already. The group counts it until it is done.
func (d *doorway) try(jobs *sync.WaitGroup, job func()) bool {
	if d.inside.Load() >= d.most {
		return false
	}
	d.inside.Add(1)
	d.pass(jobs, func() {
		defer d.inside.Add(-1)
		job()
	}, false)
	return true
}

// pass runs the job when it is its turn, however many there are; an urgent one before those that are not.
func (d *doorway) pass(jobs *sync.WaitGroup, job func(), urgent bool) {
	jobs.Add(1)
	d.crew.runAs(func() {
		defer jobs.Done()
		job()
	}, urgent)
}
