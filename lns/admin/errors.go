package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"
)

// Error is what a failed request is answered with. Both texts are for the administrator.
type Error struct {
	Status  int    `json:"-"`     // HTTP status
	Message string `json:"error"` // what is wrong
	Hint    string `json:"hint,omitempty"`
}

// Error is the message, with the hint behind it when there is one.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + "\n  " + e.Hint
}

// WaitError says that it may go well later, and how much.
type WaitError struct {
	After time.Duration
	Err   *Error
}

// Error is what is wrong.
func (e *WaitError) Error() string { return e.Err.Error() }

// Unwrap is what is wrong.
func (e *WaitError) Unwrap() error { return e.Err }

// PartialError comes beside an answer that is right but not whole, such as the pools while the database is away.
type PartialError struct {
	Warning string // what is missing and why
}

// Error is the warning.
func (e *PartialError) Error() string { return "some of it cannot be shown: " + e.Warning }

// InForceError is what Config.Reload returns when the new configuration is in force and something did not follow it, such as
// a route or a session that could not be checked. Any other error means that nothing was changed.
type InForceError struct {
	Err error
}

// Error is what did not follow.
func (e *InForceError) Error() string { return e.Err.Error() }

// Unwrap is what did not follow.
func (e *InForceError) Unwrap() error { return e.Err }

// NotRunningError says that nobody answers on the socket.
type NotRunningError struct {
	Socket string
	Err    error // what the dial said
}

// Error says which of the usual reasons it is and what to do about it.
func (e *NotRunningError) Error() string {
	switch {
	case errors.Is(e.Err, fs.ErrPermission):
		return fmt.Sprintf("no permission to open the admin socket %s\n"+
			"  run the command as root or as a member of the socket's group", e.Socket)
	case errors.Is(e.Err, fs.ErrNotExist):
		return fmt.Sprintf("no lnsgate server is running here: there is no socket %s\n%s", e.Socket, startHint)
	case errors.Is(e.Err, syscall.ECONNREFUSED):
		return fmt.Sprintf("no lnsgate server is running here: the one that made %s is gone\n%s", e.Socket, startHint)
	}
	return fmt.Sprintf("the lnsgate server on %s does not answer: %v", e.Socket, e.Err)
}

// Unwrap is what the dial said.
func (e *NotRunningError) Unwrap() error { return e.Err }

const startHint = "  start it with: lnsgate serve -c FILE   (or: systemctl start lnsgate)\n" +
	"  if it runs with another admin socket, name that one with --socket PATH"

// InUseError says that a living server already answers on the socket.
type InUseError struct {
	Socket string
}

// Error says who has the socket and what to do.
func (e *InUseError) Error() string {
	return fmt.Sprintf("another lnsgate server already answers on the admin socket %s: "+
		"stop that one first, or give this one a socket of its own", e.Socket)
}
