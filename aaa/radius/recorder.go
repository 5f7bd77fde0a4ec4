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

	mu     sync.Mutex // guards the rest, and RADIUS and InFlight of the configuration
	on     bool       // Accounting-On is answered, given up, or not wanted
	vainly int        // how often in a row no old record was confirmed, while some were left
	late   map[string]bool
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
	return &Recorder{config: c, on: !c.OnOff, late: make(map[string]bool)}, nil
}

// Follow replaces RADIUS and InFlight of the configuration. What a server knows open sessions by stays as it is.
func (r *Recorder) Follow(backends []string, inFlight int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.config.RADIUS = backends
	if inFlight > 0 {
		r.config.InFlight = inFlight
	}
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
		if first = r.firstNew(records); !r.sendOn(ctx, records[:first], outcome[:first], first < len(records)) {
			for i := range outcome[first:] {
				outcome[first+i] = errBeforeOn
			}
			return &spool.PartialError{Errors: outcome}
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

// unsendable is of records that no server will ever get.
type unsendable struct{ err error }

func (u unsendable) Error() string { return u.err.Error() }
func (u unsendable) Unwrap() error { return u.err }

// Retryable says no, for the spool.
func (u unsendable) Retryable() bool { return false }

// send sends one request and waits until it is confirmed, for a bounded time: a server may never answer one record, and all
// others.
func (r *Recorder) send(ctx context.Context, build func(*radius.Packet) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
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
