package postgres

import (
	"context"
	"sync/atomic"
	"time"

	"lnsgate/aaa"
)

// hashing bounds how many slow hashes are computed at once, because each takes a processor and megabytes, and how many
// logins wait for their turn. Who cannot be served before its deadline is told at once instead of at the deadline.
type hashing struct {
	slots   chan struct{}
	most    int64
	waiting atomic.Int64
	usual   atomic.Int64 // nanoseconds that one takes; 0: not known yet
}

func newHashing(atOnce, queue int) *hashing {
	return &hashing{slots: make(chan struct{}, atOnce), most: int64(queue)}
}

// run does the work when it is its turn. The rejection is Retryable: the work was not done.
func (h *hashing) run(ctx context.Context, work func()) *aaa.Rejection {
	select {
	case h.slots <- struct{}{}:
	default:
		if no := h.wait(ctx); no != nil {
			return no
		}
	}
	began := time.Now()
	defer func() {
		h.learn(time.Since(began))
		<-h.slots
	}()
	work()
	return nil
}

func (h *hashing) wait(ctx context.Context) *aaa.Rejection {
	before := h.waiting.Add(1)
	defer h.waiting.Add(-1)
	if before > h.most {
		return aaa.Reject(aaa.BackendUnavailable, "%d logins wait already for their password to be hashed (%d at a time)", h.most, cap(h.slots)).For(aaa.TooManyChecks)
	}
	need := time.Duration(h.usual.Load()) * time.Duration(before+int64(cap(h.slots))) / time.Duration(cap(h.slots))
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < need {
		return h.late(before, need)
	}
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return h.late(before, need)
	}
}

func (h *hashing) late(before int64, need time.Duration) *aaa.Rejection {
	return aaa.Reject(aaa.Timeout, "%d logins wait for their password to be hashed (%d at a time), which takes about %s; "+
		"a form that is not one-way, or more processors, would be faster", before, cap(h.slots), need.Round(time.Millisecond)).For(aaa.TooManyChecks)
}

// learn keeps a running mean. Two at once may lose one sample, which does not matter.
func (h *hashing) learn(took time.Duration) {
	usual := h.usual.Load()
	if usual == 0 {
		usual = int64(took)
	}
	h.usual.Store(usual + (int64(took)-usual)/8)
}
