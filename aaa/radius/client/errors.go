package client

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Errors of Exchange. All of them may be retried later; errors of the context and of Build come through as they are.
var (
	// ErrNoServer: no server of the group can be asked now: all are dead, or the one that was wanted is not there.
	ErrNoServer = errors.New("no RADIUS server to ask")
	// ErrBusy: as many requests as may are waiting for the server.
	ErrBusy = errors.New("too many requests wait for the RADIUS server")
	// ErrConnection: the connection could not be opened, or was cut before the answer came.
	ErrConnection = errors.New("no connection to the RADIUS server")
	// ErrProtocol: the server says that it cannot work with the request (Protocol-Error, RFC 7930).
	ErrProtocol = errors.New("the RADIUS server cannot work with the request")
	// ErrSilent: no answer came in time.
	ErrSilent = errors.New("no answer from the RADIUS server")
	// ErrClosed: the group was closed.
	ErrClosed = errors.New("the group of RADIUS servers is closed")
)

// Try is what became of the request at one server.
type Try struct {
	Server string
	Took   time.Duration
	Err    error // one of the errors above
}

// TimeoutError is what Exchange returns when it tried servers and none of them answered. errors.Is finds what happened at
// each of them.
type TimeoutError struct {
	Group string
	Tries []Try // at least one
	Cause error // context.DeadlineExceeded, when that was the reason to stop
}

// Error names each server and what happened there.
func (e *TimeoutError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "RADIUS group %s gave no answer:", e.Group)
	for i, t := range e.Tries {
		if i > 0 {
			b.WriteByte(';')
		}
		fmt.Fprintf(&b, " %s: %v (%v)", t.Server, t.Err, t.Took.Round(time.Millisecond))
	}
	return b.String()
}

// Unwrap returns the errors of all tries, and the cause.
func (e *TimeoutError) Unwrap() []error {
	list := make([]error, 0, len(e.Tries)+1)
	for _, t := range e.Tries {
		list = append(list, t.Err)
	}
	if e.Cause != nil {
		list = append(list, e.Cause)
	}
	return list
}

// Timeout is always true, as in net.Error.
func (e *TimeoutError) Timeout() bool { return true }
