package eap

import (
	"lnsgate/aaa"
	"lnsgate/aaa/eap/packet"
)

// peap is the inside of PEAP version 0 (MS-PEAP): EAP once more, without headers, and at the end both sides say what came of it.
type peap struct {
	dialog dialog
	asked  bool // who the peer is
	named  bool // it has said so
	yes    *aaa.Decision
	no     *aaa.Rejection
}

func newPEAP() interior {
	return &peap{dialog: dialog{choices: []choice{{packet.MSCHAPv2, newMSCHAPv2}, {packet.GTC, newGTC}}}}
}

func (m *peap) hear(t *turn, _ *tunnel, plain []byte) move {
	switch {
	case m.yes != nil || m.no != nil:
		return m.ended(plain)
	case !m.asked:
		m.asked = true
		return move{say: []byte{byte(packet.Identity)}}
	case len(plain) == 0:
		return move{odd: true}
	}
	p := unwrap(plain, m.dialog.id)
	if p.Type == 0 {
		return malformed("peap: what the peer says inside is no EAP")
	}
	own := *t
	own.proven = nil
	if !m.named {
		if p.Type != packet.Identity {
			return malformed("peap: the peer does not say inside who it is")
		}
		m.named = true
		return m.answer(m.dialog.begin(p))
	}
	return m.answer(m.dialog.take(&own, p))
}

// answer says a Request inside, or how it ended.
func (m *peap) answer(r reply) move {
	result := uint16(packet.ResultFailure)
	switch {
	case r.odd:
		return malformed("peap: what the peer says inside is no answer to what it was asked")
	case r.no != nil && r.no.Retryable():
		return refuse(r.no)
	case r.yes != nil:
		result = packet.ResultSuccess
	case r.no == nil:
		return move{say: append([]byte{byte(r.request.Type)}, r.request.Data...)}
	}
	m.yes, m.no = r.yes, r.no
	return move{say: packet.Packet{Code: packet.Request, Identifier: m.dialog.id + 1, Type: packet.Extensions,
		Data: packet.AppendResult(nil, result)}.Append(nil)}
}

// ended takes the peer's word on how it ended. Only if both say that it went well it did: somebody between may have
// shown the peer something else.
func (m *peap) ended(plain []byte) move {
	if m.no != nil {
		return refuse(m.no)
	}
	p := unwrap(plain, m.dialog.id)
	result, err := packet.ParseResult(p.Data)
	if p.Type != packet.Extensions || err != nil || result != packet.ResultSuccess {
		return malformed("peap: the peer does not agree that it is let in")
	}
	return move{yes: m.yes}
}

func (*peap) keys(t *tunnel) (aaa.Keys, error) { return t.keys(labelTLS, nil) }

// unwrap reads a Response inside. It has no header, but for that of the result; there are peers that always write one.
func unwrap(plain []byte, id uint8) packet.Packet {
	if p, err := packet.Parse(plain); err == nil && p.Code == packet.Response {
		return p
	}
	if len(plain) == 0 {
		return packet.Packet{}
	}
	return packet.Packet{Code: packet.Response, Identifier: id, Type: packet.Type(plain[0]), Data: plain[1:]}
}
