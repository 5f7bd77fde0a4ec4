package web

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"lnsgate/lns/trace"
)

// day is how many minutes are kept.
const day = 24 * 60

// minute is what happened in one minute.
type minute struct {
	at     int64 // minutes since 1970; 0: nothing was written down yet
	open   int   // sessions, at its end; below zero: nobody counted
	logins int
	failed map[trace.Cause]int // bounded by the number of causes
}

// history is the last day, minute by minute. It is safe for concurrent use.
type history struct {
	mu      sync.Mutex
	minutes [day]minute
}

func newHistory() *history { return &history{} }

// of returns the minute of a time, emptied when it still held that of the day before.
func (h *history) of(now time.Time) *minute {
	at := now.Unix() / 60
	m := &h.minutes[at%day]
	if m.at != at {
		*m = minute{at: at, open: -1}
	}
	return m
}

func (h *history) sample(open int, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.of(now).open = open
}

func (h *history) count(e *trace.Event, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch m := h.of(now); e.Kind {
	case trace.SessionOpened:
		m.logins++
	case trace.AttemptFailed:
		if m.failed == nil {
			m.failed = make(map[trace.Cause]int)
		}
		m.failed[e.Verdict.Cause]++
	}
}

// last returns so many minutes up to now, the oldest first. Those that nobody wrote down have no sessions counted.
func (h *history) last(n int, now time.Time) []minute {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]minute, n)
	for i := range list {
		at := now.Unix()/60 - int64(n-1-i)
		list[i] = minute{at: at, open: -1}
		if m := h.minutes[at%day]; m.at == at {
			m.failed = copyOf(m.failed)
			list[i] = m
		}
	}
	return list
}

func copyOf(m map[trace.Cause]int) map[trace.Cause]int {
	other := make(map[trace.Cause]int, len(m))
	for cause, n := range m {
		other[cause] = n
	}
	return other
}

// byHelper counts the failures by who can do something about them.
func (m *minute) byHelper(h trace.Helper) int {
	n := 0
	for cause, times := range m.failed {
		if cause.Helper() == h {
			n += times
		}
	}
	return n
}

// tally is how often a cause struck.
type tally struct {
	Cause trace.Cause
	Times int
}

// tallies counts logins and failures, those that struck most first.
func tallies(minutes []minute) (logins, failed int, causes []tally) {
	sum := make(map[trace.Cause]int)
	for _, m := range minutes {
		logins += m.logins
		for cause, n := range m.failed {
			failed += n
			sum[cause] += n
		}
	}
	for cause, n := range sum {
		causes = append(causes, tally{cause, n})
	}
	slices.SortFunc(causes, func(a, b tally) int { return cmp.Or(cmp.Compare(b.Times, a.Times), cmp.Compare(a.Cause, b.Cause)) })
	return logins, failed, causes
}
