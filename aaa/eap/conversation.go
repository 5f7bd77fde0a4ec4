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
	decision *aaa.Decision // the answer to it, or
	err      error         // this
	over     bool
	turns    int
	odd      int

	place  *list.Element
	proven bool // the peer has answered a Request
	gone   bool
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
		c.decision, c.err = nil, aaa.Reject(aaa.MalformedProof, "the EAP conversation is over")
		return
	}
	p, err := packet.Parse(octets)
	if err != nil {
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
	c.heard, c.odd = bytes.Clone(octets), 0
	c.turns++
	switch {
	case r.yes != nil:
		c.over, c.decision, c.err = true, r.yes, nil
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

// refuse ends it. Whatever the reason, the peer sees the same.
func (c *conversation) refuse(no *aaa.Rejection, last []byte) {
	own := *no
	own.Reply, own.Packet = "", failure(last)
	c.over, c.decision, c.err = true, nil, &own
}
