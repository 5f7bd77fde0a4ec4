package eap

import (
	"bytes"
	"container/list"
	"crypto/tls"
	"sync"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/eap/packet"
)

// Bounds of one conversation.
const (
	mostTurns = 1024 // a long chain of certificates in small fragments takes some hundreds
	mostOdd   = 5    // Responses in a row that are no answer
)

// conversation is one login. Its first part belongs to who holds mu, the second to the conversations that it is among.
type conversation struct {
	name  string // outside
	state [16]byte
	only  *Config // what counted when it began

	mu       sync.Mutex
	dialog   dialog
	request  []byte        // that waits for an answer, a whole packet
	heard    []byte        // the Response that was answered last, a whole packet
	unjudged []byte        // the Response of which nobody could be asked; nil: the last one was judged
	decision *aaa.Decision // the answer to it, or
	err      error         // this
	over     bool
	turns    int
	odd      int

	place  *list.Element
	proven bool // the peer has answered a Request
	ended  bool // with a yes, which is kept for a while
	gone   bool
	begun  time.Time
	last   time.Time // that it was heard of
	until  time.Time
	tunnel *tunnel
}

// answer is what was made of the last Response.
func (c *conversation) answer() (aaa.Decision, error) {
	if c.decision == nil {
		return aaa.Decision{}, c.err
	}
	return *c.decision, nil
}

// choices are the methods as the dialog offers them.
func (c *Config) choices() []choice {
	var list []choice
	for _, m := range c.Methods {
		config := func() (*tls.Config, error) { return c.tlsConfig(m) }
		over := func(kind packet.Type, inside func() interior) choice {
			return choice{kind, func() method { return &tunneled{kind: kind, config: config, inside: inside()} }}
		}
		switch m {
		case TLS:
			list = append(list, over(packet.TLS, func() interior { return &certificate{} }))
		case PEAP:
			list = append(list, over(packet.PEAP, newPEAP))
		case TTLS:
			list = append(list, over(packet.TTLS, newTTLS))
		case MSCHAPv2:
			list = append(list, choice{packet.MSCHAPv2, newMSCHAPv2})
		case MD5:
			list = append(list, choice{packet.MD5Challenge, newMD5})
		}
	}
	return list
}

// begin takes the Response that says who the peer is. The caller has checked that it is one.
func (c *conversation) begin(p packet.Packet, octets []byte) {
	c.dialog.choices = c.only.offered
	c.settle(p, octets, c.dialog.begin(p))
}

// hear takes a Response. One that comes again gets the same answer again.
func (c *conversation) hear(t *turn, octets []byte) {
	switch {
	case bytes.Equal(octets, c.heard):
		return
	case c.over:
		c.deny(aaa.Reject(aaa.MalformedProof, "the EAP conversation is over"), octets)
		return
	}
	p, err := packet.Parse(octets)
	if err != nil || c.unjudged != nil && !bytes.Equal(octets, c.unjudged) {
		c.again(octets)
		return
	}
	r := c.dialog.take(t, p)
	if r.odd {
		c.again(octets)
		return
	}
	c.settle(p, octets, r)
}

// settle makes the answer to a Response.
func (c *conversation) settle(p packet.Packet, octets []byte, r reply) {
	c.turns++
	if r.no != nil && r.no.Retryable() && c.turns <= mostTurns {
		c.postpone(r.no, octets)
		return
	}
	c.heard, c.unjudged, c.odd = bytes.Clone(octets), nil, 0
	switch {
	case r.yes != nil:
		c.over, c.decision, c.err, c.dialog = true, r.yes, nil, dialog{}
		c.decision.Reply, c.decision.Packet = "", packet.End(packet.Success, p.Identifier)
	case r.no != nil:
		c.refuse(r.no, octets)
	case c.turns > mostTurns:
		c.refuse(aaa.Reject(aaa.MalformedProof, "the EAP conversation does not come to an end"), octets)
	default:
		c.request = r.request.Append(nil)
		c.ask()
	}
}

// again asks once more what was not answered (RFC 3579 section 2.2), but not for ever.
func (c *conversation) again(octets []byte) {
	if c.odd++; c.odd > mostOdd {
		c.refuse(aaa.Reject(aaa.MalformedProof, "the peer does not answer what it is asked"), octets)
		return
	}
	c.ask()
}

func (c *conversation) ask() {
	c.decision, c.err = nil, &aaa.Challenge{Packet: c.request, State: c.state[:], Backend: Backend}
}

// postpone says no for now. The same Response may come again, from a NAS that has heard nothing, and is judged then: methods
// are where they were before.
func (c *conversation) postpone(no *aaa.Rejection, octets []byte) {
	c.unjudged = bytes.Clone(octets)
	c.deny(no, octets)
}

// refuse ends it. Whatever the reason, the peer sees the same.
func (c *conversation) refuse(no *aaa.Rejection, last []byte) {
	c.over = true
	c.deny(no, last)
}

func (c *conversation) deny(no *aaa.Rejection, last []byte) {
	own := *brokeOff(no)
	own.Reply, own.Packet = "", failure(last)
	c.decision, c.err = nil, &own
}

// brokeOff gives its reason to the no of a conversation that came to no end of its own.
func brokeOff(no *aaa.Rejection) *aaa.Rejection {
	if no.Cause != aaa.MalformedProof || no.Reason != aaa.ReasonNone {
		return no
	}
	own := *no
	return own.For(aaa.EAPBrokeOff)
}
