package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// UnavailableError says that the database could not be asked and that this node has no address of its own to give. The
// same request may succeed later.
type UnavailableError struct {
	Err error // what the database, or the way to it, said last
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("the database of the pools is not available: %v", e.Err)
}

func (e *UnavailableError) Unwrap() error { return e.Err }

// Retryable is true: it is the database's fault, not that of the request.
func (e *UnavailableError) Retryable() bool { return true }

// ErrSuperseded is what a node is told when another process has started under its name. Run returns it, and all
// leases are reported lost.
var ErrSuperseded = errors.New("another process has started under the name of this node: give each node a name of its own")

// errNotYet is the state before the first contact.
var errNotYet = errors.New("it has not answered since the start")

// transient reports whether the statement may simply be repeated: two nodes were in each other's way.
func transient(err error) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case "40001", "40P01": // serialization failure, deadlock
		return true
	case "23P01": // two nodes cut the same block
		return e.ConstraintName != leasesOverlap
	}
	return false
}

// leasesOverlap is the constraint that no two prefixes in use have an address in common.
const leasesOverlap = "leases_overlap"

// overlap reports whether a lease has addresses in common with one of another length. The same statement would fail again.
func overlap(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "23P01" && e.ConstraintName == leasesOverlap
}

// broken reports whether a connection is at fault and another one may do: not when the server cannot be reached, is slow
// or says no.
func broken(err error) bool {
	var refused *pgconn.ConnectError
	var e *pgconn.PgError
	switch {
	case errors.As(err, &refused), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &e):
		return strings.HasPrefix(e.Code, "08") || e.Code == "57P01" || e.Code == "57P05" // terminated by an administrator, idle for too long
	}
	return pgconn.SafeToRetry(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// duplicate reports whether a row that was thought to be new is there already.
func duplicate(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "23505"
}

// unavailable wraps what the database said, except when it was the caller who gave up.
func unavailable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var already *UnavailableError
	if errors.As(err, &already) {
		return already
	}
	return &UnavailableError{Err: err}
}
