package dynauth

import (
	"context"
	"errors"
	"fmt"

	"lnsgate/aaa"
)

// carryOut does to all sessions that match what the order says, and reports how many there were. It returns when it is
// done.
func (s *Server) carryOut(ctx context.Context, o *order, from string) (int, *refusal) {
	if o.impossible {
		return 0, refuse(SessionNotFound, "no session has what it names")
	}
	found := s.config.Sessions.Find(ctx, o.match)
	if err := ctx.Err(); err != nil {
		return 0, refuse(ResourcesUnavailable, "looking for the session: %v", err)
	}
	if len(found) == 0 {
		return 0, refuse(SessionNotFound, "no session fits all that it names")
	}
	names := make([]string, len(found))
	for i := range found {
		names[i] = found[i].Session
	}
	if o.disconnect {
		return len(found), s.disconnect(ctx, o, names, from)
	}
	return len(found), s.change(ctx, names, o.change)
}

// change changes all sessions or none.
func (s *Server) change(ctx context.Context, names []string, c aaa.Change) *refusal {
	err := s.config.Sessions.Change(ctx, names, c)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return refuse(ResourcesUnavailable, "%v", err)
	}
	return refuse(InvalidValue, "%v", err)
}

// disconnect ends all sessions. One that ended by itself meanwhile is as good. A Class is for their last records.
func (s *Server) disconnect(ctx context.Context, o *order, names []string, from string) *refusal {
	if len(o.change.Class) > 0 {
		if refusal := s.change(ctx, names, aaa.Change{Class: o.change.Class}); refusal != nil {
			return refusal
		}
	}
	reason := "RADIUS server " + from + " ended the session"
	if o.text != "" {
		reason += fmt.Sprintf(": %q", o.text)
	}
	for _, name := range names {
		s.config.Sessions.Disconnect(ctx, name, reason)
		if err := ctx.Err(); err != nil {
			return refuse(ResourcesUnavailable, "ending session %s: %v", name, err)
		}
	}
	return nil
}
