package negotiate

import (
	"bytes"
	"time"

	"lnsgate/lns/ppp"
)

// receive takes a packet of the peer. What breaks the RFC is dropped without an
// answer, as section 5 asks.
func (m *machine) receive(p policy, packet []byte, now time.Time, out *Out) {
	in, err := ppp.ParsePacket(packet)
	if err != nil || m.state == Initial || m.state == Starting {
		return
	}
	if in.Code == ppp.ConfigureRequest {
		// The repeat goes out in front of the answer: a peer that opens on our
		// Ack must not find another request of ours behind it.
		m.nudge(p, now, out)
	}
	m.heard = true
	switch in.Code {
	case ppp.ConfigureRequest:
		m.onRequest(p, in, now, out)
	case ppp.ConfigureAck, ppp.ConfigureNak, ppp.ConfigureReject:
		m.onAnswer(p, in, now, out)
	case ppp.TerminateRequest:
		m.peerText = string(in.Data[:min(len(in.Data), maxText)])
		m.step(p, stimulus{event: EventRTR, in: in}, now, out)
	case ppp.TerminateAck:
		m.step(p, stimulus{event: EventRTA, in: in}, now, out)
	case ppp.CodeReject:
		m.onCodeReject(p, in, now, out)
	default:
		if !p.extra(in, now, out) {
			m.step(p, stimulus{event: EventRUC, in: in}, now, out)
		}
	}
}

// maxText is how much of a peer's Terminate-Request is kept, in octets.
const maxText = 128

// onRequest answers a Configure-Request.
func (m *machine) onRequest(p policy, in ppp.Packet, now time.Time, out *Out) {
	if ppp.Options(in.Data).Check() != nil {
		return
	}
	if m.state == Closed || m.state == Closing || m.state == Stopping {
		m.step(p, stimulus{event: EventRCRGood, in: in}, now, out) // not weighed: the event alone counts
		return
	}
	if m.repeated(in, now) {
		m.send(p, ppp.Packet{Code: ppp.ConfigureAck, Identifier: in.Identifier, Data: in.Data}, out)
		return
	}
	if m.state == Stopped {
		p.reset()
		m.begin()
	}
	good, answer := judge(p, in, int(m.naks) >= p.timing().maxFailure())
	event := EventRCRBad
	if good {
		event = EventRCRGood
	} else if m.state.configuring() && int(m.refusals) >= p.timing().maxRefusals() {
		m.quoteRequest(p, in, answer)
		m.giveUp(p, now, out)
		return
	}
	m.step(p, stimulus{event: event, in: in, answer: answer}, now, out)
}

// onAnswer takes what the peer says to our Configure-Request. An answer to
// anything but the request under way is dropped (RFC 1661 section 5.2), so the
// second answer to a repeated request does no harm.
func (m *machine) onAnswer(p policy, in ppp.Packet, now time.Time, out *Out) {
	event := EventRCN
	if in.Code == ppp.ConfigureAck {
		event = EventRCA
	}
	if m.state < ReqSent {
		m.step(p, stimulus{event: event, in: in}, now, out)
		return
	}
	if !m.pending || in.Identifier != m.requestID || ppp.Options(in.Data).Check() != nil {
		return
	}
	why, ok := m.weighAnswer(p, in, now)
	switch {
	case !ok:
		return
	case why != ReasonNone:
		m.quoteAnswer(p, in)
		m.end(p, why, now, out)
		return
	case event == EventRCN && int(m.rounds) >= p.timing().maxRounds():
		m.quoteAnswer(p, in)
		m.giveUp(p, now, out)
		return
	}
	m.pending = false
	m.step(p, stimulus{event: event, in: in}, now, out)
}

// weighAnswer lets the policy take the answer; an Ack has to repeat the request
// to the octet (RFC 1661 section 5.2).
func (m *machine) weighAnswer(p policy, in ppp.Packet, now time.Time) (Reason, bool) {
	switch in.Code {
	case ppp.ConfigureNak:
		return p.naked(ppp.Options(in.Data), now)
	case ppp.ConfigureReject:
		return p.rejected(ppp.Options(in.Data))
	}
	var room [requestRoom]byte
	return ReasonNone, bytes.Equal(in.Data, p.appendRequest(room[:0]))
}

// onCodeReject takes a Code-Reject. The first octet of its data is the code that
// the peer does not know (RFC 1661 section 5.6).
func (m *machine) onCodeReject(p policy, in ppp.Packet, now time.Time, out *Out) {
	if len(in.Data) == 0 {
		return
	}
	event := EventRXJGood
	if code := ppp.Code(in.Data[0]); code >= ppp.ConfigureRequest && code <= ppp.CodeReject || !p.codeRejected(code) {
		event = EventRXJBad
		m.quoteReject(p, code)
	}
	m.step(p, stimulus{event: event, in: in}, now, out)
}

// repeatWindow is how long after an Ack the same request is taken for a repeat.
const repeatWindow = 5 * time.Second

// repeated says whether a request is the one that we acknowledged to get into
// Opened, sent again because our Ack was slow or lost. The RFC would tear the
// link down and start over. A peer that means to negotiate anew uses a new
// identifier, because it has had a valid answer to the old one (section 5.1); a
// peer that was restarted differs in its magic number, and one that does not is
// heard once the window is over.
func (m *machine) repeated(in ppp.Packet, now time.Time) bool {
	return m.state == Opened && in.Identifier == m.ackedID && now.Sub(m.ackedAt) < repeatWindow && digest(in.Data) == m.ackedSum
}

func (m *machine) remember(in ppp.Packet, now time.Time) {
	m.ackedID, m.ackedSum, m.ackedAt = in.Identifier, digest(in.Data), now
}

// digest is FNV-1a. It saves keeping the peer's request; nothing depends on it
// being hard to forge, the peer can only fool itself.
func digest(b []byte) uint64 {
	sum := uint64(14695981039346656037)
	for _, c := range b {
		sum = (sum ^ uint64(c)) * 1099511628211
	}
	return sum
}
