package lns

import (
	"context"
	"fmt"
	"slices"

	"lnsgate/pool"
)

// debts are the leases that a session no longer uses and the pools may still take for its own. A pool gives a session that comes
// back what it had before, so nothing may be released while the session asks: it could be released behind its being given again,
// and somebody else get what the session uses.
type debts struct {
	underway []<-chan struct{} // releases, each closed when it is done
	late     []pool.Lease      // answers to a question from before a renegotiation, which came while the next one is being asked
}

// giveBack releases leases, away from the tunnel's goroutine.
func (c *call) giveBack(leases ...pool.Lease) {
	c.debts.underway = slices.DeleteFunc(c.debts.underway, isClosed)
	for _, l := range leases {
		c.debts.underway = append(c.debts.underway, c.tunnel.server.release(l))
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// decline gives back a lease for which the session has no use: the answer to a question that it does not ask any more.
func (c *call) decline(l pool.Lease) {
	c.debts.late = append(c.debts.late, l)
	c.settle()
}

// settle gives back the late leases, once it is known that the session was not given the same again.
func (c *call) settle() {
	if len(c.debts.late) == 0 || c.core.AwaitsLease() {
		return
	}
	for _, l := range c.debts.late {
		if !c.holds(l) {
			c.giveBack(l)
		}
	}
	c.debts.late = nil
}

func (c *call) holds(l pool.Lease) bool {
	held := c.core.Prefixes().All()
	return l.Address == c.core.Lease().Address || slices.ContainsFunc(held, func(h pool.Lease) bool { return h.Address == l.Address })
}

// paid waits until leases are back.
func paid(ctx context.Context, underway []<-chan struct{}) error {
	for _, done := range underway {
		select {
		case <-done:
		case <-ctx.Done():
			return fmt.Errorf("the pools have not taken back yet what the session had before: %w", ctx.Err())
		}
	}
	return nil
}
