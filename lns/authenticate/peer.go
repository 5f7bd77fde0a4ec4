package authenticate

import (
	"bytes"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/ppp"
)

// Credentials makes the proofs of the peer side. aaa/secret.Answerer is one. The same arguments give the same octets.
type Credentials interface {
	// PAP returns the password.
	PAP() aaa.Secret
	// CHAP returns the 16-octet response.
	CHAP(id uint8, challenge []byte) []byte
	// MSCHAPv2 returns the 49-octet response, or nil if there is none to this challenge.
	MSCHAPv2(challenge []byte) []byte
	// VerifyMSCHAPv2 reports whether the message of the server's Success proves that it knows the password.
	VerifyMSCHAPv2(successMessage string) bool
}

// EAPResponder leads the whole EAP conversation in the place of what Peer can by itself. Credentials that are one too are
// asked.
type EAPResponder interface {
	// RespondEAP takes a whole packet of the server: a Request, never the same one twice in a row, and at the end the
	// Success or Failure. It returns the Response, a whole packet, or nil where there is nothing to say.
	RespondEAP(packet []byte) []byte
}

// PeerConfig is what a Peer needs. A zero duration means the default.
type PeerConfig struct {
	Method      aaa.Method // PAP, CHAP, MSCHAPv2 or EAP, as LCP has agreed
	Name        string     // as the user types it
	Credentials Credentials
	Timeout     time.Duration // for the whole phase, from Start on; EAP: from each Request on
	Restart     time.Duration // between two requests or responses that got no verdict
}

// Peer is our side when we have to prove who we are. It is owned by one link and not safe for concurrent use. It stays
// after the end of the phase: a server may challenge again at any time (RFC 1994 section 2).
type Peer struct {
	cfg   PeerConfig
	stage stage

	end     time.Time // of the phase
	resend  time.Time // of our request or response
	garbled bool      // something came that could not be read

	sent      int    // PAP requests so far
	id        uint8  // of what we sent last
	answered  bool   // a response was sent
	challenge []byte // the data of the challenge it answers, name included; EAP: the whole Request
	response  []byte // its data; EAP: the whole Response
}

// NewPeer makes a peer. It does nothing before Start.
func NewPeer(cfg PeerConfig) *Peer {
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.Restart <= 0 {
		cfg.Restart = DefaultRestart
	}
	return &Peer{cfg: cfg}
}

// Start opens the phase: the PAP request is sent, or the wait for a Challenge begins. A second call does nothing.
func (p *Peer) Start(now time.Time, out *Out) {
	if p.stage != stageIdle {
		return
	}
	m := p.cfg.Method
	if p.cfg.Credentials == nil || m < aaa.PAP || m > aaa.EAP {
		p.finish(Done{Reason: Unusable}, out)
		return
	}
	p.stage, p.end = stageAsking, now.Add(p.cfg.Timeout)
	if m == aaa.PAP {
		p.request(now, out)
	}
}

// request sends an Authenticate-Request. Every one has a new identifier (RFC 1334 section 2.2.1).
func (p *Peer) request(now time.Time, out *Out) {
	p.id++
	p.sent++
	data := ppp.PAPRequest{Name: []byte(p.cfg.Name), Password: []byte(p.cfg.Credentials.PAP().Reveal())}.Append(nil)
	out.send(ppp.PAP, ppp.Packet{Code: ppp.PAPAuthenticateRequest, Identifier: p.id, Data: data})
	p.resend = now.Add(p.cfg.Restart)
}

// Receive takes a PAP, CHAP or EAP frame. One that does not belong to this conversation is dropped.
func (p *Peer) Receive(f ppp.Frame, now time.Time, out *Out) {
	if p.stage == stageIdle || p.stage == stageSilent || f.Protocol != protocolOf(p.cfg.Method) {
		return
	}
	packet, err := ppp.ParsePacket(f.Packet)
	switch {
	case err != nil:
		p.garbled = true
	case p.cfg.Method == aaa.PAP:
		p.receivePAP(packet, out)
	case p.cfg.Method == aaa.EAP:
		p.receiveEAP(f.Packet, now, out)
	default:
		p.receiveCHAP(packet, now, out)
	}
}

// receivePAP takes the verdict on any of our requests.
func (p *Peer) receivePAP(packet ppp.Packet, out *Out) {
	ours := int(p.id-packet.Identifier) < p.sent
	if p.stage != stageAsking || !ours {
		return
	}
	// A verdict whose text is broken is a verdict all the same.
	text, _ := ppp.ParsePAPMessage(packet.Data)
	switch packet.Code {
	case ppp.PAPAuthenticateAck:
		p.finish(Done{OK: true, Message: string(text)}, out)
	case ppp.PAPAuthenticateNak:
		p.finish(Done{Reason: Refused, Message: string(text)}, out)
	}
}

func (p *Peer) receiveCHAP(packet ppp.Packet, now time.Time, out *Out) {
	switch packet.Code {
	case ppp.CHAPChallenge:
		p.answer(packet, now, out)
	case ppp.CHAPSuccess, ppp.CHAPFailure:
		if p.stage == stageAsking && p.answered && packet.Identifier == p.id {
			p.finish(p.verdict(packet), out)
		}
	}
}

// verdict reads Success and Failure. With MS-CHAPv2 a Success only counts if it proves that the server knows the
// password (RFC 2759 section 5).
func (p *Peer) verdict(packet ppp.Packet) Done {
	message := string(packet.Data)
	switch {
	case packet.Code == ppp.CHAPFailure:
		return Done{Reason: Refused, Message: message}
	case p.cfg.Method == aaa.MSCHAPv2 && !p.cfg.Credentials.VerifyMSCHAPv2(message):
		return Done{Reason: ServerNotProven, Message: message}
	}
	return Done{OK: true, Message: message}
}

// answer responds to a Challenge. The same Challenge again gets the same octets.
func (p *Peer) answer(packet ppp.Packet, now time.Time, out *Out) {
	if !p.answered || packet.Identifier != p.id || !bytes.Equal(packet.Data, p.challenge) {
		response, reason := p.respond(packet)
		if reason != ReasonNone {
			p.refuse(reason, out)
			return
		}
		p.answered, p.id = true, packet.Identifier
		p.challenge, p.response = bytes.Clone(packet.Data), response
	}
	p.sendResponse(now, out)
}

// respond makes the data of the Response to a Challenge.
func (p *Peer) respond(packet ppp.Packet) ([]byte, Reason) {
	challenge, err := ppp.ParseCHAPValue(packet.Data)
	if err != nil || len(challenge.Value) == 0 {
		return nil, MalformedAnswer
	}
	var value []byte
	if p.cfg.Method == aaa.MSCHAPv2 {
		if len(challenge.Value) != challengeLength {
			return nil, MalformedAnswer
		}
		value = p.cfg.Credentials.MSCHAPv2(challenge.Value)
	} else {
		value = p.cfg.Credentials.CHAP(packet.Identifier, challenge.Value)
	}
	if len(value) != responseLength(p.cfg.Method) {
		return nil, CannotAnswer
	}
	return ppp.CHAPValue{Value: value, Name: []byte(p.cfg.Name)}.Append(nil), ReasonNone
}

// refuse ends the phase over a Challenge that has no answer. After the end it is dropped.
func (p *Peer) refuse(reason Reason, out *Out) {
	if p.stage == stageAsking {
		p.finish(Done{Reason: reason}, out)
	}
}

// sendResponse sends the Response. Before the verdict it is repeated, because the verdict itself may be lost and the
// server does not repeat it unasked.
func (p *Peer) sendResponse(now time.Time, out *Out) {
	out.send(ppp.CHAP, ppp.Packet{Code: ppp.CHAPResponse, Identifier: p.id, Data: p.response})
	if p.stage == stageAsking {
		p.resend = now.Add(p.cfg.Restart)
	}
}

// finish ends the phase.
func (p *Peer) finish(d Done, out *Out) {
	p.stage = stageSilent
	if d.OK {
		p.stage = stageOver
	}
	p.end, p.resend = time.Time{}, time.Time{}
	out.Done = &d
}

// Advance repeats what got no answer or gives up, as far as it is due.
func (p *Peer) Advance(now time.Time, out *Out) {
	if p.stage != stageAsking {
		return
	}
	switch {
	case !now.Before(p.end):
		reason := NoAnswer
		if p.garbled {
			reason = MalformedAnswer
		}
		p.finish(Done{Reason: reason}, out)
	case p.resend.IsZero() || now.Before(p.resend):
	case p.cfg.Method == aaa.PAP:
		p.request(now, out)
	default:
		p.sendResponse(now, out)
	}
}

// Deadline is when Advance is due. The zero time means that no timer runs.
func (p *Peer) Deadline() time.Time { return earlier(p.end, p.resend) }
