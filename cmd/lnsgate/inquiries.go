package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"lnsgate/aaa/foreign"
)

// inquiries ask again what the accounts of sessions on other NASes may, when that has changed. Whoever brings a change does not wait,
// for there may be a million sessions; and a change of one account does not wait for one of a domain.
type inquiries struct {
	ask       func(context.Context, foreign.Query) error
	few, many inbox[foreign.Query]
	log       *slog.Logger
}

func newInquiries(ask func(context.Context, foreign.Query) error, log *slog.Logger) *inquiries {
	return &inquiries{ask: ask, few: newInbox[foreign.Query](), many: newInbox[foreign.Query](), log: log}
}

// put has those sessions asked about.
func (i *inquiries) put(queries ...foreign.Query) {
	for _, q := range queries {
		box := i.many
		if q.Account != "" {
			box = i.few
		}
		box.put([]foreign.Query{q})
	}
}

// run asks until the context ends.
func (i *inquiries) run(ctx context.Context) error {
	var both errgroup.Group
	for _, box := range []inbox[foreign.Query]{i.few, i.many} {
		both.Go(func() error { return i.answer(ctx, box) })
	}
	return both.Wait()
}

// longestInquiryPause bounds the time until questions are asked again that nobody could answer.
const longestInquiryPause = time.Minute

// answer asks what comes into a box, and again what could not be answered.
func (i *inquiries) answer(ctx context.Context, box inbox[foreign.Query]) error {
	again, pause := time.NewTimer(0), retryChanges
	again.Stop()
	defer again.Stop()
	var left []foreign.Query
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-box.wake:
		case <-again.C:
		}
		if left = i.askAll(ctx, different(append(left, box.take()...))); len(left) == 0 {
			pause = retryChanges
			continue
		}
		again.Reset(pause)
		pause = min(2*pause, longestInquiryPause)
	}
}

// inquiriesAbreast is how many questions are asked at the same time: accounts that change together are many.
const inquiriesAbreast = 8

// askAll asks, and returns what could not be answered.
func (i *inquiries) askAll(ctx context.Context, queries []foreign.Query) (left []foreign.Query) {
	var mu sync.Mutex
	var asking errgroup.Group
	asking.SetLimit(inquiriesAbreast)
	for _, q := range queries {
		asking.Go(func() error {
			if err := i.ask(ctx, q); err != nil && ctx.Err() == nil {
				i.log.Warn("a change is not in force yet for sessions on other NASes, it is tried again", "cause", err)
				mu.Lock()
				defer mu.Unlock()
				left = append(left, q)
			}
			return nil
		})
	}
	_ = asking.Wait() // none returns an error
	return left
}

// different leaves out what is asked by another question.
func different(queries []foreign.Query) (list []foreign.Query) {
	seen := make(map[foreign.Query]bool, len(queries))
	for _, q := range queries {
		if q == (foreign.Query{}) {
			return []foreign.Query{q}
		}
		if !seen[q] {
			seen[q] = true
			list = append(list, q)
		}
	}
	return list
}
