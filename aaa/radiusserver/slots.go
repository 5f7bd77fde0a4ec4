package radiusserver

import (
	"context"
	"time"
)

// slots has room for requests that are being answered, by role.
type slots [2]chan struct{}

func newSlots(most int) slots { return slots{make(chan struct{}, most), make(chan struct{}, most)} }

func (s slots) taken() int { return len(s[forAccess]) + len(s[forRecords]) }

// shareOf is how many of the server's slots one client may have: a quarter is left for the others, when its users are checked by
// a back end that does not answer, or somebody asks in its name.
func shareOf(most int) int { return most - most/4 }

// enter takes a slot of the server for a request of a client, if there is one for it.
func (s *Server) enter(c *client, r role) bool {
	select {
	case c.slots[r] <- struct{}{}:
	default:
		return false
	}
	select {
	case s.slots[r] <- struct{}{}:
		return true
	default:
		<-c.slots[r]
		return false
	}
}

// leave gives it back.
func (s *Server) leave(c *client, r role) {
	<-s.slots[r]
	<-c.slots[r]
}

// await takes one as soon as there is one. False: there was none in time, or the context has ended.
func (s *Server) await(ctx context.Context, c *client, r role, patience time.Duration) bool {
	if s.enter(c, r) {
		return true
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case c.slots[r] <- struct{}{}:
	case <-timer.C:
		return false
	case <-ctx.Done():
		return false
	}
	select {
	case s.slots[r] <- struct{}{}:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	<-c.slots[r]
	return false
}
