package lac

import (
	"errors"
	"time"

	"lnsgate/lns/control"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/ppp"
)

// ErrUnknownSession says that a data message names no call of ours: it is late, or not for us.
var ErrUnknownSession = errors.New("data for a session that we do not have")

// closePatience is how long a server may take to agree to the end of a link before we leave anyway.
const closePatience = 3 * time.Second

// Caller is the client end of one tunnel and of the calls in it. It is pure: datagrams and the time come in through
// methods, what must be done goes out through Out. One owner at a time.
type Caller struct {
	cfg         Config
	tunnel      *control.Tunnel
	calls       map[l2tp.SessionID]*call
	connected   map[l2tp.SessionID]struct{} // the server's ids of calls whose ICCN has left and which are not up yet
	connecting  l2tp.SessionID              // the server's id of the call whose ICCN is the next message to leave; 0: none is
	unconnected []*call                     // up, but their ICCN waits for the server's window
	next        time.Time                   // no call has a deadline before this one

	dialled  time.Time // when the SCCRQ went out
	tunnelUp time.Time // when the SCCCN went out; zero before
	heard    bool      // the server has said anything at all
	closing  bool      // no further calls; the tunnel goes with the last one
	finished bool

	ctl  control.Out
	link linkOut
	last map[ppp.Protocol]spoken // to tell repetitions; only when Config.Talk is set
}

// call is one call of the tunnel.
type call struct {
	login    Login
	link     *link // nil until the call is up
	peer     l2tp.SessionID
	began    time.Time
	deadline time.Time // of the login, or of the good-bye; zero when there is none
	next     time.Time // the link's own, as last asked
	sequence bool      // the server numbers its data, so must we (RFC 2661 section 5.4)
	ns       uint16
	ended    bool // Ended was said
}

// NewCaller makes a caller that has not dialled yet.
func NewCaller(cfg Config) *Caller {
	cfg = cfg.withDefaults()
	c := &Caller{cfg: cfg, tunnel: control.New(cfg.control()), calls: map[l2tp.SessionID]*call{}}
	if cfg.Talk {
		c.last = map[ppp.Protocol]spoken{}
	}
	return c
}

// Dial opens the tunnel and places one call in it as soon as it is up.
func (c *Caller) Dial(login Login, now time.Time, out *Out) {
	c.dialled = now
	c.add(login, now)
	out.Datagrams = append(out.Datagrams, c.cfg.Profile.hellos()...)
	c.tunnel.Dial(now, &c.ctl)
	c.run(now, out)
}

// Place adds a call to the tunnel, at once or as soon as the tunnel is up. It says false when the tunnel takes no more
// calls or the session id is in use.
func (c *Caller) Place(login Login, now time.Time, out *Out) bool {
	if c.closing || c.finished || login.Session == 0 || c.calls[login.Session] != nil {
		return false
	}
	k := c.add(login, now)
	if !c.tunnelUp.IsZero() {
		c.place(k, now, out)
		c.run(now, out)
	}
	return true
}

func (c *Caller) add(login Login, now time.Time) *call {
	if login.Timeout <= 0 {
		login.Timeout = defaultTimeout
	}
	k := &call{login: login, began: now, deadline: now.Add(login.Timeout)}
	c.calls[login.Session] = k
	c.next = sooner(c.next, k.deadline)
	return k
}

// place sends the ICRQ.
func (c *Caller) place(k *call, now time.Time, out *Out) {
	request := l2tp.ICRQ{
		AssignedSession: k.login.Session, CallSerial: uint32(k.login.Session), BearerType: 0,
		CalledNumber: k.login.CalledNumber, CallingNumber: k.login.CallingNumber,
	}
	connected := l2tp.ICCN{TxSpeed: 1_000_000_000, FramingType: 1}
	if err := c.tunnel.PlaceCall(k.login.Session, request, connected, now, &c.ctl); err != nil {
		c.finishCall(k, Ended{Stage: StageCall, Cause: CauseCallRefused, Reason: err.Error()}, now, out)
	}
}

// Receive takes one datagram from the server. The error only names why it was dropped; what there is to answer is in
// out.
func (c *Caller) Receive(datagram []byte, now time.Time, out *Out) error {
	if c.finished {
		return nil
	}
	if l2tp.IsControl(datagram) {
		err := c.tunnel.Receive(datagram, now, &c.ctl)
		c.heard = c.heard || err == nil
		c.run(now, out)
		return err
	}
	return c.receiveData(datagram, now, out)
}

func (c *Caller) receiveData(datagram []byte, now time.Time, out *Out) error {
	h, payload, err := l2tp.ParseHeader(datagram)
	if err != nil {
		return err
	}
	k := c.calls[h.Session]
	if h.Tunnel != c.cfg.Tunnel || k == nil || k.link == nil {
		return ErrUnknownSession
	}
	protocol, packet, err := ppp.ParseFrame(payload)
	if err != nil {
		return err
	}
	c.tunnel.Alive(now)
	k.sequence = h.Sequence
	c.hearFrame(k, ppp.Frame{Protocol: protocol, Packet: packet}, now, out)
	k.link.receive(ppp.Frame{Protocol: protocol, Packet: packet}, now, &c.link)
	c.settle(k, now, out)
	c.run(now, out)
	return nil
}

// Advance lets time pass.
func (c *Caller) Advance(now time.Time, out *Out) {
	if c.finished {
		return
	}
	c.tunnel.Advance(now, &c.ctl)
	c.run(now, out)
	if due(c.next, now) {
		c.advanceCalls(now, out)
		c.run(now, out)
	}
}

func (c *Caller) advanceCalls(now time.Time, out *Out) {
	for _, k := range c.calls {
		if k.link != nil && due(k.next, now) {
			k.link.advance(now, &c.link)
			c.settle(k, now, out)
		}
		if due(k.deadline, now) {
			c.expire(k, now, out)
		}
	}
	c.next = time.Time{}
	for _, k := range c.calls {
		c.next = sooner(c.next, sooner(k.deadline, k.next))
	}
}

// Deadline is when Advance is due; zero is never. It may be early, never late.
func (c *Caller) Deadline() time.Time {
	if c.finished {
		return time.Time{}
	}
	return sooner(c.tunnel.Deadline(), c.next)
}

// Alive says that user traffic came in without passing through Receive, so that no question for life is needed.
func (c *Caller) Alive(now time.Time) {
	c.tunnel.Alive(now)
	for _, k := range c.calls {
		if k.link != nil {
			k.link.lcp.Alive(now)
		}
	}
}

// AppendPacket appends the datagram that carries an IP packet over the call. It says false, and appends nothing, when
// the call is not up or the packet is larger than the server takes.
func (c *Caller) AppendPacket(b []byte, session l2tp.SessionID, packet []byte) ([]byte, bool) {
	k := c.calls[session]
	if k == nil || k.link == nil || k.link.stage != StageUp || len(packet) > int(k.link.lcp.Result().PeerMRU) {
		return b, false
	}
	protocol := ppp.IPv4
	if len(packet) > 0 && packet[0]>>4 == 6 {
		protocol = ppp.IPv6
	}
	return c.appendFrame(b, k, protocol, packet), true
}

// frameRoom is enough for the headers of L2TP and PPP.
const frameRoom = 20

func (c *Caller) appendFrame(b []byte, k *call, protocol ppp.Protocol, packet []byte) []byte {
	var room [4]byte
	head := ppp.AppendFrameHeader(room[:0], protocol, k.link.lcp.Result().Framing)
	h := l2tp.Header{
		Length: true, Sequence: k.sequence, Ns: k.ns, Tunnel: c.tunnel.Peer().Tunnel, Session: k.peer,
	}
	if k.sequence {
		k.ns++
	}
	b = l2tp.AppendDataHeader(b, h, len(head)+len(packet))
	b = append(b, head...)
	return append(b, packet...)
}

// HangUp ends one call politely: LCP Terminate-Request, then CDN.
func (c *Caller) HangUp(session l2tp.SessionID, now time.Time, out *Out) {
	if k := c.calls[session]; k != nil {
		c.hangUp(k, now, out)
		c.run(now, out)
	}
}

// Close ends all politely: LCP Terminate-Request and CDN for each call, then StopCCN. Finished follows.
func (c *Caller) Close(now time.Time, out *Out) {
	if c.closing || c.finished {
		return
	}
	c.closing = true
	for _, k := range c.calls {
		c.hangUp(k, now, out)
	}
	c.leaveWhenEmpty(now, out)
	c.run(now, out)
}

func (c *Caller) hangUp(k *call, now time.Time, out *Out) {
	if k.link == nil {
		c.finishCall(k, Ended{Stage: k.stage(c), Cause: CauseClosedByUs, Reason: "we gave up"}, now, out)
		return
	}
	k.deadline = now.Add(closePatience)
	c.next = sooner(c.next, k.deadline)
	k.link.hangUp(now, &c.link)
	c.settle(k, now, out)
}

// leaveWhenEmpty closes the tunnel after its last call. Where nobody ever answered there is nobody to say goodbye to.
func (c *Caller) leaveWhenEmpty(now time.Time, out *Out) {
	switch {
	case len(c.calls) > 0:
	case c.heard:
		c.closing = true
		c.tunnel.Close(l2tp.ResultCode{Result: l2tp.StopCCNShutdown}, now, &c.ctl)
	default:
		c.closing, c.finished, out.Finished = true, true, true
	}
}

// due tells whether a deadline has come.
func due(deadline, now time.Time) bool { return !deadline.IsZero() && !now.Before(deadline) }
