package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"lnsgate/pool"
)

// An exact address may be held by a session of the same account on another node, most often one whose connection broke
// unseen. It gives way, as it would on this node, and whoever asks waits for it.

const (
	// Every node listens for these; one ends only sessions of its own. A session whose row is not written yet is asked
	// again.
	endSessions = `SELECT v.holder FROM unnest($1::text[], $2::text[]) v(holder, cause) WHERE end_session(v.holder, v.cause)`

	takeoverTry = 100 * time.Millisecond
)

// yields notes that the holder of an exact address is to give way to the ask. It says false if it is not: the account is
// another one, or that has lasted too long. The mutex is held.
func (a *Allocator) yields(q *ask, holder, account string) bool {
	now := time.Now()
	if q.until.IsZero() {
		q.until = now.Add(a.cfg.Takeover)
		if q.deadline.Before(q.until) && !q.deadline.IsZero() {
			q.until = now.Add(q.deadline.Sub(now) * 9 / 10) // with time left to say who has it
		}
	}
	if account == "" || account != q.Account || !now.Before(q.until) {
		return false
	}
	if q.holder != holder {
		q.holder, q.told = holder, false
	}
	q.waiting = true
	return true
}

// takeOver asks the nodes of those holders to end their sessions, and lets the asks wait.
func (r *runner) takeOver(ctx context.Context, asks []*ask) error {
	var holders, causes []string
	for _, q := range asks {
		if !q.told {
			holders = append(holders, q.holder)
			causes = append(causes, "the account "+q.Account+" logged in again on node "+r.cfg.Node+" and needs its address "+q.Address.String())
		}
	}
	ended := make(map[string]bool)
	if holders != nil {
		err := r.ask(ctx, endSessions, []any{holders, causes}, func(rows pgx.Rows) error {
			var holder string
			_, err := pgx.ForEachRow(rows, []any{&holder}, func() error {
				ended[holder] = true
				return nil
			})
			return err
		})
		if err != nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, q := range asks {
				q.waiting = false
			}
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	next := time.Now().Add(takeoverTry)
	for _, q := range asks {
		if q.until.Before(next) {
			next = q.until
		}
		if ended[q.holder] {
			q.told = true
			r.stats.TakenOver++
		}
		q.refused, q.refusal = nil, nil
		r.patient = append(r.patient, q)
	}
	if r.again.Before(time.Now()) || next.Before(r.again) {
		r.again = next
	}
	return nil
}

// inUse is the refusal of an exact address that does not become free.
func inUse(k key, by occupant) *pool.InUseError {
	e := &pool.InUseError{Address: k.address, Holder: by.Holder}
	if by.Silent != nil {
		e.Node, e.Silent = by.Node, *by.Silent
	}
	return e
}
