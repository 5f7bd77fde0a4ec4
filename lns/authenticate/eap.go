package authenticate

import (
	"bytes"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/ppp"
)

// maxTurns is how often the peer may be asked in one conversation. A long certificate chain in small fragments takes some
// dozens.
const maxTurns = 128

// maxPatience is how long a back end may have us wait for one answer of the peer: a person has to find a telephone.
const maxPatience = 60 * time.Second

// eapTalk is a conversation that a back end leads with the peer. This side asks for the identity, passes the rest on and
// repeats what gets no answer (RFC 3748 section 2.3).
type eapTalk struct {
	request  []byte // that waits for an answer, a whole packet
	response []byte // the last one handed up, a whole packet
	name     string
	state    []byte // of the back end, unread
	backend  string
	turns    int // Requests of the back end so far
}

// requestIdentity asks the peer who it is (RFC 3748 section 5.1).
func (a *Authenticator) requestIdentity(now time.Time, out *Out) {
	a.eap = &eapTalk{request: ppp.EAPPacket{Code: ppp.EAPRequest, Identifier: a.cfg.Identifier, Type: ppp.EAPIdentity}.Append(nil)}
	a.request(now, out)
}

// request sends the Request that waits for an answer; a repeat has the same octets (RFC 3748 section 4.1).
func (a *Authenticator) request(now time.Time, out *Out) {
	out.Frames = append(out.Frames, ppp.Frame{Protocol: ppp.EAP, Packet: bytes.Clone(a.eap.request)})
	a.sent++
	a.resend = now.Add(a.cfg.Restart)
}

// receiveEAP takes a Response to the Request that waits for one; any other is dropped (RFC 3748 section 4.1), so that one
// doubled on the way does not double all that follows. After the verdict the same Response gets the same verdict.
func (a *Authenticator) receiveEAP(p ppp.Packet, octets []byte, out *Out) {
	if p.Code != ppp.EAPResponse {
		return
	}
	whole := octets[:ppp.HeaderSize+len(p.Data)]
	known := bytes.Equal(whole, a.eap.response)
	switch {
	case a.stage == stageOver && known:
		a.repeat(out)
	case a.stage != stageAsking || known || p.Identifier != a.eap.request[1]:
	case len(p.Data) == 0:
		a.garbled = true
	case a.eap.turns == 0 && p.Data[0] != ppp.EAPIdentity: // a Nak is no answer to who it is (RFC 3748 section 5.3)
		a.garbled = true
	default:
		a.handUp(p, bytes.Clone(whole), out)
	}
}

// handUp has the back end answer a Response. The identity goes with every one (RFC 3579 section 2.1).
func (a *Authenticator) handUp(p ppp.Packet, whole []byte, out *Out) {
	if a.eap.turns == 0 {
		a.eap.name = string(p.Data[1:])
	}
	a.eap.response = whole
	a.ask(p.Identifier, Ask{
		Name:    a.eap.name,
		Proof:   aaa.Proof{Method: aaa.EAP, EAP: bytes.Clone(whole), State: a.eap.state},
		Backend: a.eap.backend,
	}, out)
}

// Challenge answers the Ask with a question to the peer: its Packet goes to the peer as it is, and another Ask follows with the
// answer. Without an open Ask of EAP it does nothing. A packet that cannot be sent ends the phase.
func (a *Authenticator) Challenge(c *aaa.Challenge, now time.Time, out *Out) {
	if a.stage != stageDeciding || a.cfg.Protocol != aaa.EAP {
		return
	}
	if reason := a.faultIn(c.Packet); reason != ReasonNone {
		a.finishEAP(ppp.EAPFailure, nil, reason, out)
		return
	}
	a.asked, a.garbled, a.sent = Ask{}, false, 0
	a.eap.request, a.eap.state, a.eap.backend = bytes.Clone(c.Packet), bytes.Clone(c.State), c.Backend
	a.eap.turns++
	a.stage, a.end = stageAsking, now.Add(a.patience(c.Timeout))
	a.request(now, out)
}

// Patience is when the peer's time for an answer is over; zero when none is waited for.
func (a *Authenticator) Patience() time.Time { return a.end }

// faultIn says why a back end's packet cannot be sent to the peer.
func (a *Authenticator) faultIn(packet []byte) Reason {
	mru := a.cfg.PeerMRU
	if mru <= 0 {
		mru = ppp.DefaultMRU
	}
	e, err := ppp.ParseEAP(packet)
	switch {
	case err != nil || e.Code != ppp.EAPRequest || e.Type == 0:
		return ServerMalformed
	case len(packet) > mru:
		return ServerTooLong
	case a.eap.turns >= maxTurns:
		return TooManyTurns
	}
	return ReasonNone
}

// patience is how long the peer has for an answer for which the back end wants to wait this long; zero is as usual.
func (a *Authenticator) patience(wanted time.Duration) time.Duration {
	if wanted <= 0 {
		return a.cfg.Timeout
	}
	return min(wanted, max(maxPatience, a.cfg.Timeout))
}

// resolveEAP gives the server's Success or Failure to the peer, or ours where it sent none (RFC 3579 section 2.6.3).
func (a *Authenticator) resolveEAP(r Result, out *Out) {
	if !r.OK {
		a.finishEAP(ppp.EAPFailure, r.Packet, Refused, out)
		return
	}
	a.finishEAP(ppp.EAPSuccess, r.Packet, ReasonNone, out)
}

// finishEAP ends the phase with the server's packet, identifier included, if that says what it should, or else with one for
// the last Response (RFC 3748 section 4.2). Only that Response is kept, in case it comes again.
func (a *Authenticator) finishEAP(code ppp.Code, packet []byte, reason Reason, out *Out) {
	if p, err := ppp.ParsePacket(packet); err == nil && p.Code == code {
		a.answerID = p.Identifier
	}
	a.asked = Ask{}
	a.eap = &eapTalk{response: a.eap.response}
	a.verdict = ppp.Packet{Code: code}
	a.finish(Done{OK: reason == ReasonNone, Reason: reason}, out)
}
