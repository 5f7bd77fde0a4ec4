package capture

import (
	"context"
	"io"
	"time"
)

// maxWaiting bounds what waits for the reader of a capture, in octets.
const maxWaiting = 8 << 20

// Capture is one capture under way: what it wants, and what it has written that is not read yet. Close ends it.
type Capture struct {
	hub     *Hub
	id      uint64
	by      string
	filter  Filter
	options Shown
	limit   int // datagrams; 0: none
	since   time.Time

	ready chan struct{} // holds one token when there may be something to read

	// The hub's lock guards what follows.
	over    bool
	lines   map[*line]struct{}
	waiting []byte
	spare   []byte // the memory of what was read before
	taken   int
	written uint64
	dropped uint64
}

// took counts a datagram, and ends the capture when it was the last one.
func (c *Capture) took() {
	if c.taken++; c.limit > 0 && c.taken >= c.limit {
		c.hub.end(c)
	}
}

// loose writes a datagram of no tunnel.
func (c *Capture) loose(p *passed) {
	l := line{capture: c}
	l.add(p)
	l.flush()
}

// write puts a datagram into what waits for the reader. When too much waits it is dropped, and counted.
func (c *Capture) write(r record) {
	if len(c.waiting) > maxWaiting {
		c.dropped++
		return
	}
	c.waiting = appendRecord(c.waiting, r)
	c.written++
	c.wake()
}

func (c *Capture) wake() {
	select {
	case c.ready <- struct{}{}:
	default: // it knows already
	}
}

// ID names the capture, among those that are under way.
func (c *Capture) ID() uint64 { return c.id }

// Next waits for more of the file and returns it; it is valid until Next is called again. The error is io.EOF when the capture has
// ended and all of it was read, or the context's.
func (c *Capture) Next(ctx context.Context) ([]byte, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-c.ready:
		}
		if b, over := c.take(); len(b) > 0 {
			return b, nil
		} else if over {
			c.wake()
			return nil, io.EOF
		}
	}
}

// take returns what waits.
func (c *Capture) take() ([]byte, bool) {
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	b := c.waiting
	c.waiting, c.spare = c.spare[:0], b
	if c.over {
		c.wake()
	}
	return b, c.over
}

// Close ends the capture. What waits may still be read.
func (c *Capture) Close() {
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	c.hub.end(c)
}

// Status is what there is to know of a capture.
type Status struct {
	ID      uint64    `json:"id"`
	By      string    `json:"by"` // who asked for it
	User    string    `json:"user,omitempty"`
	Domain  string    `json:"domain,omitempty"`
	Peer    string    `json:"peer,omitempty"`
	Failed  bool      `json:"failed,omitempty"`
	Secrets bool      `json:"secrets"`
	Data    string    `json:"data"`
	Since   time.Time `json:"since"`
	Packets uint64    `json:"packets"` // that were written
	Dropped uint64    `json:"dropped"` // that the reader was too slow for
}

func (c *Capture) status() Status {
	s := Status{ID: c.id, By: c.by, User: c.filter.User, Domain: c.filter.Domain, Failed: c.filter.Failed, Secrets: c.options.Secrets,
		Data: c.options.Data.String(), Since: c.since, Packets: c.written, Dropped: c.dropped}
	if c.filter.Peer.IsValid() {
		s.Peer = c.filter.Peer.String()
	}
	return s
}
