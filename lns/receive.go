package lns

import (
	"bytes"
	"time"

	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/ppp"
)

// Receiver takes the datagrams of one reader of the transport. It is not safe for concurrent use; each reader has its own.
type Receiver struct {
	server  *Server
	ingress datapath.Ingress
}

// Receiver makes a receiver for one more reader.
func (s *Server) Receiver() *Receiver {
	return &Receiver{server: s, ingress: s.deps.DataPath.Ingress()}
}

// Datagram takes one datagram. User traffic goes straight on; control messages and PPP control frames are copied to the goroutine
// of their tunnel. The octets must stay untouched until Keep or Flush returns.
func (r *Receiver) Datagram(from datapath.Path, b []byte) {
	if l2tp.IsControl(b) {
		r.server.control(from, b)
		return
	}
	if !from.Secure && r.server.secured.Load() && r.server.wantsIPsec(b) {
		r.server.counters.add(dropWithoutIPsec)
		return
	}
	if !r.ingress.Receive(from, b) {
		r.server.frame(from, b)
	}
}

// wantsIPsec reports whether a data message is for a tunnel whose group wants IPsec.
func (s *Server) wantsIPsec(b []byte) bool {
	h, _, err := l2tp.ParseHeader(b)
	if err != nil {
		return false
	}
	t := s.tunnels.find(h.Tunnel)
	return t != nil && t.group.RequireIPsec
}

// Keep ends a batch of datagrams behind which there is another one.
func (r *Receiver) Keep() { r.ingress.Keep() }

// Flush ends a batch of datagrams.
func (r *Receiver) Flush() { r.ingress.Flush() }

// control brings a control datagram to its tunnel, or a stranger's SCCRQ to a new one.
func (s *Server) control(from datapath.Path, b []byte) {
	h, payload, err := l2tp.ParseHeader(b)
	if err != nil {
		s.counters.add(dropNotL2TP)
		return
	}
	if h.Tunnel == 0 {
		s.stranger(from, payload, b)
		return
	}
	switch t := s.tunnels.find(h.Tunnel); {
	case t == nil:
		if !s.awaken(from, h, payload, b, time.Now()) {
			s.counters.add(dropUnknownTunnel)
		}
	case t.group.RequireIPsec && !from.Secure:
		s.counters.add(dropWithoutIPsec)
	case *t.home.Load() != from.Remote:
		t.fromElsewhere(from, b)
	case t.helloNow(payload, b, time.Now()):
	default:
		t.hand(controlMessage{bytes.Clone(b)})
	}
}

// frame brings a PPP frame that the data path has no use for to its tunnel.
func (s *Server) frame(from datapath.Path, b []byte) {
	h, payload, err := l2tp.ParseHeader(b)
	if err != nil || h.Control {
		s.counters.add(dropNotL2TP)
		return
	}
	p, packet, err := ppp.ParseFrame(payload)
	chat := p < ppp.FirstControl
	if err != nil || chat && !asksByDHCP(p, packet) && !forNeighbour(p, packet) {
		s.counters.add(dropUserData) // the session is not open, or there is none: a tunnel has no use for it
		return
	}
	switch t := s.tunnels.find(h.Tunnel); {
	case t == nil:
		s.counters.add(dropUnknownTunnel)
	case *t.home.Load() != from.Remote:
		t.frameFromElsewhere(from, h.Session, payload)
	case chat && !t.chats.begin(h.Session):
		s.counters.add(dropMailboxFull)
	case chat:
		t.hand(chatFrame{pppFrame{session: h.Session, octets: bytes.Clone(payload)}, &t.chats})
	default:
		t.hand(pppFrame{session: h.Session, octets: bytes.Clone(payload)})
	}
}

// hand gives the tunnel a datagram from its peer.
func (t *tunnel) hand(l letter) {
	if !t.mail.post(l, true) {
		if c, ok := l.(chatFrame); ok {
			c.chats.end(c.session)
		}
		t.server.counters.add(dropMailboxFull)
		return
	}
	t.heard.Store(time.Now().UnixNano())
}
