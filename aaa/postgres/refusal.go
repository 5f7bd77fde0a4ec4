package postgres

import (
	"cmp"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// What the server says no to, and whether it will say so again, by the class of its SQLSTATE. All else is the server's state, or
// the way to it, and passes: what is to be written waits.
//
//	22 data, 23 constraints, 54 limits (too large for an index), 0A not supported: the content is to blame. It is refused at once.
//	42 rights, and names that are not there: the administrator is, or a schema that is just being changed. What is to be written
//	   waits, for ten minutes at most (see denial): it must not hold up for ever what the server would take.

// refused reports whether the content is to blame.
func refused(err error) bool {
	switch classOf(err) {
	case "22", "23", "54", "0A":
		return true
	}
	return false
}

// denied reports whether the server knows no such name, or does not let us.
func denied(err error) bool { return classOf(err) == "42" }

// classOf is the class of the SQLSTATE that the server answered, empty if it did not.
func classOf(err error) string {
	var e *pgconn.PgError
	if !errors.As(err, &e) || len(e.Code) != 5 {
		return ""
	}
	return e.Code[:2]
}

const (
	// denialLasts is for how long the server has to deny something before that is taken for its last word.
	denialLasts = 10 * time.Minute
	// denialGap is how long it has not denied anything when the next denial is a new one: many times what lies between two tries.
	denialGap = 2 * time.Minute
)

// denial remembers for how long the server has been denying something. It is safe for concurrent use.
type denial struct {
	mu          sync.Mutex
	lasts, gap  time.Duration // 0: denialLasts, denialGap
	since, last time.Time
}

// final reports whether an error is a denial that has lasted too long. Two short ones with a gap between them are no long one.
func (d *denial) final(err error, now time.Time) bool {
	if !denied(err) {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	lasts, gap := cmp.Or(d.lasts, denialLasts), cmp.Or(d.gap, denialGap)
	if d.since.IsZero() || now.Sub(d.last) > gap {
		d.since = now
	}
	d.last = now
	return now.Sub(d.since) >= lasts
}
