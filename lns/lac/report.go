package lac

import (
	"slices"
	"time"

	"lnsgate/lns/l2tp"
)

// Report is how a load went.
type Report struct {
	Asked    int // calls that were to be placed
	Placed   int // calls begun
	Up       int // set-ups that succeeded
	Failed   int // set-ups that did not
	Left     int // set-ups that we broke off ourselves, because the context had ended
	Dropped  int // sessions that ended without our wish after they had been up
	Open     int // sessions that are up now
	Failures []Failure
	SetUp    time.Duration // from the start to the last set-up that succeeded
	Rate     float64       // successful set-ups per second of SetUp
	// Set-up times from SCCRQ (for later calls of a tunnel, ICRQ) to IPCP open.
	P50 time.Duration
	P90 time.Duration
	P99 time.Duration
	Max time.Duration
	// Strays counts datagrams for tunnels that are gone.
	Strays int
}

// Failure is one kind of failure, and how often it happened.
type Failure struct {
	Step    Stage
	Cause   Cause
	Count   int
	Example string // the reason of the first one, in full
	Advice  string
}

// tally counts for one shard. The zero value is empty.
type tally struct {
	started  time.Time
	lastUp   time.Time
	placed   int
	took     []time.Duration // of every set-up that succeeded
	failed   int
	left     int
	dropped  int
	strays   int
	open     map[callKey]struct{}
	openSum  int // of merged tallies
	failures []Failure
}

type callKey struct {
	tunnel  *loadTunnel
	session l2tp.SessionID
}

// up counts a session that came up; false when it was up already.
func (t *tally) up(tunnel *loadTunnel, u Up, now time.Time) bool {
	key := callKey{tunnel, u.Session}
	if _, again := t.open[key]; again {
		return false
	}
	if t.open == nil {
		t.open = map[callKey]struct{}{}
	}
	t.open[key] = struct{}{}
	t.took = append(t.took, u.Took)
	t.lastUp = now
	return true
}

// ended counts an end, and tells whether the session had been up.
func (t *tally) ended(tunnel *loadTunnel, e *Ended) bool {
	key := callKey{tunnel, e.Session}
	_, wasUp := t.open[key]
	delete(t.open, key)
	switch {
	case !wasUp && e.Cause == CauseClosedByUs:
		t.left++
	case !wasUp:
		t.failed++
		t.fail(*e)
	case e.Cause != CauseClosedByUs:
		t.dropped++
		t.fail(*e)
	}
	return wasUp
}

func (t *tally) fail(e Ended) {
	t.addFailure(Failure{Step: e.Stage, Cause: e.Cause, Count: 1, Example: e.Reason, Advice: e.Advice})
}

func (t *tally) addFailure(f Failure) {
	for i := range t.failures {
		if t.failures[i].Step == f.Step && t.failures[i].Cause == f.Cause {
			t.failures[i].Count += f.Count
			return
		}
	}
	t.failures = append(t.failures, f)
}

// merge adds another tally.
func (t *tally) merge(o *tally) {
	if t.started.IsZero() {
		t.started = o.started
	}
	if o.lastUp.After(t.lastUp) {
		t.lastUp = o.lastUp
	}
	t.placed += o.placed
	t.failed += o.failed
	t.left += o.left
	t.dropped += o.dropped
	t.strays += o.strays
	t.openSum += len(o.open)
	t.took = append(t.took, o.took...)
	for _, f := range o.failures {
		t.addFailure(f)
	}
}

func (t *tally) report(asked int) Report {
	r := Report{
		Asked: asked, Placed: t.placed, Up: len(t.took), Failed: t.failed, Left: t.left, Dropped: t.dropped, Open: t.openSum,
		Failures: t.failures, Strays: t.strays,
	}
	slices.SortFunc(r.Failures, func(a, b Failure) int { return b.Count - a.Count })
	if len(t.took) == 0 {
		return r
	}
	slices.Sort(t.took)
	r.P50, r.P90, r.P99 = percentile(t.took, 50), percentile(t.took, 90), percentile(t.took, 99)
	r.Max = t.took[len(t.took)-1]
	r.SetUp = t.lastUp.Sub(t.started)
	if r.SetUp > 0 {
		r.Rate = float64(r.Up) / r.SetUp.Seconds()
	}
	return r
}

// percentile is the smallest of the sorted values that p percent of them do not exceed.
func percentile(sorted []time.Duration, p int) time.Duration {
	rank := (len(sorted)*p + 99) / 100
	return sorted[max(rank, 1)-1]
}

// Complete tells whether every call that was asked for has come up, failed or been broken off.
func (r Report) Complete() bool { return r.Up+r.Failed+r.Left >= r.Asked }
