package authenticate

import (
	"bytes"
	"time"

	"lnsgate/lns/ppp"
)

// receiveEAP takes a Request or a verdict. The same Request again gets the same Response (RFC 3748 section 4.1). A verdict
// counts only after a proof was given: anybody could send a Success.
func (p *Peer) receiveEAP(octets []byte, now time.Time, out *Out) {
	e, err := ppp.ParseEAP(octets)
	switch {
	case err != nil:
		p.garbled = true
	case e.Code == ppp.EAPRequest:
		p.answerEAP(e, octets, now, out)
	case p.stage != stageAsking:
	case e.Code == ppp.EAPFailure:
		p.endEAP(octets, Done{Reason: Refused}, out)
	case e.Code == ppp.EAPSuccess && p.answered:
		p.endEAP(octets, Done{OK: true}, out)
	}
}

func (p *Peer) endEAP(octets []byte, d Done, out *Out) {
	if leader, leads := p.cfg.Credentials.(EAPResponder); leads {
		leader.RespondEAP(octets)
	}
	p.finish(d, out)
}

func (p *Peer) answerEAP(e ppp.EAPPacket, octets []byte, now time.Time, out *Out) {
	if p.response == nil || !bytes.Equal(octets, p.challenge) {
		response, reason := p.respondEAP(e, octets)
		if reason != ReasonNone {
			p.refuse(reason, out)
			return
		}
		p.challenge, p.response = bytes.Clone(octets), response
	}
	out.Frames = append(out.Frames, ppp.Frame{Protocol: ppp.EAP, Packet: bytes.Clone(p.response)})
	if p.stage == stageAsking { // the server is at work: it has the whole time anew
		p.end = now.Add(p.cfg.Timeout)
	}
}

// respondEAP answers a Request: who we are, that we have read a notification, the proof by MD5, or that we want MD5.
func (p *Peer) respondEAP(e ppp.EAPPacket, octets []byte) ([]byte, Reason) {
	if leader, leads := p.cfg.Credentials.(EAPResponder); leads {
		response := leader.RespondEAP(octets)
		if response == nil {
			return nil, CannotAnswer
		}
		p.answered = true
		return response, ReasonNone
	}
	r := ppp.EAPPacket{Code: ppp.EAPResponse, Identifier: e.Identifier, Type: e.Type}
	switch e.Type {
	case ppp.EAPIdentity:
		r.Data = []byte(p.cfg.Name)
	case ppp.EAPNotification:
	case ppp.EAPMD5Challenge:
		challenge, err := ppp.ParseCHAPValue(e.Data) // the same shape (RFC 3748 section 5.4)
		if err != nil || len(challenge.Value) == 0 {
			return nil, MalformedAnswer
		}
		proof := p.cfg.Credentials.CHAP(e.Identifier, challenge.Value)
		if len(proof) != md5ResponseLength {
			return nil, CannotAnswer
		}
		p.answered = true
		r.Data = ppp.CHAPValue{Value: proof, Name: []byte(p.cfg.Name)}.Append(nil)
	default:
		r.Type, r.Data = ppp.EAPNak, []byte{ppp.EAPMD5Challenge}
	}
	return r.Append(nil), ReasonNone
}
