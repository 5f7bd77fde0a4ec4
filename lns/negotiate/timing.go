package negotiate

import "time"

// Timing holds the timer and the counters of RFC 1661 section 4.6. The zero
// value of each field takes the default.
type Timing struct {
	// Restart is how long to wait for an answer to the first, second ... copy of
	// a request; the last entry repeats. Default 250 ms, 500 ms, 1 s, 3 s: a slow
	// pppd is not listening yet when its call comes up, and 3 s is what the RFC
	// proposes for a peer that is.
	Restart []time.Duration
	// MaxConfigure is the number of Configure-Requests without an answer, default
	// 10; MaxTerminate the same of Terminate-Requests, default 2.
	MaxConfigure, MaxTerminate int
	// MaxFailure is the number of Configure-Naks after which the option is
	// rejected instead, default 5.
	MaxFailure int
}

// The defaults of RFC 1661 section 4.6, and our own schedule.
const (
	defaultMaxConfigure = 10
	defaultMaxTerminate = 2
	defaultMaxFailure   = 5
)

var defaultRestart = [...]time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second, 3 * time.Second}

// listeningWait is the shortest wait for an answer from a peer that was heard
// already. The quick first repeats are for a peer that is not listening yet; for
// one that is, a repeat that crosses its answer on a slow path arrives after the
// link has opened and starts the negotiation anew.
const listeningWait = time.Second

// wait is the time to wait after the copy with this index, the first being 0.
func (t *Timing) wait(index int) time.Duration {
	schedule := t.Restart
	if len(schedule) == 0 {
		schedule = defaultRestart[:]
	}
	if d := schedule[min(index, len(schedule)-1)]; d > 0 {
		return d
	}
	return defaultRestart[len(defaultRestart)-1]
}

// longest is the last wait of the schedule, the one that repeats.
func (t *Timing) longest() time.Duration { return t.wait(int(^uint(0) >> 1)) }

func (t *Timing) maxConfigure() int { return orDefault(t.MaxConfigure, defaultMaxConfigure) }
func (t *Timing) maxTerminate() int { return orDefault(t.MaxTerminate, defaultMaxTerminate) }
func (t *Timing) maxFailure() int   { return orDefault(t.MaxFailure, defaultMaxFailure) }

func orDefault(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}

// maxRounds bounds the number of different Configure-Requests of one
// negotiation. The restart counter does not: it starts afresh with each answer,
// and a peer that answers everything and agrees to nothing would go on forever.
func (t *Timing) maxRounds() int { return 2 * t.maxConfigure() }

// maxRefusals bounds the number of the peer's Configure-Requests that we refuse
// in one negotiation, for the same reason.
func (t *Timing) maxRefusals() int { return 4 * t.maxFailure() }
