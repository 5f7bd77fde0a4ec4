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
	// ErrForged: something came that seems to be the answer and was not made with the shared secret.
	ErrForged = errors.New("answers that were not made with the shared secret")
	// ErrUnsigned: an answer came without the Message-Authenticator that it must have.
	ErrUnsigned = errors.New("answers without a Message-Authenticator")
	// ErrClosed: the group was closed.
	ErrClosed = errors.New("the group of RADIUS servers is closed")
)

// Try is what became of the request at one server.
type Try struct {
	Server  string
	Address string
	Took    time.Duration
	Err     error // one of the errors above, but not ErrForged or ErrUnsigned

	// What came in answer to this very request and was thrown away.
	Forged   int // not made with the shared secret
	Unsigned int // without a Message-Authenticator, which it must have
}

// words tells of the try.
func (t *Try) words() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %v (%v)", nameAndAddress(t.Server, t.Address), t.Err, t.Took.Round(time.Millisecond))
	if t.Forged > 0 {
		fmt.Fprintf(&b, ", but %d %v: compare the secrets", t.Forged, ErrForged)
	}
	if t.Unsigned > 0 {
		fmt.Fprintf(&b, ", but %d %v", t.Unsigned, ErrUnsigned)
	}
	return b.String()
}

// TimeoutError is what Exchange returns when it tried servers and none of them answered. errors.Is finds what happened at
// each of them, ErrForged and ErrUnsigned too.
type TimeoutError struct {
	Group string
	Tries []Try // at least one
	Cause error // context.DeadlineExceeded, when that was the reason to stop
}

// Error names each server and what happened there.
func (e *TimeoutError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "RADIUS group %s gave no answer:", e.Group)
	for i := range e.Tries {
		if i > 0 {
			b.WriteByte(';')
		}
		b.WriteString(" " + e.Tries[i].words())
	}
	return b.String()
}

// Unwrap returns the errors of all tries, and the cause.
func (e *TimeoutError) Unwrap() []error {
	list := make([]error, 0, len(e.Tries)+1)
	for _, t := range e.Tries {
		list = append(list, t.Err)
		if t.Forged > 0 {
			list = append(list, ErrForged)
		}
		if t.Unsigned > 0 {
			list = append(list, ErrUnsigned)
		}
	}
	if e.Cause != nil {
		list = append(list, e.Cause)
	}
	return list
}

// Timeout is always true, as in net.Error.
func (e *TimeoutError) Timeout() bool { return true }
