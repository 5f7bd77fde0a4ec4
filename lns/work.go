package lns

import (
	"sync"
)

// waitingFactor is how many jobs may wait for each one that runs.
const waitingFactor = 8

// work runs what may take long, away from the goroutines of the tunnels and bounded in number.
type work struct {
	running chan struct{}
	all     chan struct{}
	jobs    sync.WaitGroup
}

func (w *work) limit(n int) {
	if n <= 0 {
		n = 1
	}
	w.running = make(chan struct{}, n)
	w.all = make(chan struct{}, n*(1+waitingFactor))
}

// try runs the job soon; false when too many wait already.
func (w *work) try(job func()) bool {
	select {
	case w.all <- struct{}{}:
	default:
		return false
	}
	w.jobs.Go(func() {
		defer func() { <-w.all }()
		w.run(job)
	})
	return true
}

// must runs the job soon, however many wait: it gives back what would leak otherwise.
func (w *work) must(job func()) {
	w.jobs.Go(func() { w.run(job) })
}

func (w *work) run(job func()) {
	w.running <- struct{}{}
	defer func() { <-w.running }()
	job()
}

// wait returns when every job is done.
func (w *work) wait() { w.jobs.Wait() }
