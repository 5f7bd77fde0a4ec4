package radius

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
)

const (
	// vainTries is how often old records may come to nothing before Accounting-On is sent without them.
	vainTries = 3
	// briefly is what Accounting-On then has: a server that comes back in that time hears of it before it hears of them.
	briefly = time.Second
)

var errBeforeOn = errors.New("it waits for records from before the start of this process, and for Accounting-On")

// firstNew is where the records of this process begin.
func (r *Recorder) firstNew(records []aaa.Record) int {
	i := slices.IndexFunc(records, func(record aaa.Record) bool { return !record.At.Before(r.config.Since) })
	if i < 0 {
		return len(records)
	}
	return i
}

// sendOn sends what a predecessor left, and if new records are to follow, Accounting-On. It answers false when these have to
// wait, because old ones are left. They do not wait for ever: a server may never confirm some record.
func (r *Recorder) sendOn(ctx context.Context, old []aaa.Record, outcome []error, follow bool) bool {
	limited, cancel := context.WithTimeout(ctx, patience)
	r.sendAll(limited, old, outcome)
	cancel()
	if !follow {
		return true
	}
	if !slices.ContainsFunc(outcome, again) {
		r.tellOn(ctx, r.config.OnWait)
		return true
	}
	if !r.inVain(slices.Contains(outcome, nil)) {
		return false
	}
	r.tellOn(ctx, min(briefly, r.config.OnWait))
	return true
}

// inVain counts how often old records came to nothing, and says when that is enough.
func (r *Recorder) inVain(progress bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.vainly++; progress {
		r.vainly = 0
	}
	if r.vainly < vainTries {
		return false
	}
	r.vainly = 0
	return true
}

// tellOn sends Accounting-On and waits a bounded time. Without an answer it is due again with the next Write, unless a record
// is confirmed first.
func (r *Recorder) tellOn(ctx context.Context, wait time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	err := r.send(ctx, func(p *radius.Packet) error {
		r.buildNode(p, statusOn, r.config.Since)
		return nil
	})
	if err != nil {
		r.config.Log.Warn("no RADIUS server has confirmed Accounting-On; sessions that a predecessor left open may stay open there",
			"group", r.config.Name, "cause", err)
		return
	}
	r.setOn()
}

// On says that this node begins, unless a record has already made it say so. It is for the start of the process, when what a
// predecessor left is stored and before anybody logs in: a server that gives addresses away takes back what this node had.
func (r *Recorder) On(ctx context.Context) {
	if !r.isOn() {
		r.tellOn(ctx, r.config.OnWait)
	}
}

func (r *Recorder) isOn() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.on
}

func (r *Recorder) setOn() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.on = true
}

// Off says that this node ends. It is for the end of the process, when the last Stop is confirmed: a server closes
// whatever is still open. It does nothing when OnOff is not set.
func (r *Recorder) Off(ctx context.Context, now time.Time) error {
	if !r.config.OnOff {
		return nil
	}
	err := r.send(ctx, func(p *radius.Packet) error {
		r.buildNode(p, statusOff, now)
		return nil
	})
	if err != nil {
		return fmt.Errorf("accounting group %s: Accounting-Off: %w", r.config.Name, err)
	}
	return nil
}
