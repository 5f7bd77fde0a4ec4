package radius

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
)

// patience is what a server has to confirm one record. Then it comes again with a later Write.
const patience = 10 * time.Second

// latePatience is what all sessions have together that come last.
const latePatience = patience / 2

// sendAll sends records and notes what became of each. Sessions with a record that was sent before and not confirmed come
// last, in any order, and in a bounded time: however many there are of which a server does not want to hear, the others get
// through.
func (r *Recorder) sendAll(ctx context.Context, records []aaa.Record, outcome []error) {
	var prompt, late [][]int
	for _, of := range bySession(records) {
		if r.isLate(records[of[0]].Session) {
			late = append(late, of)
		} else {
			prompt = append(prompt, of)
		}
	}
	r.sendSessions(ctx, prompt, records, outcome)
	if len(late) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, latePatience)
	defer cancel()
	rand.Shuffle(len(late), func(i, j int) { late[i], late[j] = late[j], late[i] })
	r.sendSessions(ctx, late, records, outcome)
}

// sendSessions sends the records of sessions, of so many at a time as may be under way.
func (r *Recorder) sendSessions(ctx context.Context, sessions [][]int, records []aaa.Record, outcome []error) {
	next := make(chan []int)
	var workers sync.WaitGroup
	for range min(len(sessions), r.inFlight()) {
		workers.Go(func() {
			for of := range next {
				r.sendSession(ctx, of, records, outcome)
			}
		})
	}
	for _, of := range sessions {
		next <- of
	}
	close(next)
	workers.Wait()
}

// bySession puts the positions of records together that are of one session, in order.
func bySession(records []aaa.Record) [][]int {
	var sessions [][]int
	at := make(map[string]int)
	for i := range records {
		name := records[i].Session
		if _, known := at[name]; !known {
			at[name] = len(sessions)
			sessions = append(sessions, nil)
		}
		sessions[at[name]] = append(sessions[at[name]], i)
	}
	return sessions
}

// sendSession sends the records of one session until one is not confirmed.
func (r *Recorder) sendSession(ctx context.Context, of []int, records []aaa.Record, outcome []error) {
	held := ctx.Err() // it was never its turn
	for _, i := range of {
		if held != nil {
			outcome[i] = held
			continue
		}
		outcome[i] = r.send(ctx, func(p *radius.Packet) error {
			r.buildRecord(p, &records[i])
			return nil
		})
		waits := again(outcome[i])
		r.setLate(records[i].Session, waits)
		if waits {
			held = fmt.Errorf("it waits for the one before it: %w", outcome[i])
		}
	}
}

// again says whether a record is to be sent again.
func again(err error) bool {
	_, never := errors.AsType[unsendable](err)
	return err != nil && !never
}

func (r *Recorder) inFlight() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.config.InFlight
}

func (r *Recorder) isLate(session string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.late[session]
}

func (r *Recorder) setLate(session string, late bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if late {
		r.late[session] = true
	} else {
		delete(r.late, session)
	}
}
