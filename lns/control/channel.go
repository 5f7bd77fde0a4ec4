package control

import (
	"errors"
	"time"

	"lnsgate/lns/l2tp"
)

// Faults of reliable delivery: the datagram was dropped.
var (
	// ErrOutsideWindow: the message is further ahead than our receive window.
	ErrOutsideWindow = errors.New("control: Ns is outside the receive window")
	// ErrAcknowledgement: the datagram acknowledges messages that were never sent.
	ErrAcknowledgement = errors.New("control: Nr acknowledges what was never sent")
	// ErrQueueFull: so many messages wait for the peer's acknowledgement that no work is taken on.
	ErrQueueFull = errors.New("control: too many messages wait for the peer's acknowledgement")
)

const (
	queueLimit   = 1024     // messages waiting, before new work is turned away
	earlyOctets  = 16 << 10 // room for messages that came out of order
	mostWindow   = 1024     // of the peer; far below half the sequence space
	initialCwnd  = 1
	leastSsThres = 1
)

// ChannelConfig is what reliable delivery needs to know. All fields must be set.
type ChannelConfig struct {
	ReceiveWindow    uint16        // how far ahead a message may be and still be kept
	RetransmitFirst  time.Duration // first resend interval; doubles each time
	RetransmitCap    time.Duration // longest resend interval
	MaxTransmissions int           // sendings of one message before the peer is lost
}

// Channel is the reliable delivery of RFC 2661 section 5.8 with the slow start and congestion avoidance of appendix A.
// It numbers, sends and resends our control messages within the peer's window, and brings the peer's into order.
// Memory: only what waits is held, and nothing is set aside in advance.
type Channel struct {
	cfg  ChannelConfig
	peer l2tp.TunnelID // for the header of everything sent

	queue    []Outgoing // not yet acknowledged, oldest first; queue[0] has the number una
	una      uint16     // Ns of the oldest unacknowledged message
	flight   int        // messages of the queue that count against the window
	reached  int        // messages of the queue that were ever sent
	window   uint16     // the peer's receive window
	cwnd     uint16     // congestion window, never above window
	ssthresh uint16     // below it slow start, from there congestion avoidance
	grown    uint16     // acknowledgements towards the next step of congestion avoidance
	attempts int        // resends of queue[0]
	resendAt time.Time

	expected uint16  // Ns of the next message in order: our Nr
	early    []early // messages ahead of expected
	earlyLen int     // octets in early
	owesAck  bool
	ackBy    time.Time // latest moment for the acknowledgement we owe; zero: at once
}

// Outgoing is one control message on its way.
type Outgoing struct {
	Type    l2tp.MessageType
	Session l2tp.SessionID // the peer's id of the call, or 0
	Own     l2tp.SessionID // ours, for Said
	Body    []byte         // its AVPs
	Detail  string         // for Said
}

// early is a message that came before its turn.
type early struct {
	ns     uint16
	header l2tp.Header
	body   []byte
}

// Verdict is what became of a received datagram.
type Verdict uint8

const (
	Deliver   Verdict = iota // it is the next message: act on it, then ask Next for more
	Nothing                  // a bare acknowledgement
	Duplicate                // had it already; it will be acknowledged again
	Kept                     // it came early
	Dropped                  // see the error
)

// String is the verdict in one word.
func (v Verdict) String() string {
	switch v {
	case Deliver:
		return "deliver"
	case Nothing:
		return "nothing"
	case Duplicate:
		return "duplicate"
	case Kept:
		return "kept"
	}
	return "dropped"
}

// NewChannel makes a channel that has sent and received nothing.
func NewChannel(cfg ChannelConfig) Channel {
	return Channel{cfg: cfg, window: l2tp.DefaultReceiveWindow, cwnd: initialCwnd, ssthresh: l2tp.DefaultReceiveWindow}
}

// SetPeer tells the peer's tunnel id and receive window as its SCCRQ or SCCRP gave them. A window of 0 is what the RFC
// assumes of a peer that says nothing.
func (c *Channel) SetPeer(id l2tp.TunnelID, window uint16) {
	if window == 0 {
		window = l2tp.DefaultReceiveWindow
	}
	window = min(window, mostWindow)
	c.peer, c.window, c.ssthresh = id, window, window
	c.cwnd = min(c.cwnd, window)
}

// Send queues a message and sends it as soon as the window allows.
func (c *Channel) Send(m Outgoing, now time.Time, out *Out) {
	c.queue = append(c.queue, m)
	c.pump(now, out)
}

// Receive takes a datagram of the peer: what it acknowledges, and its message if it has one. Only with Deliver may the
// caller act on the payload.
func (c *Channel) Receive(h l2tp.Header, payload []byte, now time.Time, out *Out) (Verdict, error) {
	if err := c.acknowledged(h.Nr, now, out); err != nil {
		return Dropped, err
	}
	if len(payload) == 0 {
		return Nothing, nil
	}
	switch ahead := int16(h.Ns - c.expected); {
	case ahead < 0:
		c.owesAck = true
		return Duplicate, nil
	case c.Full():
		return Dropped, ErrQueueFull
	case ahead > 0:
		return c.keep(h, payload, uint16(ahead))
	}
	c.expected++
	c.owesAck = true
	return Deliver, nil
}

// keep stores a message that is ahead of its turn.
func (c *Channel) keep(h l2tp.Header, payload []byte, ahead uint16) (Verdict, error) {
	for _, e := range c.early {
		if e.ns == h.Ns {
			return Duplicate, nil
		}
	}
	if ahead >= c.cfg.ReceiveWindow || c.earlyLen+len(payload) > earlyOctets {
		return Dropped, ErrOutsideWindow
	}
	c.early = append(c.early, early{h.Ns, h, append([]byte(nil), payload...)})
	c.earlyLen += len(payload)
	return Kept, nil
}

// Next gives the next message in order that had come early. Ask until ok is false.
func (c *Channel) Next() (h l2tp.Header, payload []byte, ok bool) {
	for i, e := range c.early {
		if e.ns != c.expected {
			continue
		}
		last := len(c.early) - 1
		c.early[i] = c.early[last]
		c.early[last] = early{}
		if c.early = c.early[:last]; last == 0 {
			c.early = nil
		}
		c.earlyLen -= len(e.body)
		c.expected++
		c.owesAck = true
		return e.header, e.body, true
	}
	return l2tp.Header{}, nil, false
}

// acknowledged takes messages off the queue that the peer has.
func (c *Channel) acknowledged(nr uint16, now time.Time, out *Out) error {
	n := int(int16(nr - c.una))
	if n <= 0 {
		return nil // repeats an acknowledgement
	}
	if n > c.reached {
		return ErrAcknowledgement
	}
	c.drop(n)
	c.attempts = 0
	c.resendAt = time.Time{}
	c.grow()
	c.pump(now, out)
	return nil
}

// drop removes the n oldest messages and their memory.
func (c *Channel) drop(n int) {
	rest := copy(c.queue, c.queue[n:])
	clear(c.queue[rest:])
	if c.queue = c.queue[:rest]; rest == 0 {
		c.queue = nil
	}
	c.una += uint16(n)
	c.flight = max(c.flight-n, 0)
	c.reached -= n
}

// grow widens the congestion window after an acknowledgement (appendix A): by one in slow start, by one for every cwnd
// acknowledgements in congestion avoidance.
func (c *Channel) grow() {
	if c.cwnd < c.ssthresh {
		c.cwnd++
	} else if c.grown++; c.grown >= c.cwnd {
		c.cwnd++
		c.grown = 0
	}
	c.cwnd = min(c.cwnd, c.window)
}

// pump sends what the window allows and sees to it that the timer runs while anything is in flight.
func (c *Channel) pump(now time.Time, out *Out) {
	for c.flight < len(c.queue) && c.flight < int(min(c.cwnd, c.window)) {
		c.transmit(c.flight, out)
		c.flight++
		c.reached = max(c.reached, c.flight)
	}
	if c.flight > 0 && c.resendAt.IsZero() {
		c.resendAt = now.Add(c.interval())
	}
}

// transmit sends queue[i] with the acknowledgement as it stands now: a resent message carries a fresh Nr.
func (c *Channel) transmit(i int, out *Out) {
	m := &c.queue[i]
	out.add(Said{Sent: true, Message: m.Type, Session: m.Session, Own: m.Own, Detail: m.Detail, Again: i < c.reached})
	c.emit(m.Session, c.una+uint16(i), m.Body, out)
}

func (c *Channel) emit(session l2tp.SessionID, ns uint16, body []byte, out *Out) {
	b := make([]byte, 0, l2tp.ControlHeaderLen+len(body))
	out.add(Send{l2tp.AppendControl(b, c.peer, session, ns, c.expected, body)})
	c.owesAck, c.ackBy = false, time.Time{}
}

// interval is the time to wait after the latest sending of queue[0].
func (c *Channel) interval() time.Duration {
	d := c.cfg.RetransmitFirst
	for range c.attempts {
		if d *= 2; d >= c.cfg.RetransmitCap {
			return c.cfg.RetransmitCap
		}
	}
	return d
}

// Acknowledge sends a ZLB if the peer has to be told something and no message did. A ZLB never answers a ZLB.
func (c *Channel) Acknowledge(out *Out) {
	if !c.owesAck {
		return
	}
	out.add(Said{Sent: true, Message: l2tp.TypeZLB})
	c.emit(0, c.una+uint16(c.reached), nil, out)
}

// AcknowledgeBy lets the acknowledgement wait for a message that is about to be sent, but not longer than until then.
func (c *Channel) AcknowledgeBy(then time.Time) {
	if c.owesAck {
		c.ackBy = then
	}
}

// Repeat sends the oldest unacknowledged message again, now, because the peer shows that it missed it. It does not
// count as a resend.
func (c *Channel) Repeat(out *Out) {
	if c.flight > 0 {
		c.transmit(0, out)
	}
}

// Advance sends what is due: a delayed acknowledgement, or the oldest message again (and a congestion window of one). It
// reports true when the peer has not answered any sending of a message.
func (c *Channel) Advance(now time.Time, out *Out) (lost bool) {
	if !c.ackBy.IsZero() && !now.Before(c.ackBy) {
		c.Acknowledge(out)
	}
	if c.resendAt.IsZero() || now.Before(c.resendAt) {
		return false
	}
	if c.attempts+1 >= c.cfg.MaxTransmissions {
		return true
	}
	c.attempts++
	c.ssthresh = max(c.cwnd/2, leastSsThres)
	c.cwnd, c.grown = initialCwnd, 0
	c.flight = 1
	c.transmit(0, out)
	c.resendAt = now.Add(c.interval())
	return false
}

// Deadline is when Advance has something to do; zero means never.
func (c *Channel) Deadline() time.Time { return earliest(c.resendAt, c.ackBy) }

// Idle reports whether everything sent was acknowledged and nothing waits.
func (c *Channel) Idle() bool { return len(c.queue) == 0 }

// Full reports whether so much waits that no new work should be begun.
func (c *Channel) Full() bool { return c.Waiting() >= queueLimit }

// Waiting is the number of messages that are not yet acknowledged, sent or not.
func (c *Channel) Waiting() int { return len(c.queue) }

// DropUnsent forgets the messages that were never sent: the tunnel is closing.
func (c *Channel) DropUnsent() {
	clear(c.queue[c.reached:])
	c.queue = c.queue[:c.reached]
}

// DropAll forgets every message, sent or not: the peer has closed the tunnel.
func (c *Channel) DropAll() {
	c.una += uint16(c.reached)
	c.queue, c.flight, c.reached = nil, 0, 0
	c.resendAt = time.Time{}
}

// earliest is the earliest of the times that are not zero.
func earliest(times ...time.Time) time.Time {
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}
