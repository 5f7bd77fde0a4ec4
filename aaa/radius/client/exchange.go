package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"layeh.com/radius"
	"lnsgate/aaa/radius/wire"
)

// Request is one question to a group.
type Request struct {
	Code radius.Code
	// Build adds the attributes. The packet has code, secret, identifier and authenticator of the server that is to be
	// asked, so that passwords can be hidden with them; of these it must change nothing. It is called once for each server
	// that is tried, from the goroutine that called Exchange. The packet is not valid after it returns. A
	// Message-Authenticator is not for Build to add. An error ends the exchange, and is what Exchange returns.
	Build func(p *radius.Packet) error
	// Server is the name of the only server to ask, as a conversation with State needs it; "" = the best.
	Server string
}

// Reply is an answer that was checked.
type Reply struct {
	// Packet has the secret of the server, and in Authenticator that of the request, so that hidden attributes can be read.
	Packet *radius.Packet
	Server string        // who answered
	At     string        // its address, host:port
	RTT    time.Duration // from the transmission before the answer
	Signed bool          // it carried a Message-Authenticator

	Took     time.Duration // from the first transmission to this server
	Sendings int           // to this server
}

// Who names the server that answered, with its address, for the administrator.
func (r *Reply) Who() string { return nameAndAddress(r.Server, r.At) }

func nameAndAddress(name, address string) string {
	if address == "" || address == name {
		return name
	}
	return name + " (" + address + ")"
}

// exchange is a request on its way from server to server.
type exchange struct {
	request  Request
	limit    time.Time // of all tries; zero = none
	deadline bool      // the limit is that of the context
	tried    []*server
	tries    []Try
	cut      int // how often its connection was cut while it was under way
	spare    int // connections that its server had besides, when that came first
}

// Exchange asks a server and returns its answer. It goes from server to server until one answers, the time of
// RetryConfig.Duration is over, or the context ends. Without a Duration it begins again after the last server, as long as
// there is one to ask.
//
// Errors: *TimeoutError when servers were tried; ErrNoServer when there was nobody to try; ErrClosed; that of Build; the
// context's. The last three and context.DeadlineExceeded are found by errors.Is.
func (g *Group) Exchange(ctx context.Context, r Request) (Reply, error) {
	e := exchange{request: r}
	if d := g.config.Retry.Duration; d > 0 {
		e.limit = time.Now().Add(d)
	}
	if at, ok := ctx.Deadline(); ok && (e.limit.IsZero() || at.Before(e.limit)) {
		e.limit, e.deadline = at, true
	}
	for {
		c, err := g.begin(&e)
		if err != nil {
			return Reply{}, err
		}
		err, final := c.run(ctx, r.Build)
		var reply Reply
		if err == nil { // else an answer may be coming in this moment
			reply = c.reply
		}
		g.settle(c, &e, err)
		switch {
		case err == nil:
			return reply, nil
		case final:
			return Reply{}, g.explain(&e, err)
		}
	}
}

// begin picks a server and takes a place with it.
func (g *Group) begin(e *exchange) (*call, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for {
		now := time.Now()
		if g.closed {
			return nil, ErrClosed
		}
		s, others := g.choose(e)
		if s == nil && e.endless(g) {
			e.tried = e.tried[:0]
			s, others = g.choose(e)
		}
		if s == nil || len(e.tries) > 0 && e.late(now) {
			return nil, g.nobody(e, now)
		}
		c := s.newCall(e.request.Code, now)
		c.until = e.limitOf(s, others, now)
		c.trial = s.health.state == Dead || s.health.byTime
		err := s.admit(c, now)
		if err == nil {
			s.health.trial = s.health.trial || c.trial
			return c, nil
		}
		g.recycle(c)
		e.note(s, Try{Err: err})
	}
}

// run sends the call when it is its turn, and waits for the answer. Final is an error that no other server could help.
func (c *call) run(ctx context.Context, build func(*radius.Packet) error) (err error, final bool) {
	for {
		switch c.stageNow() {
		case over:
			return c.err, errors.Is(c.err, ErrClosed)
		case granted:
			if err := c.prepare(build); err != nil {
				return err, true
			}
			c.transmit()
		}
		select {
		case <-c.done:
		case <-ctx.Done():
			return ctx.Err(), true
		}
	}
}

func (c *call) stageNow() stage {
	g := c.server.group
	g.mu.Lock()
	defer g.mu.Unlock()
	return c.stage
}

// prepare makes the octets, with an authenticator that nobody can guess.
func (c *call) prepare(build func(*radius.Packet) error) error {
	p := &c.packet
	p.Code, p.Identifier, p.Secret = c.code, c.id, c.server.key.Secret()
	rand.Read(p.Authenticator[:]) // never fails
	if build != nil {
		if err := build(p); err != nil {
			return err
		}
	}
	p.Code, p.Identifier = c.code, c.id
	octets, err := c.server.key.AppendRequest(c.octets[:0], p)
	if err != nil {
		return err
	}
	c.octets = octets
	copy(c.authenticator[:], octets[4:wire.HeaderLength]) // that of accounting is made of the rest
	return nil
}

// transmit sends the call for the first time, unless it has lost its connection meanwhile.
func (c *call) transmit() {
	s := c.server
	g := s.group
	g.mu.Lock()
	if c.stage != granted {
		g.mu.Unlock()
		return
	}
	c.launch(time.Now())
	s.stats.Requests++
	l := c.link
	g.mu.Unlock()
	l.write(c.octets)
}

// settle ends a call that the exchange has no more use for.
func (g *Group) settle(c *call, e *exchange, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s, now := c.server, time.Now()
	if c.stage == sent {
		s.silent(c, now)
	}
	if err != nil {
		s.finish(c, now, err)
		e.note(s, Try{Took: now.Sub(c.began), Err: err, Forged: c.forged, Unsigned: c.unsigned})
	}
	g.recycle(c)
}

// note takes down a try that failed, and sets the server aside. The group is locked.
func (e *exchange) note(s *server, t Try) {
	if errors.Is(t.Err, errCut) {
		if e.cut++; e.cut == 1 {
			e.spare = len(s.links)
		}
	}
	t.Server, t.Address = s.config.Name, s.config.Address
	e.tries = append(e.tries, t)
	e.tried = append(e.tried, s)
}

// endless says whether to begin again with the first server: once on a new connection when one was cut while the request was under
// way, besides all those that may have been cut with it, and always when only the context is to end it.
func (e *exchange) endless(g *Group) bool {
	if len(e.tries) == 0 {
		return false
	}
	last := e.tries[len(e.tries)-1].Err
	if errors.Is(last, errCut) && e.cut <= e.spare+1 {
		return true
	}
	return g.config.Retry.Duration == 0 && errors.Is(last, ErrSilent)
}

// late says whether the time for all tries is over.
func (e *exchange) late(now time.Time) bool { return !e.limit.IsZero() && !now.Before(e.limit) }

// nobody is the error when there is no server left to try.
func (g *Group) nobody(e *exchange, now time.Time) error {
	if len(e.tries) == 0 {
		return fmt.Errorf("RADIUS group %s: %w", g.config.Name, ErrNoServer)
	}
	t := &TimeoutError{Group: g.config.Name, Tries: e.tries}
	if e.deadline && e.late(now) {
		t.Cause = context.DeadlineExceeded
	}
	return t
}

// explain is the error of an exchange that ended before its servers did.
func (g *Group) explain(e *exchange, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		last := &e.tries[len(e.tries)-1]
		last.Err = ErrSilent
		return &TimeoutError{Group: g.config.Name, Tries: e.tries, Cause: err}
	}
	return fmt.Errorf("RADIUS group %s: %w", g.config.Name, err)
}
