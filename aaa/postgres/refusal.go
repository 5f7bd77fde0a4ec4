package postgres

import (
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

// denialLasts is for how long the server has to deny something before that is taken for its last word.
const denialLasts = 10 * time.Minute

// denial remembers for how long the server has been denying something. It is safe for concurrent use.
type denial struct {
	mu          sync.Mutex
	lasts       time.Duration // 0: denialLasts
	since, last time.Time
}

// final reports whether an error is a denial that has lasted too long. Without one for as long as that, the next is the first.
func (d *denial) final(err error, now time.Time) bool {
	if !denied(err) {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	lasts := d.lasts
	if lasts == 0 {
		lasts = denialLasts
	}
	if d.since.IsZero() || now.Sub(d.last) > lasts {
		d.since = now
	}
	d.last = now
	return now.Sub(d.since) >= lasts
}
