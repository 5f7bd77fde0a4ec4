package control

import (
	"bytes"
	"errors"
	"hash/fnv"
	"strconv"
	"time"

	"lnsgate/lns/l2tp"
)

// Dial asks the peer for a tunnel: it sends SCCRQ. It does nothing unless the tunnel is idle.
func (t *Tunnel) Dial(now time.Time, out *Out) {
	if t.state != StateIdle {
		return
	}
	q := l2tp.SCCRQ{
		HostName: t.cfg.HostName, Vendor: t.cfg.Vendor, Firmware: t.cfg.Firmware,
		Framing: l2tp.FramingSync | l2tp.FramingAsync, AssignedTunnel: t.cfg.LocalTunnel,
		ReceiveWindow: t.cfg.ReceiveWindow,
	}
	if t.cfg.SingleTunnel {
		t.tie = t.random(8)
		q.TieBreaker = t.tie
	}
	if t.cfg.RequireAuthentication {
		t.challenge = t.random(ChallengeLen)
		q.Challenge = t.challenge
	}
	t.state, t.deadline = StateWaitCtlReply, now.Add(t.cfg.SetupTimeout)
	t.say(0, q, now, out)
}

// handle acts on the next message in order: the event of RFC 2661 section 7.2.1, by message and state.
func (t *Tunnel) handle(h l2tp.Header, payload []byte, now time.Time, out *Out) error {
	m, err := t.parse(payload)
	if err != nil {
		out.add(Said{Message: l2tp.PeekType(payload), Session: h.Session, Detail: err.Error()})
		return t.fault(h, err, now, out)
	}
	out.add(Said{Message: m.Type(), Session: h.Session, Detail: describe(m)})
	if stop, ok := m.(l2tp.StopCCN); ok {
		t.stopped(stop, now, out)
		return nil
	}
	if t.state == StateClosing {
		return ErrClosing
	}
	switch m := m.(type) {
	case l2tp.SCCRQ:
		return t.receiveSCCRQ(m, payload, now, out)
	case l2tp.SCCRP:
		return t.receiveSCCRP(m, now, out)
	case l2tp.SCCCN:
		return t.receiveSCCCN(m, now, out)
	case l2tp.Hello:
		return t.receiveHello(out)
	}
	return t.receiveCall(h, m, now, out)
}

func (t *Tunnel) receiveSCCRQ(m l2tp.SCCRQ, payload []byte, now time.Time, out *Out) error {
	if t.state != StateIdle {
		return t.improper(m, now, out)
	}
	t.opening = digest(payload)
	t.meet(PeerInfo{HostName: m.HostName, Vendor: m.Vendor, Firmware: m.Firmware, Tunnel: m.AssignedTunnel,
		ReceiveWindow: m.ReceiveWindow, Framing: m.Framing, Bearer: m.Bearer})
	if why, refusal := t.judge(m.ProtocolVersion, m.Challenge); why != WhyNone {
		t.closeFor(why, refusal, now, out)
		return nil
	}
	t.answered = m.Challenge != nil
	reply := l2tp.SCCRP{
		HostName: t.cfg.HostName, Vendor: t.cfg.Vendor, Firmware: t.cfg.Firmware,
		Framing: l2tp.FramingSync | l2tp.FramingAsync, AssignedTunnel: t.cfg.LocalTunnel,
		ReceiveWindow:     t.cfg.ReceiveWindow,
		ChallengeResponse: t.answer(l2tp.TypeSCCRP, m.Challenge),
	}
	if t.cfg.RequireAuthentication {
		t.challenge = t.random(ChallengeLen)
		reply.Challenge = t.challenge
	}
	t.state, t.deadline = StateWaitCtlConn, now.Add(t.cfg.SetupTimeout)
	t.say(0, reply, now, out)
	return nil
}

func (t *Tunnel) receiveSCCRP(m l2tp.SCCRP, now time.Time, out *Out) error {
	if t.state == StateEstablished || t.state == StateWaitCtlConn {
		return t.improper(m, now, out)
	}
	t.meet(PeerInfo{HostName: m.HostName, Vendor: m.Vendor, Firmware: m.Firmware, Tunnel: m.AssignedTunnel,
		ReceiveWindow: m.ReceiveWindow, Framing: m.Framing, Bearer: m.Bearer})
	if t.state == StateIdle {
		return t.improper(m, now, out)
	}
	why, refusal := t.judge(m.ProtocolVersion, m.Challenge)
	if why == WhyNone {
		why, refusal = t.verify(l2tp.TypeSCCRP, m.ChallengeResponse)
	}
	if why != WhyNone {
		t.closeFor(why, refusal, now, out)
		return nil
	}
	t.say(0, l2tp.SCCCN{ChallengeResponse: t.answer(l2tp.TypeSCCCN, m.Challenge)}, now, out)
	t.establish(now, out)
	return nil
}

func (t *Tunnel) receiveSCCCN(m l2tp.SCCCN, now time.Time, out *Out) error {
	switch t.state {
	case StateIdle:
		t.finish(out)
		return ErrUnexpected
	case StateWaitCtlConn:
		if why, refusal := t.verify(l2tp.TypeSCCCN, m.ChallengeResponse); why != WhyNone {
			t.closeFor(why, refusal, now, out)
			return nil
		}
		t.channel.Acknowledge(out) // before anything else: Android sends ICRQ only after it
		t.establish(now, out)
		return nil
	}
	return t.improper(m, now, out)
}

// receiveHello: only the acknowledgement matters. Apple sends HELLOs before its SCCRQ; they open nothing.
func (t *Tunnel) receiveHello(out *Out) error {
	if t.state == StateIdle {
		t.channel.owesAck = false
		t.finish(out)
		return ErrUnexpected
	}
	return nil
}

// meet notes who the peer is.
func (t *Tunnel) meet(p PeerInfo) {
	t.channel.SetPeer(p.Tunnel, p.ReceiveWindow)
	p.ReceiveWindow = t.channel.window
	t.peer = p
}

// judge decides whether an SCCRQ or SCCRP is acceptable: WhyNone if it is.
func (t *Tunnel) judge(version uint16, challenge []byte) (Why, l2tp.ResultCode) {
	switch {
	case version>>8 != l2tp.Version10>>8:
		return WhyVersion, l2tp.ResultCode{Result: l2tp.StopCCNVersion, Error: l2tp.Version10,
			Message: "protocol version " + strconv.Itoa(int(version>>8)) + " is not supported"}
	case challenge != nil && len(t.cfg.Secret) == 0:
		return WhySecretUnknown, unauthorized("you want tunnel authentication, but no tunnel secret is configured here")
	case t.cfg.RequireAuthentication && len(t.cfg.Secret) == 0:
		return WhySecretUnknown, unauthorized("tunnel authentication is required, but no tunnel secret is configured here")
	}
	return WhyNone, l2tp.ResultCode{}
}

// verify checks the peer's answer to our challenge, if we made one: WhyNone if it is right.
func (t *Tunnel) verify(carrier l2tp.MessageType, response []byte) (Why, l2tp.ResultCode) {
	challenge := t.challenge
	t.challenge = nil
	switch {
	case challenge == nil:
		return WhyNone, l2tp.ResultCode{}
	case response == nil:
		return WhySecretMissing, unauthorized("tunnel authentication is required here, but you did not answer the challenge")
	case !t.recognise(carrier, challenge, response):
		return WhySecretWrong, unauthorized("tunnel authentication failed: the tunnel secrets differ")
	}
	return WhyNone, l2tp.ResultCode{}
}

func unauthorized(text string) l2tp.ResultCode {
	return l2tp.ResultCode{Result: l2tp.StopCCNNotAuthorized, Message: text}
}

// answer is our response to the peer's challenge, nil if there was none.
func (t *Tunnel) answer(carrier l2tp.MessageType, challenge []byte) []byte {
	if challenge == nil {
		return nil
	}
	r := l2tp.ChallengeResponse(carrier, t.secret(), challenge)
	return r[:]
}

// establish opens the tunnel and sends the calls that waited for it.
func (t *Tunnel) establish(now time.Time, out *Out) {
	t.state, t.since, t.deadline, t.tie = StateEstablished, now, time.Time{}, nil
	out.add(TunnelUp{})
	for _, c := range t.calls.pending {
		if c.state == CallWaitTunnel {
			t.request(c, now, out)
		}
	}
}

// stopped: the peer closes the tunnel. Its StopCCN may have to be acknowledged more than once, so we linger.
func (t *Tunnel) stopped(m l2tp.StopCCN, now time.Time, out *Out) {
	fresh := t.state == StateIdle
	if t.peer.Tunnel == 0 {
		t.channel.SetPeer(m.AssignedTunnel, 0)
	}
	if t.state != StateClosing && !fresh {
		out.add(TunnelDown{Result: m.Result, ByPeer: true, Why: t.objection(m)})
	}
	t.enterClosing()
	t.channel.DropAll()
	if fresh {
		t.channel.Acknowledge(out)
		t.finish(out)
		return
	}
	t.deadline = now.Add(t.cfg.LingerAfterStop)
}

// objection is what the peer objects to when it closes the tunnel instead of opening it: it is not to be told from its result code
// that it is about our answer to its challenge, but there is nothing else in an SCCRP to refuse us for.
func (t *Tunnel) objection(m l2tp.StopCCN) Why {
	if t.state == StateWaitCtlConn && t.answered && m.Result.Result == l2tp.StopCCNNotAuthorized {
		return WhySecretRefused
	}
	return WhyNone
}

// improper closes the tunnel because of a message that has no place in its state (RFC 2661 section 7.1).
func (t *Tunnel) improper(m l2tp.Message, now time.Time, out *Out) error {
	t.closeFor(WhyMalformed, l2tp.ResultCode{Result: l2tp.StopCCNStateMachine,
		Message: m.Type().String() + " does not belong in state " + t.state.String()}, now, out)
	return ErrUnexpected
}

// fault answers a message that cannot be read, at the scope the fault has.
func (t *Tunnel) fault(h l2tp.Header, err error, now time.Time, out *Out) error {
	var e *l2tp.MessageError
	if !errors.As(err, &e) || t.state == StateClosing {
		return err
	}
	switch e.Scope {
	case l2tp.ScopeSession:
		t.faultOfCall(h, e, now, out)
	case l2tp.ScopeTunnel:
		if t.peer.Tunnel == 0 && e.PeerTunnel != 0 {
			t.meet(PeerInfo{Tunnel: e.PeerTunnel})
		}
		t.closeFor(WhyMalformed, e.Result, now, out)
	case l2tp.ScopeIgnore:
		if t.state == StateIdle {
			t.finish(out)
		}
	}
	return err
}

// collide: the peer dials us while our SCCRQ is unanswered (RFC 2661 section 4.4.3, Tie Breaker). The lower value wins,
// having one wins over having none, equal values end both, and without any there are two tunnels.
func (t *Tunnel) collide(datagram, payload []byte, out *Out) error {
	m, err := l2tp.ParseWith(payload, l2tp.ParseOptions{Secret: t.secret(), TolerateUnknownMandatory: true})
	if err != nil {
		return err
	}
	theirs := m.(l2tp.SCCRQ).TieBreaker
	order := bytes.Compare(t.tie, theirs)
	switch {
	case t.tie == nil && theirs == nil:
		out.add(Collision{bytes.Clone(datagram)})
		return nil
	case theirs == nil, t.tie != nil && order < 0:
		return ErrTieWon
	}
	out.add(TunnelDown{Result: l2tp.ResultCode{Result: l2tp.StopCCNExists,
		Message: "the peer dialled at the same time and its tie breaker won"}})
	if order != 0 {
		out.add(Collision{bytes.Clone(datagram)})
	}
	t.finish(out)
	return nil
}

// repeatSpan is how long after the tunnel was established a late copy of its SCCRQ may still arrive.
const repeatSpan = 10 * time.Second

// SupersededBy reports whether an SCCRQ from this tunnel's peer, with the same assigned id, is a new beginning and not a
// repeat of the one that opened this tunnel: the peer was restarted and has forgotten us. The caller then drops
// this tunnel and gives the datagram to a new one.
func (t *Tunnel) SupersededBy(datagram []byte, now time.Time) bool {
	h, payload, err := l2tp.ParseHeader(datagram)
	if err != nil || !h.Control || h.Ns != 0 || l2tp.PeekType(payload) != l2tp.TypeSCCRQ {
		return false
	}
	if t.opening == 0 {
		return false // it was we who dialled
	}
	if digest(payload) != t.opening {
		return true
	}
	switch t.state {
	case StateEstablished:
		return now.Sub(t.since) > repeatSpan
	case StateClosing, StateFinished:
		return true
	}
	return false
}

func digest(b []byte) uint64 {
	d := fnv.New64a()
	_, _ = d.Write(b) // never fails
	return d.Sum64()
}
