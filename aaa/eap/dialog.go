package eap

import (
	"slices"

	"lnsgate/aaa"
	"lnsgate/aaa/eap/packet"
)

// choice is a method that can be offered.
type choice struct {
	kind packet.Type
	make func() method
}

// dialog is the authenticator's side of one EAP conversation: with the peer, or with the peer inside of a tunnel. It agrees
// on a method and has it go on.
type dialog struct {
	choices []choice // that were not offered yet, the best first
	kind    packet.Type
	method  method
	name    string
	id      uint8 // of the Request that waits for an answer
	settled bool  // the peer goes along with the method
}

// reply is what a dialog makes of a Response: a Request, or the end, or nothing.
type reply struct {
	request packet.Packet
	yes     *aaa.Decision
	no      *aaa.Rejection
	odd     bool
}

// begin takes the Response that says who the peer is (RFC 3748 section 5.1).
func (d *dialog) begin(p packet.Packet) reply {
	d.name, d.id = string(p.Data), p.Identifier
	return d.offer(0)
}

// offer begins with one of the choices.
func (d *dialog) offer(i int) reply {
	chosen := d.choices[i]
	d.choices = slices.Concat(d.choices[:i], d.choices[i+1:]) // others share them
	d.kind, d.method = chosen.kind, chosen.make()
	d.id++
	return d.ask(d.method.begin(d.id))
}

// ask makes the Request with the identifier that it has already.
func (d *dialog) ask(data []byte) reply {
	return reply{request: packet.Packet{Code: packet.Request, Identifier: d.id, Type: d.kind, Data: data}}
}

// take takes a Response. One with another identifier, or of a type that was not asked for, is no answer (RFC 3748 section
// 4.1); nor is a Nak once the peer has gone along (section 5.3.1).
func (d *dialog) take(t *turn, p packet.Packet) reply {
	switch {
	case p.Code != packet.Response || p.Identifier != d.id:
		return reply{odd: true}
	case p.Type == packet.Nak && !d.settled:
		return d.other(p.Wishes())
	case p.Type != d.kind:
		return reply{odd: true}
	}
	if !d.settled && t.proven != nil {
		if no := t.proven(); no != nil {
			return reply{no: no}
		}
	}
	d.settled = true
	own := *t
	own.name = d.name
	m := d.method.step(&own, p)
	if m.say == nil {
		return reply{yes: m.yes, no: m.no, odd: m.odd}
	}
	d.id++
	return d.ask(m.say)
}

// other offers the best method that the peer wishes.
func (d *dialog) other(wishes []packet.Type) reply {
	i := slices.IndexFunc(d.choices, func(c choice) bool { return slices.Contains(wishes, c.kind) })
	if i < 0 {
		return reply{no: aaa.Reject(aaa.MethodNotAllowed, "the peer wants none of the EAP methods that are offered; "+
			"instead of %s it wants %s", nameOf(d.kind), wishesText(wishes)).For(aaa.EAPNoMethod)}
	}
	return d.offer(i)
}
