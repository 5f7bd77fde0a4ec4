package postgres

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/aaa"
)

// Bounds of Attempts.
const (
	attemptsQueue = 16384 // attempts that wait while the database is away
	attemptsBatch = 500   // rows of one COPY
	attemptsGap   = 200 * time.Millisecond
	attemptsRetry = time.Second
	attemptsEnd   = 5 * time.Second // for what waits when Run ends
)

// Attempts writes what came of logins into the table logins, many at a time. It implements aaa.AttemptLog.
type Attempts struct {
	db            *database
	log           *slog.Logger
	queue         chan aaa.Attempt
	kept, steps   Which
	room          []aaa.Attempt // for a batch; only Run uses it
	rows          copyRows      // of the batch that is being written
	denied        denial
	lost, written atomic.Uint64
}

var _ aaa.AttemptLog = (*Attempts)(nil)

// NewAttempts makes the log. It writes nothing before Run.
func NewAttempts(pool *pgxpool.Pool, log *slog.Logger) *Attempts {
	return &Attempts{db: newDatabase(pool, 0), log: log, kept: WhichAll, queue: make(chan aaa.Attempt, attemptsQueue)}
}

// Keep says which attempts are written, and of which of them every step: without a word, all, and the steps of those that failed. It is
// to be called before Run.
func (a *Attempts) Keep(rows, steps Which) { a.kept, a.steps = rows, steps }

// Log takes an attempt. When too many wait, because the database has been away for long, it is lost and counted.
func (a *Attempts) Log(attempt aaa.Attempt) {
	if !a.kept.has(&attempt) {
		return
	}
	select {
	case a.queue <- attempt:
	default:
		a.lost.Add(1)
	}
}

// Lost is how many attempts were not kept, or could not be written.
func (a *Attempts) Lost() uint64 { return a.lost.Load() }

// Written is how many attempts are in the database.
func (a *Attempts) Written() uint64 { return a.written.Load() }

// Run writes until the context ends, then what still waits, for some seconds at most.
func (a *Attempts) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if batch := a.gather(ctx); len(batch) > 0 {
			a.keepStoring(ctx, batch)
			a.room = batch[:0]
			clear(batch)
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptsEnd)
	defer cancel()
	for batch := a.take(nil); len(batch) > 0; batch = a.take(nil) {
		a.store(last, batch)
	}
}

// gather waits for an attempt, and then a moment for more unless there are enough.
func (a *Attempts) gather(ctx context.Context) []aaa.Attempt {
	select {
	case first := <-a.queue:
		if len(a.queue) < attemptsBatch {
			pause(ctx, attemptsGap)
		}
		return a.take(append(a.room, first))
	case <-ctx.Done():
		return nil
	}
}

// take adds what waits to a batch, as far as it has room.
func (a *Attempts) take(batch []aaa.Attempt) []aaa.Attempt {
	for len(batch) < attemptsBatch {
		select {
		case next := <-a.queue:
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

// keepStoring tries until the batch is written. When the context ends before, it gets one last try.
func (a *Attempts) keepStoring(ctx context.Context, batch []aaa.Attempt) {
	told, sifted := false, false
	for ctx.Err() == nil {
		err := a.insert(ctx, batch)
		final := a.refuses(err)
		switch {
		case err == nil:
			return
		case final && len(batch) == 1:
			a.lose(batch, err)
			return
		case final, denied(err) && !sifted:
			if batch = a.oneByOne(ctx, batch); len(batch) == 0 {
				return
			}
			if sifted = denied(err); !sifted {
				continue // the database went away among them, or the context ended
			}
		}
		if !told && ctx.Err() == nil {
			a.log.Warn("logins not recorded: they wait in memory", "waiting", len(batch)+len(a.queue), "lost", a.Lost(), "cause", err)
			told = true
		}
		pause(ctx, attemptsRetry)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptsEnd)
	defer cancel()
	a.store(last, batch)
}

// store writes a batch, but for the rows that the database refuses. What cannot be written now is counted as lost.
func (a *Attempts) store(ctx context.Context, batch []aaa.Attempt) {
	err := a.insert(ctx, batch)
	if refused(err) || denied(err) {
		batch = a.oneByOne(ctx, batch)
	}
	if err != nil && len(batch) > 0 {
		a.lose(batch, err)
	}
}

// oneByOne finds the rows that the database refuses: they are lost, the others are not. It answers those that are still to be
// written, because the database did not say anything about the first of them, or denies them and may think better of it.
func (a *Attempts) oneByOne(ctx context.Context, batch []aaa.Attempt) []aaa.Attempt {
	var left []aaa.Attempt
	for i := range batch {
		err := a.insert(ctx, batch[i:i+1])
		switch {
		case a.refuses(err):
			a.lose(batch[i:i+1], err)
		case denied(err):
			left = append(left, batch[i])
		case err != nil:
			return append(left, batch[i:]...)
		}
	}
	return left
}

// refuses reports whether the database will not take what it was sent: see refusal.go.
func (a *Attempts) refuses(err error) bool { return refused(err) || a.denied.final(err, time.Now()) }

func (a *Attempts) lose(batch []aaa.Attempt, cause error) {
	a.lost.Add(uint64(len(batch)))
	a.log.Error("logins not recorded", "session", batch[0].Session, "logins", len(batch), "cause", cause)
}

// insert writes a batch. What is there already, because the answer to an earlier try was lost, stays as it is.
func (a *Attempts) insert(ctx context.Context, batch []aaa.Attempt) error {
	err := a.copy(ctx, batch)
	if codeOf(err) == uniqueViolation {
		err = a.insertAgain(ctx, batch)
	}
	if err == nil {
		a.written.Add(uint64(len(batch)))
	}
	return err
}

func (a *Attempts) insertAgain(ctx context.Context, batch []aaa.Attempt) error {
	for i := range batch {
		if err := a.copy(ctx, batch[i:i+1]); err != nil && codeOf(err) != uniqueViolation {
			return err
		}
	}
	return nil
}

func (a *Attempts) copy(ctx context.Context, batch []aaa.Attempt) error {
	a.rows.reset()
	for i := range batch {
		a.row(&batch[i])
	}
	return a.db.ask(ctx, "record logins", func(ctx context.Context) error { return a.rows.send(ctx, a.db.pool, copySQL) })
}

// text makes of what a stranger sent something that the database can hold.
func text(s string) string {
	if storable(s) {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// host is an address as the database holds it: null when there is none, and without an IPv6 zone.
func host(a netip.Addr) *netip.Addr {
	if !a.IsValid() {
		return nil
	}
	a = a.WithZone("").Unmap()
	return &a
}
