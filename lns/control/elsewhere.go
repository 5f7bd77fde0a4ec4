package control

import (
	"time"

	"lnsgate/lns/l2tp"
)

// Plausible reports whether a datagram that did not come from where the peer was is what the peer would say next: a
// message in order that acknowledges nothing but what was said. It changes nothing.
func (t *Tunnel) Plausible(datagram []byte) bool {
	h, payload, err := l2tp.ParseHeader(datagram)
	if err != nil || !h.Control || h.Tunnel != t.cfg.LocalTunnel || len(payload) == 0 || t.state != StateEstablished {
		return false
	}
	return h.Ns == t.channel.expected && t.channel.couldAcknowledge(h.Nr)
}

// couldAcknowledge reports whether nr acknowledges only what was said.
func (c *Channel) couldAcknowledge(nr uint16) bool {
	n := int(int16(nr - c.una))
	return n >= 0 && n <= c.reached
}

// AskForLife sends a HELLO now. It does nothing unless the tunnel is established and the peer has answered all that was
// said before.
func (t *Tunnel) AskForLife(now time.Time, out *Out) {
	if t.state == StateEstablished && t.channel.Idle() {
		t.say(0, l2tp.Hello{}, now, out)
	}
}

// SetHello changes after how long a silence of the peer a HELLO is sent; 0 is never.
func (t *Tunnel) SetHello(interval time.Duration) { t.cfg.HelloInterval = interval }
