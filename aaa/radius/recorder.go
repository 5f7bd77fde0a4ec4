package radius

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/client"
	"lnsgate/aaa/radius/wire"
	"lnsgate/aaa/spool"
)

// RecorderConfig is what a Recorder is made of. Zero values take the defaults that are named.
type RecorderConfig struct {
	Name   string    // of the group, for the log
	Group  Exchanger // for accounting; without an end to its repetitions, only the context ends them
	NAS    NAS
	Names  NameForm
	RADIUS []string // the back ends that are RADIUS servers: whom they checked is not said to be checked locally

	InFlight int           // sessions whose records are under way at once; 0 = 64
	OnOff    bool          // send Accounting-On before the first record of this process, and -Off when Off is called
	OnWait   time.Duration // for the answer to Accounting-On; 0 = 10 s
	Since    time.Time     // when this process began; zero = now. Older records are of its predecessor
	Log      *slog.Logger
}

// Recorder sends records to a group of RADIUS servers. It is a spool.Sink: Write has stored a record when a server has
// answered for it with an authentic Accounting-Response.
type Recorder struct {
	config RecorderConfig

	mu sync.Mutex
	on bool // Accounting-On is answered, given up, or not wanted
}

var _ spool.Sink = (*Recorder)(nil)

// NewRecorder makes a recorder.
func NewRecorder(c RecorderConfig) (*Recorder, error) {
	if c.Group == nil {
		return nil, errors.New("accounting to RADIUS needs a group of servers")
	}
	if c.InFlight <= 0 {
		c.InFlight = 64
	}
	if c.OnWait <= 0 {
		c.OnWait = 10 * time.Second
	}
	if c.Since.IsZero() {
		c.Since = time.Now()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Recorder{config: c, on: !c.OnOff}, nil
}

// Write sends records: those of one session one after the other, those of several at the same time. When not all are
// confirmed in time the error is a *spool.PartialError.
//
// What a predecessor left goes first, then Accounting-On, then what is new: a server closes every session of this node when
// it hears of Accounting-On.
func (r *Recorder) Write(ctx context.Context, records []aaa.Record) error {
	outcome := make([]error, len(records))
	first := 0
	if !r.isOn() {
		first = slices.IndexFunc(records, func(record aaa.Record) bool { return !record.At.Before(r.config.Since) })
		if first < 0 {
			first = len(records)
		}
		r.sendAll(ctx, records[:first], outcome[:first])
		if first < len(records) {
			r.sendOn(ctx)
		}
	}
	r.sendAll(ctx, records[first:], outcome[first:])
	if slices.Contains(outcome[first:], nil) {
		r.setOn() // the server answers; if it did not to Accounting-On, it never will
	}
	if slices.ContainsFunc(outcome, func(err error) bool { return err != nil }) {
		return &spool.PartialError{Errors: outcome}
	}
	return nil
}

// sendAll sends records and notes what became of each.
func (r *Recorder) sendAll(ctx context.Context, records []aaa.Record, outcome []error) {
	sessions := bySession(records)
	next := make(chan []int)
	var workers sync.WaitGroup
	for range min(len(sessions), r.config.InFlight) {
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
	var held error
	for _, i := range of {
		if held != nil {
			outcome[i] = held
			continue
		}
		outcome[i] = r.send(ctx, func(p *radius.Packet) error {
			r.buildRecord(p, &records[i])
			return nil
		})
		if _, never := errors.AsType[unsendable](outcome[i]); outcome[i] != nil && !never {
			held = fmt.Errorf("it waits for the one before it: %w", outcome[i])
		}
	}
}

// unsendable is of records that no server will ever get.
type unsendable struct{ err error }

func (u unsendable) Error() string { return u.err.Error() }
func (u unsendable) Unwrap() error { return u.err }

// Retryable says no, for the spool.
func (u unsendable) Retryable() bool { return false }

// send sends one request and waits until it is confirmed.
func (r *Recorder) send(ctx context.Context, build func(*radius.Packet) error) error {
	reply, err := r.config.Group.Exchange(ctx, client.Request{Code: radius.CodeAccountingRequest, Build: build})
	switch {
	case errors.Is(err, wire.ErrTooLong):
		return unsendable{err}
	case err != nil:
		return err
	case reply.Packet.Code != radius.CodeAccountingResponse:
		return fmt.Errorf("RADIUS server %s answered an Accounting-Request with %v", reply.Server, reply.Packet.Code)
	}
	return nil
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

// sendOn sends Accounting-On and waits a bounded time. Without an answer it is due again with the next Write, unless a record
// is confirmed first.
func (r *Recorder) sendOn(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, r.config.OnWait)
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
