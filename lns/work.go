package lns

import (
	"sync"
	"time"
)

// waitingFactor is how many jobs may wait for each one that runs.
const waitingFactor = 8

// work runs what may take long, away from the goroutines of the tunnels and bounded in number.
type work struct {
	running chan struct{}
	all     chan struct{}
	owed    chan struct{}
	jobs    sync.WaitGroup
	crew    crew
}

func (w *work) limit(n int) {
	if n <= 0 {
		n = 1
	}
	w.running = make(chan struct{}, n)
	w.all = make(chan struct{}, n*(1+waitingFactor))
	w.owed = make(chan struct{}, owedSlots)
}

// try runs the job soon; false when too many wait already.
func (w *work) try(job func()) bool {
	select {
	case w.all <- struct{}{}:
	default:
		return false
	}
	w.begin(func() {
		defer func() { <-w.all }()
		do(w.running, job)
	})
	return true
}

// must runs the job soon, however many wait: it gives back what would leak otherwise. Slow logins do not hold it up.
func (w *work) must(job func()) {
	w.begin(func() { do(w.owed, job) })
}

// begin runs the job at once. It bounds nothing.
func (w *work) begin(job func()) {
	w.jobs.Add(1)
	w.crew.run(func() {
		defer w.jobs.Done()
		job()
	})
}

// owedSlots is how many jobs of must run at once.
const owedSlots = 64

func do(slots chan struct{}, job func()) {
	slots <- struct{}{}
	defer func() { <-slots }()
	job()
}

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
