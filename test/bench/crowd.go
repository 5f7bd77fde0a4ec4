package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/lac"

	"golang.org/x/sys/unix"
)

// lanes is how many tunnels a crowd comes in, each with one call to be set up at a time; l2tpns has room for 500.
const lanes = 64

// crowd is a LAC with many sessions on one port, which leaves user packets alone: those are made and counted by the kernel. So
// what is measured is the LNS.
type crowd struct {
	fd       int
	address  netip.AddrPort // of that
	callers  []*lac.Caller  // one per tunnel, by its id less 1
	users    int            // logins that have begun
	wanted   int
	pending  int
	lanes    int       // tunnels
	free     []int     // of those, by their places in callers, the ones without a call that is being set up
	began    time.Time // when all lanes were open
	took     time.Duration
	out      lac.Out
	sessions []lac.Up
	failure  error
	done     chan struct{}
	ready    chan struct{} // closed when all are up, or one has failed; sessions and failure do not change any more
	reading  sync.WaitGroup
}

// newCrowd logs in user1 and so on at the server of this world, and returns when all are up.
func (w *world) newCrowd(ctx context.Context, count int) (*crowd, error) {
	c := &crowd{
		fd: -1, wanted: count, lanes: min(lanes, count),
		done: make(chan struct{}), ready: make(chan struct{}),
	}
	err := w.client.Do(func() (err error) {
		if c.fd, c.address, err = receiver(netip.MustParseAddr(clientAddress)); err != nil {
			return err
		}
		return unix.Connect(c.fd, &unix.SockaddrInet4{Addr: netip.MustParseAddr(serverAddress).As4(), Port: l2tp.Port})
	})
	if err != nil {
		c.close()
		return nil, err
	}
	c.reading.Go(c.run)
	ctx, cancel := context.WithTimeout(ctx, 4*patience)
	defer cancel()
	select {
	case <-c.ready:
		err = c.failure
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("%d of %d sessions are up: %w", len(c.sessions), count, err)
	}
	return c, nil
}

// close leaves without a good-bye: the server is about to be ended.
func (c *crowd) close() {
	close(c.done)
	c.reading.Wait()
	if c.fd >= 0 {
		unix.Close(c.fd)
	}
}

// run is the life of the LAC, on a goroutine of its own.
func (c *crowd) run() {
	if err := stayBehind(); err != nil {
		c.fail(err)
		return
	}
	m := newMessages(batch, longest)
	var looked time.Time
	for {
		select {
		case <-c.done:
			return
		default:
		}
		n, err := m.receive(c.fd)
		if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.ECONNREFUSED) {
			c.fail(fmt.Errorf("receive: %w", err))
			return
		}
		now := time.Now()
		c.take(m, n, now)
		c.dialMore(now)
		if now.Sub(looked) > overdue {
			looked = now
			c.advance(now)
		}
	}
}

// take hears all but user packets.
func (c *crowd) take(m *messages, n int, now time.Time) {
	for i := range n {
		b := m.datagram(i)
		if isUserPacket(b) {
			continue
		}
		if t := tunnelOf(b); t > 0 && t <= len(c.callers) {
			c.callers[t-1].Receive(b, now, &c.out) // an error only names a drop
			c.settle()
		}
	}
}

// advance does what is due by time.
func (c *crowd) advance(now time.Time) {
	for _, caller := range c.callers {
		if d := caller.Deadline(); !d.IsZero() && !now.Before(d) {
			caller.Advance(now, &c.out)
			c.settle()
		}
	}
}

// dialMore begins logins, as many as there are lanes for.
func (c *crowd) dialMore(now time.Time) {
	for c.users < c.wanted && c.failure == nil {
		tunnel := c.lane()
		if tunnel < 0 {
			return
		}
		user := fmt.Sprintf("user%d", c.users+1)
		login := lac.Login{
			Session: l2tp.SessionID(c.users + 1), User: user, MRU: longest,
			Credentials: secret.NewAnswerer(user, aaa.NewSecret(password), [16]byte{}), Methods: []aaa.Method{aaa.CHAP},
		}
		c.users++
		c.pending++
		if tunnel < len(c.callers) {
			c.callers[tunnel].Place(login, now, &c.out)
		} else {
			caller := lac.NewCaller(lac.Config{HostName: "crowd", Tunnel: l2tp.TunnelID(len(c.callers) + 1), Rand: rand.Reader})
			c.callers = append(c.callers, caller)
			caller.Dial(login, now, &c.out)
		}
		c.settle()
	}
}

// lane is the place of the tunnel for the next call, behind all others if it is to be opened, and -1 when it has to wait.
//
// Lanes are opened one after the other, because l2tpns takes an SCCRQ for the repetition of another one while a tunnel from
// the same port is being opened, and have one call at a time: it does not acknowledge what it receives while something of
// its own has not been acknowledged, so that calls beside each other in a tunnel wait for a second again and again.
func (c *crowd) lane() int {
	switch {
	case len(c.callers) < c.lanes && c.pending == 0:
		return len(c.callers)
	case len(c.callers) < c.lanes || len(c.free) == 0:
		return -1
	}
	last := len(c.free) - 1
	tunnel := c.free[last]
	c.free = c.free[:last]
	return tunnel
}

// settle carries out what a caller wants.
func (c *crowd) settle() {
	for _, d := range c.out.Datagrams {
		unix.Write(c.fd, d) // what gets lost is repeated
	}
	for _, up := range c.out.Up {
		c.pending--
		c.setUp(up)
	}
	for _, e := range c.out.Ended {
		c.fail(&e)
	}
	c.out.Reset()
}

func (c *crowd) setUp(up lac.Up) {
	if len(c.sessions) == c.wanted || c.failure != nil {
		return // it came up again
	}
	c.sessions = append(c.sessions, up)
	c.free = append(c.free, int(up.Tunnel)-1)
	if len(c.sessions) == c.lanes {
		c.began = time.Now()
	}
	if len(c.sessions) == c.wanted {
		c.took = time.Since(c.began)
		close(c.ready)
	}
}

// perSecond is the rate of logins from when all lanes were open.
func (c *crowd) perSecond() float64 { return float64(c.wanted-c.lanes) / c.took.Seconds() }

// fail tells the one who waits for the crowd to be up. Later nobody asks: packets that are lost are counted.
func (c *crowd) fail(err error) {
	if c.failure == nil && len(c.sessions) < c.wanted {
		c.failure = err
		close(c.ready)
	}
}

// isUserPacket says that a datagram carries IPv4, as an LNS writes it that was not asked to compress anything.
func isUserPacket(b []byte) bool {
	at := 6
	if len(b) > 0 && b[0]&0x40 != 0 {
		at = 8
	}
	return len(b) > at+4 && b[0]&0x80 == 0 && binary.BigEndian.Uint32(b[at:]) == 0xff030021
}

// tunnelOf reads the tunnel id of a datagram, 0 when there is none.
func tunnelOf(b []byte) int {
	at := 2
	if len(b) > 0 && b[0]&0x40 != 0 {
		at = 4
	}
	if len(b) < at+2 {
		return 0
	}
	return int(binary.BigEndian.Uint16(b[at:]))
}
