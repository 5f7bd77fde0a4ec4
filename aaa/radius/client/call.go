package client

import (
	"time"

	"layeh.com/radius"
	"lnsgate/aaa/radius/wire"
)

// stage is how far a call is.
type stage int

const (
	idle    stage = iota
	queued        // waits for an identifier, or for its turn
	granted       // has an identifier, was not sent
	sent          // waits for its answer
	over          // has its result
)

// call is one try of a request at one server, or a Status-Server. The goroutine that made it owns octets and packet until
// it is sent; the mutex of the group guards the rest.
type call struct {
	server *server
	stage  stage
	probe  bool
	trial  bool // the one request that finds out whether a dead server is back

	link          *link
	id            byte
	code          radius.Code
	authenticator [wire.AuthenticatorLength]byte
	octets        []byte
	packet        radius.Packet

	began, first, last time.Time     // when it was made, and sent first and last
	transmissions      int           //
	gap                time.Duration // from the last one to the next
	forged, unsigned   int           // what came in answer to it and was thrown away
	until              time.Time     // when it is given up; zero = never
	timer              timer

	next, previous *call // in the queue, or among the young ones
	young          bool
	grantedAt      time.Time
	done           chan struct{}
	reply          Reply
	err            error
}

func newCall() *call {
	c := &call{done: make(chan struct{}, 1)}
	c.timer.fire = c.expire
	return c
}

// newCall gives a call for that server.
func (s *server) newCall(code radius.Code, now time.Time) *call {
	c := s.group.calls.Get().(*call)
	c.server, c.code, c.began, c.stage = s, code, now, idle
	return c
}

// recycle gives the call back. Nothing else may hold it.
func (g *Group) recycle(c *call) {
	select {
	case <-c.done:
	default:
	}
	attributes := c.packet.Attributes[:0]
	clear(attributes[:cap(attributes)])
	*c = call{octets: c.octets[:0], timer: c.timer, done: c.done}
	c.packet.Attributes = attributes
	g.calls.Put(c)
}

// signal tells the goroutine that waits that the stage has changed. It may wake up for nothing, and has to look.
func (c *call) signal() { nudge(c.done) }

// launch marks the call as sent now and sets its timer. The mutex is held; the caller writes the octets afterwards.
func (c *call) launch(now time.Time) {
	c.stage, c.first, c.last, c.transmissions = sent, now, now, 1
	c.gap = c.server.group.config.Retry.First(random())
	c.link.slots[c.id].asked(c)
	c.setTimer()
}

// setTimer makes the timer due at the next transmission or at the end, whichever comes first.
func (c *call) setTimer() {
	at := c.last.Add(c.gap)
	if c.link.stream || c.probe {
		at = c.until // RFC 6613 section 2.6.1 and RFC 5997 section 4.2: never again
	}
	if !c.until.IsZero() && c.until.Before(at) {
		at = c.until
	}
	c.server.group.timers.set(&c.timer, at)
}

// expire sends the same octets again (RFC 5080 section 2.2.1), or gives up.
func (c *call) expire(now time.Time) {
	s := c.server
	switch {
	case c.stage == queued:
		s.finish(c, now, ErrBusy)
	case c.probe:
		s.finish(c, now, ErrSilent)
	case !c.until.IsZero() && !now.Before(c.until), s.group.config.Retry.Exhausted(c.transmissions):
		s.stats.TimedOut++
		s.silent(c, now)
		s.finish(c, now, ErrSilent)
	default:
		if now.Sub(c.first) >= s.config.Timeout {
			s.silent(c, now)
		}
		c.last, c.transmissions = now, c.transmissions+1
		c.gap = s.group.config.Retry.Following(c.gap, random())
		s.stats.Resent++
		s.group.send(c.link, c.octets)
		c.setTimer()
	}
}
