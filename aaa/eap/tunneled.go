package eap

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"

	"lnsgate/aaa"
	"lnsgate/aaa/eap/packet"
)

// tunneled is a method on top of TLS: TLS itself, PEAP or TTLS. It carries the messages of TLS in fragments and has what is
// said inside answered.
type tunneled struct {
	kind   packet.Type
	config func() (*tls.Config, error)
	inside interior

	tunnel *tunnel
	in     packet.Reassembly
	out    packet.Outgoing
	greets bool           // our last words of the handshake are sent, or there were none
	failed *aaa.Rejection // waits for the peer to have the alert

	unjudged *heard // what the peer said inside, of which nobody could be asked; its message comes again
}

// interior is what goes on inside of TLS.
type interior interface {
	// hear takes what the peer said inside: nothing, at first, where it has nothing to say on its own account. What it wants
	// to say itself is said inside as well.
	hear(t *turn, tunnel *tunnel, plain []byte) move
	// keys derives those of the session.
	keys(*tunnel) (aaa.Keys, error)
}

func (m *tunneled) begin(uint8) []byte { return packet.Fragment{Start: true}.Append(nil) }

func (m *tunneled) step(t *turn, p packet.Packet) move {
	if m.unjudged != nil { // TLS reads nothing twice
		return m.talk(t, *m.unjudged)
	}
	f, err := packet.ParseFragment(p.Data)
	switch {
	case err != nil:
		return move{odd: true}
	case f.Version != 0 && m.kind != packet.TLS: // there the bits mean nothing
		return malformed("the peer speaks version %d of %s, this server version 0", f.Version, nameOf(m.kind))
	case m.out.Waiting() && f.IsAck():
		return m.send(t)
	case m.out.Waiting():
		return move{odd: true}
	}
	message, err := m.in.Add(f)
	switch {
	case err != nil:
		return malformed("the fragments of %s do not make a message", nameOf(m.kind))
	case message == nil:
		return move{say: packet.Fragment{}.Append(nil)}
	case m.failed != nil:
		return refuse(m.failed)
	case m.tunnel == nil && len(message) == 0:
		return move{odd: true}
	}
	return m.hear(t, message)
}

// hear takes a whole message of the peer.
func (m *tunneled) hear(t *turn, message []byte) move {
	if no := m.opened(t); no != nil {
		return refuse(no)
	}
	h := m.tunnel.feed(message)
	switch {
	case h.err != nil:
		h.err = inClear(message, h.err)
		m.failed = tlsFault(m.kind, h.err)
		if len(h.out) == 0 || gaveUp(h.err) { // the peer waits for the end and no answer (RFC 5216 section 2.1.3)
			return refuse(m.failed)
		}
		return m.queue(t, h.out)
	case !h.established, !m.greets && len(h.out) > 0: // an answer without octets asks for the rest of a record
		m.greets = h.established
		return m.queue(t, h.out)
	}
	m.greets = true
	return m.talk(t, h)
}

// opened begins TLS with the first message.
func (m *tunneled) opened(t *turn) *aaa.Rejection {
	if m.tunnel != nil {
		return nil
	}
	config, err := m.config()
	if err != nil {
		no := aaa.Reject(aaa.Misconfigured, "the server's certificate for EAP: %v", err)
		no.Err = err
		return no
	}
	var no *aaa.Rejection
	m.tunnel, no = t.open(config)
	return no
}

// talk has what was said inside answered.
func (m *tunneled) talk(t *turn, h heard) move {
	answer := m.inside.hear(t, m.tunnel, h.plain)
	m.unjudged = nil
	switch {
	case answer.no != nil && answer.no.Retryable():
		m.unjudged = &h
		return answer
	case answer.yes != nil:
		keys, err := m.inside.keys(m.tunnel)
		if err != nil {
			t.warn("EAP: no keys for the link: the device's TLS 1.2 has no extended master secret (RFC 7627); a network that encrypts does not let it in", err)
		}
		answer.yes.Keys = keys
		return answer
	case answer.say == nil:
		return answer
	}
	sealed, err := m.tunnel.say(answer.say)
	if err != nil {
		return refuse(tlsFault(m.kind, err))
	}
	return m.queue(t, append(h.out, sealed...))
}

// queue begins to send a message.
func (m *tunneled) queue(t *turn, message []byte) move {
	m.out = packet.NewOutgoing(message)
	return m.send(t)
}

func (m *tunneled) send(t *turn) move {
	f := m.out.Next(t.room)
	return move{say: f.Append(nil)}
}

// inClear finds the alert of a peer that ends TLS 1.3 before it encrypts, where crypto/tls expects only what is encrypted.
func inClear(message []byte, err error) error {
	const alertRecord, length = 21, 7 // header, level, description
	if len(message) != length || message[0] != alertRecord {
		return err
	}
	return &net.OpError{Op: remoteError, Err: tls.AlertError(message[length-1])}
}

// remoteError is how crypto/tls calls an alert of the peer.
const remoteError = "remote error"

// gaveUp says whether it was the peer who ended TLS.
func gaveUp(err error) bool {
	var alert *net.OpError
	return errors.As(err, &alert) && alert.Op == remoteError || errors.Is(err, io.EOF)
}

// tlsFault is why TLS ended, for the administrator.
func tlsFault(kind packet.Type, err error) *aaa.Rejection {
	var certificate *tls.CertificateVerificationError
	no := aaa.Reject(aaa.MalformedProof, "%s: the peer and this server do not agree: %v", nameOf(kind), err)
	switch {
	case errors.As(err, &certificate):
		no.Detail = "the peer's certificate is not accepted: " + err.Error()
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		no.Detail = nameOf(kind) + ": the TLS connection was ended"
	case gaveUp(err):
		no.Detail = fmt.Sprintf("%s: the peer gave up: %v; where it does not trust this server, it needs the CA of the server's certificate, "+
			"and the server's name", nameOf(kind), err)
	}
	no.Err = err
	return no
}
