package order

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"lnsgate/aaa/radius/wire"
)

var errClosed = errors.New("lnsgate is ending")

// families are the sockets: of IPv4 and of IPv6.
const (
	four = iota
	six
	families
)

func familyOf(a netip.Addr) int {
	if a.Is4() {
		return four
	}
	return six
}

// socket gives out the socket of a family, which is opened when it is needed first.
func (s *Sender) socket(family int) (net.PacketConn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if s.sockets[family] != nil {
		return s.sockets[family], nil
	}
	local := [families]netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}[family]
	for _, a := range s.config.Local {
		if a = a.Unmap(); familyOf(a) == family {
			local = a
		}
	}
	conn, err := s.config.Listen([families]string{"udp4", "udp6"}[family], netip.AddrPortFrom(local, 0).String())
	if err != nil {
		return nil, fmt.Errorf("no socket to send from: %w", err)
	}
	s.sockets[family] = conn
	s.running.Go(func() { s.read(family, conn) })
	return conn, nil
}

// read takes datagrams until the socket is closed, or broken: the next request opens another.
func (s *Sender) read(family int, conn net.PacketConn) {
	buffer := make([]byte, wire.MaxLength+1)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err == nil {
			s.take(buffer[:n], sourceOf(from))
			continue
		}
		s.mu.Lock()
		expected := s.closed
		s.sockets[family] = nil
		s.mu.Unlock()
		if !expected {
			s.config.Log.Error("requests to NASes: a socket is broken; the next request opens another", "cause", err)
			conn.Close() //nolint:errcheck // it is of no use any more
		}
		return
	}
}

func sourceOf(a net.Addr) netip.AddrPort {
	if u, ok := a.(*net.UDPAddr); ok {
		from := u.AddrPort()
		return netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	}
	return netip.AddrPort{}
}

// take does with one datagram what the package says.
func (s *Sender) take(datagram []byte, from netip.AddrPort) {
	c, counter := s.find(datagram, from)
	if c == nil {
		s.count(counter)
		return
	}
	verified, err := c.key.VerifyReply(datagram, c.authenticator)
	switch {
	case errors.Is(err, wire.ErrAuthenticator), errors.Is(err, wire.ErrMessageAuthenticator):
		s.count(&s.stats.Forged)
		s.warn(from)
	case err != nil, !answers(c.code, verified.Code()):
		s.count(&s.stats.Malformed)
	default:
		select {
		case c.reply <- c.key.Parse(verified):
		default: // another copy of it was faster
			s.count(&s.stats.Late)
		}
	}
}

// find finds the call that a datagram may answer, or what to count.
func (s *Sender) find(datagram []byte, from netip.AddrPort) (*call, *uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.peers[from]
	switch {
	case p == nil:
		return nil, &s.stats.Stranger
	case len(datagram) < wire.HeaderLength:
		return nil, &s.stats.Malformed
	}
	if c := p.waiting[datagram[1]]; c != nil && c.reply != nil {
		return c, nil
	}
	return nil, &s.stats.Late
}

// warn tells of the first answer that was not made with the secret: an old one may be of a request with the same number, but
// mostly it is the secret.
func (s *Sender) warn(from netip.AddrPort) {
	if s.told.CompareAndSwap(false, true) {
		s.config.Log.Warn("requests to NASes: an answer was thrown away, others like it are only counted: it was not made with the secret "+
			"of the NAS; compare the secrets", "peer", from.String())
	}
}

func (s *Sender) count(counter *uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*counter++
}
