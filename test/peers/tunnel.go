package peers

import (
	"crypto/md5"
	"slices"
)

// control is the control connection: what is on the way, and what has been heard.
type control struct {
	ns, nr  uint16
	waiting []outgoing // said and not acknowledged, the oldest first
}

// outgoing is a message that the server has not acknowledged.
type outgoing struct {
	ns    uint16
	octet []byte
	tries int
	acked func() // what follows
}

// Dial says the first words.
func (p *Peer) Dial() {
	for range p.Profile.HelloBurst { // outside reliable delivery: they only wake up IPsec
		p.Raw(Control{AVPs: Message(HELLO)}.Octets())
	}
	p.Say(0, SCCRQ, nil, p.start()...)
}

// start are the AVPs of the SCCRQ.
func (p *Peer) start() []AVP {
	list := p.withTunnel(p.Profile.Start)
	if p.Login.Challenge != nil {
		list = append(list, AVP{Type: 11, Value: p.Login.Challenge})
	}
	return list
}

// withTunnel puts the id of the tunnel in its place.
func (p *Peer) withTunnel(list []AVP) []AVP {
	list = slices.Clone(list)
	for i, a := range list {
		if a.Type == AssignedTunnel.Type && a.Vendor == 0 {
			a.Value = Number(9, p.Tunnel).Value
			list[i] = a
		}
	}
	return list
}

// Say says a control message and repeats it until it is acknowledged; then comes what follows. Session is the server's
// id of the call, or 0.
func (p *Peer) Say(session, kind uint16, acked func(), rest ...AVP) {
	c := Control{Tunnel: p.headerTunnel(), Session: session, Ns: p.ns, Nr: p.nr, AVPs: Message(kind, rest...)}
	p.ns++
	p.note("> %s", c)
	p.waiting = append(p.waiting, outgoing{ns: c.Ns, octet: c.Octets(), acked: acked})
	p.transmit(c.Ns)
}

// headerTunnel is the tunnel id of what is sent.
func (p *Peer) headerTunnel() uint16 {
	if p.Profile.TunnelZero && p.ServerSession != 0 {
		return 0
	}
	return p.ServerTunnel
}

func (p *Peer) transmit(ns uint16) {
	i := slices.IndexFunc(p.waiting, func(o outgoing) bool { return o.ns == ns })
	if i < 0 {
		return
	}
	o := &p.waiting[i]
	if o.tries++; o.tries > max(p.Profile.Tries, 1) {
		p.note("! %d tries", o.tries-1)
		return
	}
	o.octet[10], o.octet[11] = byte(p.nr>>8), byte(p.nr) // a repetition acknowledges what has come since
	p.Raw(o.octet)
	p.After(p.Profile.Resend, func() { p.transmit(ns) })
}

// Acknowledge sends a bare acknowledgement.
func (p *Peer) Acknowledge() {
	p.Raw(Control{Tunnel: p.headerTunnel(), Ns: p.ns, Nr: p.nr}.Octets())
}

func (p *Peer) receiveControl(b []byte) {
	c, err := ReadControl(b)
	if err != nil {
		p.fault("%v: % x", err, b)
		return
	}
	p.note("< %s", c)
	p.heard = append(p.heard, c)
	if c.Tunnel != p.Tunnel {
		p.fault("a message for tunnel %d", c.Tunnel)
		return
	}
	p.acknowledged(c.Nr)
	if c.Type() == 0 || p.OnControl != nil && p.OnControl(c) {
		return
	}
	switch ahead := int16(c.Ns - p.nr); {
	case ahead < 0:
		p.Acknowledge()
		return
	case ahead >= int16(max(p.Profile.Window, 1)):
		p.fault("%s is beyond the window of %d", c, p.Profile.Window)
		return
	case ahead > 0: // no room to put it in order
		p.Acknowledge()
		return
	}
	if p.Profile.StepByStep && len(p.waiting) > 0 {
		p.note("! dropped: an acknowledgement is awaited")
		return
	}
	if c.Type() == HELLO && p.Profile.DeafToHello {
		return
	}
	p.nr++
	p.take(c)
}

// acknowledged takes off what the server has, and does what follows.
func (p *Peer) acknowledged(nr uint16) {
	for len(p.waiting) > 0 && int16(nr-p.waiting[0].ns) > 0 {
		follows := p.waiting[0].acked
		p.waiting = p.waiting[1:]
		if follows != nil {
			follows()
		}
	}
}

// take acts on the next message in order, and acknowledges it where nothing that it says does.
func (p *Peer) take(c Control) {
	said := p.ns
	switch c.Type() {
	case SCCRP:
		p.accepted(c)
	case ICRP:
		p.called(c)
	case StopCCN, CDN:
		if p.closed == nil {
			p.closed = &c
		}
	}
	if p.ns == said {
		p.Acknowledge()
	}
}

// accepted follows the SCCRP.
func (p *Peer) accepted(c Control) {
	p.ServerTunnel = c.Number(9)
	if p.Login.Challenge != nil {
		response, _ := c.Get(13)
		if want := p.prove(SCCRP, p.Login.Challenge); !slices.Equal(response, want) {
			p.fault("the response to the challenge is % x, not % x", response, want)
			p.Say(0, StopCCN, nil, AssignedTunnelOf(p.Tunnel), Number(1, 4))
			return
		}
	}
	rest := p.withTunnel(p.Profile.Connected)
	if challenge, asked := c.Get(11); asked && p.Login.Secret != "" {
		rest = append(rest, AVP{Type: 13, Value: p.prove(SCCCN, challenge)})
	}
	if p.Profile.StepByStep {
		p.Say(0, SCCCN, p.place, rest...)
		return
	}
	p.Say(0, SCCCN, nil, rest...)
	p.place()
}

// AssignedTunnelOf is the Assigned Tunnel ID of a StopCCN.
func AssignedTunnelOf(id uint16) AVP { return Number(9, id) }

// prove answers a challenge (RFC 2661 section 5.1.1).
func (p *Peer) prove(carrier byte, challenge []byte) []byte {
	sum := md5.Sum(slices.Concat([]byte{carrier}, []byte(p.Login.Secret), challenge))
	return sum[:]
}

// place announces the call.
func (p *Peer) place() {
	p.Say(0, ICRQ, nil, append([]AVP{Number(14, p.Session), Long(15, 0)}, p.Profile.Call...)...)
}

// called follows the ICRP.
func (p *Peer) called(c Control) {
	p.ServerSession = c.Number(14)
	answer := append([]AVP{Long(24, 100_000_000), Long(19, 1)}, p.Profile.Answer...)
	if p.Profile.StepByStep {
		p.Say(p.ServerSession, ICCN, p.beginLink, answer...)
		return
	}
	p.Say(p.ServerSession, ICCN, nil, answer...)
	p.beginLink()
}

// HangUp ends the call as the profile's peer does, by a CDN.
func (p *Peer) HangUp(rest ...AVP) {
	p.Say(p.ServerSession, CDN, nil, append(rest, Number(14, p.Session))...)
}

// Stop ends the tunnel.
func (p *Peer) Stop(result ...byte) {
	p.Say(0, StopCCN, nil, AssignedTunnelOf(p.Tunnel), AVP{Type: 1, Value: result})
}
