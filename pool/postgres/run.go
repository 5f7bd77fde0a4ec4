package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/pool"
)

// querier is what a statement needs: a pool, a connection or a transaction.
type querier interface {
	Exec(context.Context, string, ...any) (pgconn.CommandTag, error)
	Query(context.Context, string, ...any) (pgx.Rows, error)
	QueryRow(context.Context, string, ...any) pgx.Row
	SendBatch(context.Context, *pgx.Batch) pgx.BatchResults
}

var _ querier = (*pgxpool.Pool)(nil)

// runner is what Run alone knows.
type runner struct {
	*Allocator
	renewed  time.Time // when the blocks were last renewed, by the allocator's clock
	attached time.Time // when the database last came back, by the allocator's clock
	tick     time.Time // real time
	ticks    int
	journal  time.Time // real time of the last group
	retry    time.Time // real time
	backoff  time.Duration
	recheck  time.Time // real time: what was under way when a connection broke has surely ended; zero: nothing was

	registering int64     // the epoch of a transaction that may not be committed yet
	again       time.Time // real time: the next try for those who wait for other nodes
	gauged      map[*definition]gauged
	swept       time.Time // real time: until when a sweep is not worth its cost, even if somebody waits
	sweepAt     time.Time // real time: the next one
	abandon     bool      // tests: end like a process that is killed
}

// Run keeps this node's share of the pools: it writes the journal, serves the requests that need the database, renews
// the blocks and takes back what dead nodes left. It returns when the context is over, after a farewell of at most
// Config.Timeout that gives the blocks back, or with ErrSuperseded.
func (a *Allocator) Run(ctx context.Context) error {
	return newRunner(a).run(ctx)
}

func newRunner(a *Allocator) *runner {
	return &runner{Allocator: a, gauged: make(map[*definition]gauged)}
}

func (r *runner) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return r.farewell(ctx)
		case <-r.wake:
		case <-timer.C:
		}
		if wait := r.patience(); wait > 0 {
			timer.Reset(wait)
			continue
		}
		err := r.step(ctx)
		if err != nil {
			err = r.mend(ctx, err)
		}
		if errors.Is(err, ErrSuperseded) {
			return r.superseded()
		} else if err != nil && ctx.Err() == nil {
			r.lose(err)
		}
		r.watchExpiry()
		timer.Reset(r.pause())
	}
}

// patience is how long to wait for more leases before a group is written. A request does not wait, nor does the tick.
func (r *runner) patience() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if !r.up || len(r.asks) > 0 || len(r.dirty) == 0 || !now.Before(r.tick) {
		return 0
	}
	return time.Until(r.journal.Add(r.cfg.JournalEvery))
}

// pause is how long there is nothing to do unless somebody calls.
func (r *runner) pause() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.up:
		return max(time.Until(r.retry), time.Millisecond)
	case len(r.asks) > 0:
		return 0
	case len(r.dirty) > 0:
		return max(time.Until(r.journal.Add(r.cfg.JournalEvery)), 0)
	}
	next := r.tick
	if len(r.patient) > 0 && r.again.Before(next) {
		next = r.again
	}
	return max(time.Until(next), 0)
}

// step does what is due. An error means that the database is away.
func (r *runner) step(ctx context.Context) error {
	r.mu.Lock()
	up, due := r.up, !r.usable(r.now()) || !r.now().Before(r.renewed.Add(r.cfg.BlockLife/3))
	r.mu.Unlock()
	if !up {
		if time.Now().Before(r.retry) {
			return nil
		}
		return r.attach(ctx)
	}
	if !r.recheck.IsZero() && !time.Now().Before(r.recheck) {
		if err := r.compareAll(ctx); err != nil {
			return err
		}
		r.recheck = time.Time{}
	} else if due {
		if err := r.renew(ctx); err != nil {
			return err
		}
	}
	if err := r.pass(ctx); err != nil {
		return err
	}
	if time.Now().Before(r.tick) {
		return nil
	}
	r.tick = time.Now().Add(r.cfg.Tick)
	return r.look(ctx)
}

// bounded limits one exchange with the database.
func (r *runner) bounded(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	return do(ctx)
}

// ask runs one statement and hands its rows to read, as one transaction in one exchange.
func (r *runner) ask(ctx context.Context, statement string, args []any, read func(pgx.Rows) error) error {
	return r.exchange(ctx, freshPlan, statement, args, read)
}

// askOften is ask for a statement that can keep its plan.
func (r *runner) askOften(ctx context.Context, statement string, args []any, read func(pgx.Rows) error) error {
	return r.exchange(ctx, keptPlan, statement, args, read)
}

func (r *runner) exchange(ctx context.Context, planning, statement string, args []any, read func(pgx.Rows) error) error {
	return r.bounded(ctx, func(ctx context.Context) error {
		var batch pgx.Batch
		batch.Queue(planning)
		batch.Queue(statement, args...).Query(read)
		return r.cfg.Pool.SendBatch(ctx, &batch).Close()
	})
}

// change is ask for a statement that answers nothing.
func (r *runner) change(ctx context.Context, statement string, args ...any) error {
	return r.ask(ctx, statement, args, func(rows pgx.Rows) error {
		rows.Close()
		return rows.Err()
	})
}

// within runs do in a transaction, and again if another node was in the way.
func (r *runner) within(ctx context.Context, do func(context.Context, pgx.Tx) error) error {
	var err error
	for range 5 {
		err = r.bounded(ctx, func(ctx context.Context) error {
			return pgx.BeginFunc(ctx, r.cfg.Pool, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, freshPlan); err != nil {
					return err
				}
				return do(ctx, tx)
			})
		})
		if !transient(err) {
			return err
		}
	}
	return err
}

// compareAll brings memory and tables into agreement about who has what.
func (r *runner) compareAll(ctx context.Context) error {
	if err := r.renew(ctx); err != nil {
		return err
	}
	return r.audit(ctx)
}

// agree is what comes first on every new way to the database. What was under way on the old one may still be carried out,
// so the books are compared again a little later.
func (r *runner) agree(ctx context.Context) error {
	if err := r.register(ctx); err != nil {
		return err
	}
	if err := r.compareAll(ctx); err != nil {
		return err
	}
	r.recheck = time.Now().Add(2 * r.cfg.Timeout)
	return r.reload(ctx)
}

// mend goes on with another connection if only the one in use is broken. Nobody notices but by the delay: those who wait
// are served as if they had just asked. Everything is compared first, so it does not matter what the last statement did.
func (r *runner) mend(ctx context.Context, err error) error {
	r.mu.Lock()
	up := r.up
	r.mu.Unlock()
	until := time.Now().Add(r.cfg.Timeout)
	for up && broken(err) && ctx.Err() == nil && time.Now().Before(until) {
		r.cfg.Log.Warn("pools: a connection to the database broke, trying another", "cause", err)
		if err = r.agree(ctx); err != nil {
			continue // the others may be broken too
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.stats.Mended++
		for _, q := range slices.Concat(r.asks, r.patient) {
			q.looked, q.remembered, q.refused, q.stage = false, nil, nil, 0
			q.has, q.absent = nil, false
		}
		return nil
	}
	return err
}

// attach begins, or begins again, to work with the database.
func (r *runner) attach(ctx context.Context) error {
	if err := r.agree(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.up, r.fault, r.backoff, r.attached = true, nil, 0, r.now()
	r.tick = time.Now().Add(r.cfg.Tick)
	select {
	case <-r.ready:
	default:
		close(r.ready)
	}
	r.cfg.Log.Info("pools: working with the database", "node", r.cfg.Node, "epoch", r.epoch)
	return nil
}

// lose notes that the database is away and answers everybody who waits for it.
func (r *runner) lose(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.up || errors.Is(r.fault, errNotYet) {
		if r.expires.IsZero() {
			r.cfg.Log.Error("pools: the database is away, and this node has nothing of its pools to give yet", "cause", err)
		} else {
			r.cfg.Log.Error("pools: the database is away; addresses of our own blocks are given until they expire", "cause", err, "expire", r.expires)
		}
	}
	r.backoff = min(max(2*r.backoff, 50*time.Millisecond), time.Second)
	r.retry = time.Now().Add(r.backoff)
	r.detach(err)
}

// detach answers everybody who waits from what is left without the database. The mutex is held.
func (a *Allocator) detach(err error) {
	a.up, a.fault = false, err
	asks := slices.Concat(a.asks, a.patient)
	a.asks, a.patient = nil, nil
	for _, q := range asks {
		switch {
		case q.gone:
		case q.barrier:
			q.reply(pool.Lease{}, a.missing())
		default:
			q.stage, q.remembered = 0, nil
			q.reply(a.atOnce(q))
		}
	}
}

// missing is the answer to what needs the database while it is away, or when this allocator has ended.
func (a *Allocator) missing() error {
	if a.ended != nil {
		return a.ended
	}
	return &UnavailableError{Err: a.fault}
}

// superseded ends this node's work for good.
func (r *runner) superseded() error {
	r.mu.Lock()
	r.ended = ErrSuperseded
	r.detach(ErrSuperseded)
	lost := r.heldLeases()
	r.mu.Unlock()
	r.cfg.Log.Error("pools: "+ErrSuperseded.Error(), "node", r.cfg.Node)
	r.report(lost)
	return ErrSuperseded
}

// watchExpiry reports what this node may hold no longer because the database could not be reached for so long: first the
// leases that are written nowhere, with the blocks, then all.
func (r *runner) watchExpiry() {
	r.mu.Lock()
	now := r.now()
	var lost []pool.Lease
	switch {
	case r.expires.IsZero():
	case !r.dead && !now.Before(r.renewed.Add(r.cfg.LeaseLife)):
		r.lapsed, r.dead = true, true
		lost = r.heldLeases()
		r.cfg.Log.Error("pools: the leases of this node have expired while the database is away; their sessions must end", "leases", len(lost))
	case !r.lapsed && !now.Before(r.expires):
		r.lapsed = true
		for _, e := range r.entries {
			if e.state == held && !e.bound {
				lost = append(lost, e.lease)
			}
		}
		r.cfg.Log.Error("pools: the blocks of this node have expired while the database is away; sessions that came after it went must end",
			"leases", len(lost), "others until", r.renewed.Add(r.cfg.LeaseLife))
	}
	r.mu.Unlock()
	r.report(lost)
}

func (r *runner) report(lost []pool.Lease) {
	if len(lost) > 0 && r.cfg.Lost != nil {
		r.cfg.Lost(lost)
	}
}

// heldLeases lists what this node's sessions hold.
func (a *Allocator) heldLeases() []pool.Lease {
	var leases []pool.Lease
	for _, e := range a.entries {
		if e.state == held {
			leases = append(leases, e.lease)
		}
	}
	return leases
}

// errStopped is the state after Run.
var errStopped = errors.New("this node is shutting down")

// farewell writes what is left to write, gives the blocks back, and answers whoever still waits.
func (r *runner) farewell(ctx context.Context) error {
	r.mu.Lock()
	up := r.up
	r.mu.Unlock()
	if up && !r.abandon {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.cfg.Timeout)
		defer cancel()
		if err := r.leave(ctx); err != nil {
			r.cfg.Log.Warn("pools: blocks were not given back and stay with this node until they expire", "cause", err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = &UnavailableError{Err: errStopped}
	r.detach(errStopped)
	return nil
}

// leave writes what is left, compares once more if something may have been written without our hearing of it, and gives the blocks
// back.
func (r *runner) leave(ctx context.Context) error {
	if err := r.pass(ctx); err != nil {
		return err
	}
	if !r.recheck.IsZero() {
		if err := r.audit(ctx); err != nil {
			return err
		}
		if err := r.pass(ctx); err != nil {
			return err
		}
	}
	return r.giveBack(ctx, func(b *block) bool { return b.held == 0 })
}
