package lac

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Sizes and times of a Client.
const (
	mailboxSize     = 1024            // datagrams and packets that wait for the loop
	defaultFarewell = 3 * time.Second // how long good-byes may take
)

// ErrNotUp says that there is no open session for a packet.
var ErrNotUp = errors.New("the session is not up")

// Wire is how a Client reaches its server. Datagrams come back through Client.Deliver.
type Wire interface {
	// Send sends one datagram to the server and keeps nothing of it. A lost one is repeated by the protocol.
	Send(datagram []byte) error
}

// WireFunc makes a Wire of a function.
type WireFunc func(datagram []byte) error

// Send calls the function.
func (f WireFunc) Send(datagram []byte) error { return f(datagram) }

// ClientConfig is what a Client needs. The functions are called by the goroutine of Run, never two at once; those not
// set are not missed.
type ClientConfig struct {
	Config
	Login Login
	Wire  Wire
	// Said hears the dialogue, message by message, when Config.Talk is set.
	Said func(Said)
	// Up is told that user traffic may flow, and Down that it may not for now. An error of Up hangs up.
	Up   func(Up) error
	Down func()
	// Packet gets each IP packet from the server; a view, valid during the call.
	Packet func(packet []byte)
	// Heard tells when user traffic last came in without passing through Deliver; zero is never. A server that sends
	// traffic is not asked whether it is there.
	Heard func() time.Time
	// Farewell is how long good-byes may take once Run is asked to end; zero means 3 s.
	Farewell time.Duration
}

// Client is one Caller with a goroutine and a timer.
type Client struct {
	cfg     ClientConfig
	caller  *Caller
	mailbox chan mail
	dropped atomic.Uint64
	up      atomic.Bool

	out      Out
	heard    time.Time // what Heard said last
	upFault  error     // what Up said against the session
	ended    *Ended
	finished bool
}

// mail is something for the loop.
type mail struct {
	octets []byte
	packet bool // an IP packet to send, rather than a datagram received
}

// NewClient makes a client that has not dialled yet.
func NewClient(cfg ClientConfig) *Client {
	if cfg.Farewell <= 0 {
		cfg.Farewell = defaultFarewell
	}
	return &Client{cfg: cfg, caller: NewCaller(cfg.Config), mailbox: make(chan mail, mailboxSize)}
}

// Deliver hands over a datagram from the server. It copies it and never blocks: what does not fit into the mailbox is
// dropped and counted. It may be called by any goroutine, before, during and after Run.
func (c *Client) Deliver(datagram []byte) { c.post(mail{octets: append([]byte(nil), datagram...)}) }

// SendPacket sends an IP packet into the session, like Deliver. The error is ErrNotUp.
func (c *Client) SendPacket(packet []byte) error {
	if !c.up.Load() {
		return ErrNotUp
	}
	c.post(mail{octets: append([]byte(nil), packet...), packet: true})
	return nil
}

// Dropped counts what did not fit into the mailbox.
func (c *Client) Dropped() uint64 { return c.dropped.Load() }

func (c *Client) post(m mail) {
	select {
	case c.mailbox <- m:
	default:
		c.dropped.Add(1)
	}
}

// Run dials, and returns when the session is over: nil after the context has ended and the good-byes are said, *Ended
// when the login failed or the session ended otherwise, or what Up said against it. It is called once.
func (c *Client) Run(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	leave := ctx.Done()
	var giveUp <-chan time.Time
	c.caller.Dial(c.cfg.Login, time.Now(), &c.out)
	for c.carryOut(); !c.finished; c.carryOut() {
		arm(timer, c.caller.Deadline())
		select {
		case m := <-c.mailbox:
			c.take(m)
		case <-timer.C:
			c.listen()
			c.caller.Advance(time.Now(), &c.out)
		case <-leave:
			leave = nil
			c.caller.Close(time.Now(), &c.out)
		case <-giveUp:
			return c.verdict()
		}
		if giveUp == nil && (leave == nil || c.ended != nil || len(c.out.Ended) > 0) {
			goodBye := time.NewTimer(c.cfg.Farewell)
			defer goodBye.Stop()
			giveUp = goodBye.C
		}
	}
	return c.verdict()
}

// arm sets the timer to a deadline; zero is as good as never.
func arm(timer *time.Timer, deadline time.Time) {
	wait := time.Hour
	if !deadline.IsZero() {
		wait = time.Until(deadline)
	}
	timer.Reset(wait)
}

// listen takes in what Heard knows.
func (c *Client) listen() {
	if c.cfg.Heard == nil {
		return
	}
	if at := c.cfg.Heard(); at.After(c.heard) {
		c.heard = at
		c.caller.Alive(at)
	}
}

func (c *Client) take(m mail) {
	now := time.Now()
	if !m.packet {
		c.caller.Receive(m.octets, now, &c.out) // an error only names a drop
		return
	}
	if d, ok := c.caller.AppendPacket(nil, c.cfg.Login.Session, m.octets); ok {
		c.out.Datagrams = append(c.out.Datagrams, d)
	}
}

// carryOut does what the caller wants. Acting may add to it, so it goes on until nothing is left.
func (c *Client) carryOut() {
	for {
		o := c.out
		c.out = Out{}
		for _, s := range o.Said {
			if c.cfg.Said != nil {
				c.cfg.Said(s)
			}
		}
		for _, d := range o.Datagrams {
			c.cfg.Wire.Send(d) // an error is a lost datagram: the protocol repeats it
		}
		for _, p := range o.Packets {
			if c.cfg.Packet != nil {
				c.cfg.Packet(p.IP)
			}
		}
		for range o.Down {
			c.setDown()
		}
		for _, u := range o.Up {
			c.setUp(u)
		}
		for i := range o.Ended {
			c.setDown()
			c.ended = &o.Ended[i]
		}
		c.finished = c.finished || o.Finished
		if len(c.out.Datagrams)+len(c.out.Said)+len(c.out.Ended) == 0 && !c.out.Finished {
			return
		}
	}
}

func (c *Client) setUp(u Up) {
	if c.cfg.Up != nil {
		if err := c.cfg.Up(u); err != nil {
			c.upFault = err
			c.caller.Close(time.Now(), &c.out)
			return
		}
	}
	c.up.Store(true)
}

func (c *Client) setDown() {
	if c.up.Swap(false) && c.cfg.Down != nil {
		c.cfg.Down()
	}
}

// verdict is what Run returns.
func (c *Client) verdict() error {
	c.setDown()
	switch {
	case c.upFault != nil:
		return c.upFault
	case c.ended == nil || c.ended.Cause == CauseClosedByUs:
		return nil
	default:
		return c.ended
	}
}
