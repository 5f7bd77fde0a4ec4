package negotiate

import (
	"time"

	"lnsgate/lns/ppp"
)

// machine is the automaton of RFC 1661 section 4 without the meaning of the
// options, which a policy adds. It belongs to the LCP or IPCP it is a part of.
type machine struct {
	deadline time.Time // restart timer; in Opened it is free for the policy
	sentAt   time.Time // when the last Configure-Request left
	ackedAt  time.Time // when the peer's request was acknowledged first
	ackedSum uint64    // what it was, see repeated
	peerText string    // data of the peer's Terminate-Request
	detail   string    // more of the reason, in words

	state     State
	reason    Reason
	id        uint8 // the identifier given out last
	requestID uint8 // of the Configure-Request, or Terminate-Request, under way
	ackedID   uint8
	refusedID uint8
	pending   bool // our Configure-Request waits for its answer
	heard     bool // the peer has sent something: it is listening
	peerEnded bool // the peer sent a Terminate-Request in this negotiation

	left     int16 // restart counter: transmissions that remain
	attempt  int16 // copies sent since the counter was set
	rounds   int16 // different requests sent in this negotiation
	refusals int16 // requests of the peer refused in this negotiation
	naks     int16 // of these, Configure-Naks
}

// stimulus is an event with the packet that caused it, if one did, and the
// answer that was made to a Configure-Request.
type stimulus struct {
	event  Event
	in     ppp.Packet
	answer []byte
}

// step carries out one cell of the table.
func (m *machine) step(p policy, s stimulus, now time.Time, out *Out) {
	c := transitions[s.event][m.state]
	if c.do == 0 {
		return
	}
	m.explain(s.event)
	before := m.state
	m.state = c.next
	m.perform(p, c.do, s, now, out)
	switch {
	case before != c.next && !c.next.timed():
		m.deadline = time.Time{}
	case before == ReqSent && c.next == AckRcvd:
		// The peer listens and has agreed; now it is its turn to ask, which a
		// Windows peer takes two seconds for.
		m.deadline = now.Add(p.timing().longest())
	}
	if c.do&tlu != 0 {
		m.begin()
		p.opened(now)
	}
	if s.event == EventDown {
		m.heard, m.pending = false, false
	}
}

// perform carries out the actions of a cell in the order of their constants.
func (m *machine) perform(p policy, do action, s stimulus, now time.Time, out *Out) {
	if do&tld != 0 {
		out.Changes = append(out.Changes, LayerDown)
		p.reset()
		m.begin()
	}
	if do&irc != 0 {
		m.attempt, m.left = 0, int16(p.timing().maxConfigure())
		if do&str != 0 {
			m.left = int16(p.timing().maxTerminate())
			m.pending = false
			m.requestID = m.nextID()
		}
	}
	if do&zrc != 0 {
		m.left = 0
		m.deadline = now.Add(p.timing().longest())
	}
	if do&scr != 0 {
		m.sendRequest(p, now, out)
	}
	if do&str != 0 {
		m.send(p, ppp.Packet{Code: ppp.TerminateRequest, Identifier: m.requestID}, out)
		m.arm(p, now)
	}
	m.respond(p, do, s, now, out)
	if do&tlu != 0 {
		out.Changes = append(out.Changes, LayerUp)
	}
	if do&tls != 0 {
		out.Changes = append(out.Changes, LayerStarted)
	}
	if do&tlf != 0 {
		out.Changes = append(out.Changes, LayerFinished)
	}
}

// respond sends what a received packet is answered with.
func (m *machine) respond(p policy, do action, s stimulus, now time.Time, out *Out) {
	if do&sca != 0 {
		m.remember(s.in, now)
		m.refusals, m.naks = 0, 0
		p.commit(ppp.Options(s.in.Data))
		m.sendRaw(p, s.answer, out)
	}
	if do&scn != 0 {
		m.countRefusal(s)
		m.sendRaw(p, s.answer, out)
	}
	if do&sta != 0 {
		m.send(p, ppp.Packet{Code: ppp.TerminateAck, Identifier: s.in.Identifier}, out)
	}
	if do&scj != 0 {
		rejected := s.in.Append(nil)
		rejected = rejected[:min(len(rejected), p.limit()-ppp.HeaderSize)]
		m.send(p, ppp.Packet{Code: ppp.CodeReject, Identifier: m.nextID(), Data: rejected}, out)
	}
	if do&ser != 0 {
		p.echo(s.in, now, out)
	}
}

// countRefusal counts a Nak or Reject. The same identifier again is the peer
// repeating itself because our Nak was lost, not because it insists; it does not
// bring the Nak any closer to becoming a Reject.
func (m *machine) countRefusal(s stimulus) {
	repeat := m.refusals > 0 && s.in.Identifier == m.refusedID
	if !repeat && ppp.Code(s.answer[0]) == ppp.ConfigureNak {
		m.naks++
	}
	m.refusals++
	m.refusedID = s.in.Identifier
}

// explain keeps the reason why the layer is about to go down or to finish. The
// first reason stands: what follows from it does not overwrite it.
func (m *machine) explain(e Event) {
	if m.starts(e) {
		m.reason, m.peerEnded, m.peerText, m.detail = ReasonNone, false, "", ""
		return
	}
	m.peerEnded = m.peerEnded || e == EventRTR
	if m.reason != ReasonNone {
		return
	}
	switch {
	case e == EventClose && (m.state == Starting || m.state >= ReqSent):
		m.reason = ClosedByUs
	case e == EventRXJBad:
		m.reason = MandatoryRejected
	case e == EventRTR && m.state == Opened, e == EventTOBad && m.peerEnded:
		m.reason = PeerTerminated
	case e == EventTOBad:
		m.reason = NoAnswer
		m.countCopies()
	}
}

// starts says whether the event begins a negotiation where there was none.
func (m *machine) starts(e Event) bool {
	switch m.state {
	case Starting:
		return e == EventUp
	case Closed:
		return e == EventOpen
	case Stopped:
		return e == EventRCRGood || e == EventRCRBad
	}
	return false
}

// begin sets the counters of a negotiation to their start.
func (m *machine) begin() { m.rounds, m.refusals, m.naks, m.pending = 0, 0, 0, false }

// command is an event that is not caused by a packet.
func (m *machine) command(p policy, e Event, now time.Time, out *Out) {
	if m.starts(e) {
		m.begin()
		p.reset()
	}
	m.step(p, stimulus{event: e}, now, out)
}

// end closes the link for a reason of our own.
func (m *machine) end(p policy, why Reason, now time.Time, out *Out) {
	if m.reason == ReasonNone {
		m.reason = why
	}
	m.command(p, EventClose, now, out)
}

// timeout handles the restart timer.
func (m *machine) timeout(p policy, now time.Time, out *Out) {
	switch {
	case m.left <= 0:
		m.command(p, EventTOBad, now, out)
	case m.state == AckRcvd && int(m.rounds) >= p.timing().maxRounds():
		m.detail = "the peer acknowledges our requests, and sends none that can be acknowledged"
		m.giveUp(p, now, out)
	default:
		m.command(p, EventTOGood, now, out)
	}
}

// giveUp ends a negotiation in which both sides talk and never agree.
func (m *machine) giveUp(p policy, now time.Time, out *Out) {
	m.reason = NotConverging
	m.command(p, EventRXJBad, now, out)
}

// crossing is the age up to which our request may be assumed to have crossed the
// peer's first frame, and not to have been missed by it.
const crossing = 10 * time.Millisecond

// nudge repeats a Configure-Request that is still unanswered when the peer is
// heard for the first time: it was not listening when the request was sent.
func (m *machine) nudge(p policy, now time.Time, out *Out) {
	if m.heard || !m.state.configuring() {
		return
	}
	m.heard = true
	if !m.pending {
		return
	}
	if now.Sub(m.sentAt) >= crossing {
		m.left++ // a repeat of our own will, not one for want of an answer
		m.sendRequest(p, now, out)
		return
	}
	m.deadline = now.Add(m.patience(p))
}

// sendRequest sends our Configure-Request. A repeat keeps its identifier, so that
// the answer to any of the copies counts (RFC 1661 section 5.1).
func (m *machine) sendRequest(p policy, now time.Time, out *Out) {
	if !m.pending {
		m.pending = true
		m.requestID = m.nextID()
		m.rounds++
	}
	m.sentAt = now
	packet := p.appendRequest(make([]byte, ppp.HeaderSize, requestRoom))
	m.sendRaw(p, seal(packet, ppp.ConfigureRequest, m.requestID), out)
	m.arm(p, now)
}

// requestRoom is the usual size of a Configure-Request, in octets.
const requestRoom = 40

// arm starts the restart timer for the copy that was just sent.
func (m *machine) arm(p policy, now time.Time) {
	m.left--
	m.deadline = now.Add(m.patience(p))
	m.attempt++
}

// patience is how long to wait for the answer to the next copy.
func (m *machine) patience(p policy) time.Duration {
	wait := p.timing().wait(int(m.attempt))
	if m.heard {
		wait = max(wait, min(listeningWait, p.timing().longest()))
	}
	return wait
}

func (m *machine) nextID() uint8 {
	m.id++
	return m.id
}

func (m *machine) send(p policy, packet ppp.Packet, out *Out) {
	m.sendRaw(p, packet.Append(make([]byte, 0, ppp.HeaderSize+len(packet.Data))), out)
}

func (m *machine) sendRaw(p policy, packet []byte, out *Out) {
	out.Frames = append(out.Frames, ppp.Frame{Protocol: p.protocol(), Packet: packet})
}
