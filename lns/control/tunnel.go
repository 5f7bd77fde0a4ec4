package control

import (
	"cmp"
	"crypto/rand"
	"errors"
	"io"
	"time"

	"lnsgate/lns/l2tp"
)

// Faults that Receive names, besides those of l2tp and of Channel. The datagram was dropped or the message ignored.
var (
	ErrNotControl     = errors.New("control: not a control message")
	ErrWrongTunnel    = errors.New("control: the tunnel id in the header is not ours")
	ErrFinished       = errors.New("control: the tunnel is finished")
	ErrClosing        = errors.New("control: the tunnel is closing")
	ErrUnexpected     = errors.New("control: the message does not belong in this state")
	ErrUnknownSession = errors.New("control: no such call in this tunnel")
	ErrTieWon         = errors.New("control: the peer's SCCRQ lost the tie against ours")
)

// Faults of the calls that the owner asks for.
var (
	ErrSessionID       = errors.New("control: session id is 0, 65535 or in use")
	ErrTooManySessions = errors.New("control: the tunnel has as many calls as it may have")
)

// ackDelay is how long the acknowledgement of an ICRQ waits for the ICRP or CDN that the owner is to send at once.
const ackDelay = 20 * time.Millisecond

// Tunnel is one control connection and its calls. One goroutine owns it.
type Tunnel struct {
	cfg       *Config // a pointer, so that no dump of a tunnel prints the secret
	state     State
	peer      PeerInfo
	channel   Channel
	calls     calls
	challenge []byte    // ours, until the peer has answered it
	tie       []byte    // our tie breaker, while SCCRQ is unanswered
	opening   uint64    // digest of the SCCRQ that opened this tunnel
	offered   bool      // in this step an ICRQ was handed to the owner, whose answer carries the acknowledgement
	heard     time.Time // when the peer last showed life
	since     time.Time // when the tunnel was established
	deadline  time.Time // end of set-up, or of the linger
	answered  bool      // our SCCRP answers a challenge of the peer
	secretAt  int       // which of the secrets is the peer's: 0 is Config.Secret, 1 the first of the previous ones
	proved    bool      // the peer has proved that
}

// New makes a tunnel in state idle. Dial or the first Receive sets it going.
func New(cfg Config) *Tunnel {
	cfg = cfg.withDefaults()
	return &Tunnel{cfg: &cfg, channel: NewChannel(ChannelConfig{
		ReceiveWindow:    cfg.ReceiveWindow,
		RetransmitFirst:  cfg.RetransmitFirst,
		RetransmitCap:    cfg.RetransmitCap,
		MaxTransmissions: cfg.MaxTransmissions,
	})}
}

// State is the state of the control connection.
func (t *Tunnel) State() State { return t.state }

// Peer is what the peer said about itself; zero before its SCCRQ or SCCRP.
func (t *Tunnel) Peer() PeerInfo { return t.peer }

// Sessions is the number of calls, those being set up included.
func (t *Tunnel) Sessions() int { return t.calls.count }

// Alive notes that data of some session arrived: the peer lives, so no HELLO is needed for now.
func (t *Tunnel) Alive(now time.Time) {
	if now.After(t.heard) {
		t.heard = now
	}
}

// Receive takes one control datagram that is addressed to this tunnel, or the SCCRQ that opens it. An error only names
// a drop or fault for counters and logs; what the protocol answers is in out. The datagram is not kept.
func (t *Tunnel) Receive(datagram []byte, now time.Time, out *Out) error {
	h, payload, err := l2tp.ParseHeader(datagram)
	switch {
	case err != nil:
		return err
	case !h.Control:
		return ErrNotControl
	case h.Tunnel != 0 && h.Tunnel != t.cfg.LocalTunnel:
		return ErrWrongTunnel
	case t.state == StateFinished:
		return ErrFinished
	case t.state == StateWaitCtlReply && l2tp.PeekType(payload) == l2tp.TypeSCCRQ:
		return t.collide(datagram, payload, out)
	}
	return t.accept(h, payload, now, out)
}

// accept runs a datagram through reliable delivery and acts on every message that it brings into order.
func (t *Tunnel) accept(h l2tp.Header, payload []byte, now time.Time, out *Out) error {
	verdict, err := t.channel.Receive(h, payload, now, out)
	if t.state == StateIdle && verdict != Deliver {
		t.finish(out) // whatever this is, it opens no tunnel
		return cmp.Or(err, ErrUnexpected)
	}
	if verdict == Dropped {
		t.finishStopped(out) // what it acknowledges counts all the same
		return err
	}
	t.Alive(now)
	switch verdict {
	case Nothing:
		out.add(Said{Message: l2tp.TypeZLB, Session: h.Session})
	case Duplicate, Kept:
		t.again(h, payload, verdict, out)
	case Deliver:
		err = t.handle(h, payload, now, out)
		for t.state != StateFinished {
			h, payload, more := t.channel.Next()
			if !more {
				break
			}
			err = errors.Join(err, t.handle(h, payload, now, out))
		}
	}
	t.settle(now, out)
	return err
}

// again deals with a message that is already here. Whoever repeats its SCCRQ missed our SCCRP.
func (t *Tunnel) again(h l2tp.Header, payload []byte, v Verdict, out *Out) {
	kind := l2tp.PeekType(payload)
	out.add(Said{Message: kind, Session: h.Session, Again: v == Duplicate})
	if kind == l2tp.TypeSCCRQ && t.state == StateWaitCtlConn {
		t.channel.Repeat(out)
	}
}

// settle ends each step: the acknowledgement goes out unless an answer of the owner is to carry it.
func (t *Tunnel) settle(now time.Time, out *Out) {
	if t.state == StateFinished {
		return
	}
	if t.offered {
		t.channel.AcknowledgeBy(now.Add(ackDelay))
	} else {
		t.channel.Acknowledge(out)
	}
	t.offered = false
	t.finishStopped(out)
}

// finishStopped finishes a closing tunnel whose StopCCN was acknowledged.
func (t *Tunnel) finishStopped(out *Out) {
	if t.state == StateClosing && t.deadline.IsZero() && t.channel.Idle() {
		t.finish(out)
	}
}

// Advance does what is due at now. Call it when Deadline has passed.
func (t *Tunnel) Advance(now time.Time, out *Out) {
	if t.state == StateFinished {
		return
	}
	if t.channel.Advance(now, out) {
		t.lose(out)
		return
	}
	if !t.deadline.IsZero() && !now.Before(t.deadline) {
		t.expire(now, out)
	}
	for c := t.calls.oldest(); c != nil && !now.Before(c.setup.deadline); c = t.calls.oldest() {
		t.giveUp(c, now, out)
	}
	if due := t.helloAt(); !due.IsZero() && !now.Before(due) {
		t.say(0, l2tp.Hello{}, now, out)
	}
}

// Deadline is when Advance wants to be called; the zero time means never.
func (t *Tunnel) Deadline() time.Time {
	if t.state == StateFinished {
		return time.Time{}
	}
	var call time.Time
	if c := t.calls.oldest(); c != nil {
		call = c.setup.deadline
	}
	return earliest(t.channel.Deadline(), t.deadline, call, t.helloAt())
}

// helloAt is when the peer has been silent long enough for a HELLO; zero for never. As long as some message is unacknowledged, its
// resends ask the same question, so a HELLO never adds to what is in flight.
func (t *Tunnel) helloAt() time.Time {
	if t.cfg.HelloInterval <= 0 || t.state != StateEstablished || !t.channel.Idle() {
		return time.Time{}
	}
	return t.heard.Add(t.cfg.HelloInterval)
}

// expire: set-up took too long, or the linger is over.
func (t *Tunnel) expire(now time.Time, out *Out) {
	t.deadline = time.Time{}
	switch {
	case t.state == StateClosing:
		t.finish(out)
	case t.heard.IsZero():
		t.lose(out)
	default:
		t.closeFor(t.unfinished(), l2tp.ResultCode{Result: l2tp.StopCCNGeneral,
			Message: "tunnel not established within " + t.cfg.SetupTimeout.String()}, now, out)
	}
}

// unfinished is why a tunnel was not established: nothing that we send reaches the peer, or it acknowledges and says no more.
func (t *Tunnel) unfinished() Why {
	switch {
	case t.state != StateWaitCtlConn:
		return WhyNone
	case !t.channel.Idle():
		return WhyUnanswered
	}
	return WhyNotConnected
}

// lose ends a tunnel whose peer does not answer.
func (t *Tunnel) lose(out *Out) {
	if t.state != StateClosing {
		out.add(TunnelDown{Lost: true, Why: t.unfinished(), Result: l2tp.ResultCode{Result: l2tp.StopCCNGeneral,
			Message: "the peer does not answer"}})
	}
	t.finish(out)
}

// Close closes the tunnel with a StopCCN. TunnelDown comes at once, Finished when the peer has acknowledged or was given
// up. A tunnel that is already closing stays as it is.
func (t *Tunnel) Close(r l2tp.ResultCode, now time.Time, out *Out) { t.closeFor(WhyNone, r, now, out) }

func (t *Tunnel) closeFor(why Why, r l2tp.ResultCode, now time.Time, out *Out) {
	switch t.state {
	case StateClosing, StateFinished:
		return
	case StateIdle:
		if t.peer.Tunnel == 0 {
			t.finish(out)
			return
		}
	}
	t.enterClosing()
	t.channel.DropUnsent()
	t.say(0, l2tp.StopCCN{AssignedTunnel: t.cfg.LocalTunnel, Result: r}, now, out)
	out.add(TunnelDown{Result: r, Why: why})
}

func (t *Tunnel) enterClosing() {
	t.state = StateClosing
	t.calls = calls{}
	t.challenge, t.tie, t.deadline = nil, nil, time.Time{}
}

func (t *Tunnel) finish(out *Out) {
	t.enterClosing()
	t.state = StateFinished
	t.channel.DropAll()
	out.add(Finished{})
}

// bodyRoom is enough for the AVPs of most messages.
const bodyRoom = 96

// say sends a message; session is the peer's id of the call, 0 for the tunnel.
func (t *Tunnel) say(session l2tp.SessionID, m l2tp.Message, now time.Time, out *Out) {
	o := l2tp.AppendOptions{}
	if t.cfg.HideAVPs && len(t.secret()) > 0 {
		o = l2tp.AppendOptions{Secret: t.secret(), Hide: true, RandomVector: t.random(16)}
	}
	t.channel.Send(Outgoing{
		Type: m.Type(), Session: session, Own: assigned(m), Body: l2tp.Append(make([]byte, 0, bodyRoom), m, o), Detail: describe(m),
	}, now, out)
}

// assigned is the id of the call that a message of ours tells the peer.
func assigned(m l2tp.Message) l2tp.SessionID {
	switch m := m.(type) {
	case l2tp.ICRP:
		return m.AssignedSession
	case l2tp.CDN:
		return m.AssignedSession
	default:
		return 0
	}
}

// random gives n random octets. A source that fails is replaced: neither a challenge nor a random vector may be weak.
func (t *Tunnel) random(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(t.cfg.Rand, b); err != nil {
		_, _ = rand.Read(b) // never fails, see crypto/rand
	}
	return b
}
