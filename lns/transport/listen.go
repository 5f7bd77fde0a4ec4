package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"lnsgate/lns/transport/spread"
)

// listen binds the sockets of one address. The first one is bound without SO_REUSEPORT, so that a second lnsgate, or
// anything else of this user, is found out instead of silently sharing the port; only then the port is opened to our
// other sockets.
func (t *Transport) listen(address netip.AddrPort, cfg Config) error {
	address = netip.AddrPortFrom(address.Addr().Unmap(), address.Port())
	if !address.Addr().IsValid() {
		return errors.New("listen: an address is empty")
	}
	first, err := t.bind(address, cfg, false)
	if err != nil {
		return t.explain(address, err)
	}
	first.firstOfAddress = true
	if cfg.SocketsPerAddress == 1 {
		return nil
	}
	if err := first.setOption(unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return fmt.Errorf("UDP %s: sharing the port between several sockets: %w", address, err)
	}
	for range cfg.SocketsPerAddress - 1 {
		if _, err := t.bind(first.address, cfg, true); err != nil {
			return t.explain(first.address, err)
		}
	}
	if cfg.BySession {
		return first.spreadBySession(cfg.SocketsPerAddress)
	}
	return nil
}

// spreadBySession has the kernel choose among all sockets of this address as package spread tells.
func (s *socket) spreadBySession(sockets int) error {
	steps, err := bpf.Assemble(spread.Program(sockets))
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(steps))
	for i, p := range steps {
		filter[i] = unix.SockFilter{Code: p.Op, Jt: p.Jt, Jf: p.Jf, K: p.K}
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	failed := s.raw.Control(func(fd uintptr) {
		err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &program)
	})
	if err = cmp.Or(failed, err); err != nil {
		return fmt.Errorf("UDP %s: spreading sessions over several sockets: %w", s.address, err)
	}
	return nil
}

func (t *Transport) bind(address netip.AddrPort, cfg Config, reusePort bool) (*socket, error) {
	// "udp6" makes the socket IPV6_V6ONLY, so that [::] leaves IPv4 to 0.0.0.0.
	network := "udp4"
	if address.Addr().Is6() {
		network = "udp6"
	}
	listen := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		if !reusePort {
			return nil
		}
		return setOption(raw, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}}
	conn, err := listen.ListenPacket(context.Background(), network, address.String())
	if err != nil {
		return nil, err
	}
	s, err := newSocket(conn.(*net.UDPConn), cfg.Log)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	t.sockets = append(t.sockets, s)
	return s, nil
}

// explain turns the error of a bind into a sentence for the administrator.
func (t *Transport) explain(address netip.AddrPort, err error) error {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		for _, s := range t.sockets {
			if overlap(s.address, address) {
				return fmt.Errorf("cannot listen on UDP %s: it overlaps %s in the same list of addresses: %w",
					address, s.address, err)
			}
		}
		return fmt.Errorf("cannot listen on UDP %s: another program (or another lnsgate) already listens on UDP %d; "+
			"see ss -ulpn: %w", address, address.Port(), err)
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("cannot listen on UDP %s: no interface of this host has the address %s; see ip addr: %w",
			address, address.Addr(), err)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("cannot listen on UDP %s: not permitted; ports below 1024 need root or CAP_NET_BIND_SERVICE: %w",
			address, err)
	case errors.Is(err, unix.EAFNOSUPPORT):
		return fmt.Errorf("cannot listen on UDP %s: this host has no %s: %w", address, family(address.Addr()), err)
	default:
		return fmt.Errorf("cannot listen on UDP %s: %w", address, err)
	}
}

// overlap says whether two listening addresses of one host exclude each other.
func overlap(a, b netip.AddrPort) bool {
	if a.Port() != b.Port() || a.Addr().Is4() != b.Addr().Is4() {
		return false
	}
	return a.Addr() == b.Addr() || a.Addr().IsUnspecified() || b.Addr().IsUnspecified()
}

func family(a netip.Addr) string {
	if a.Is4() {
		return "IPv4"
	}
	return "IPv6"
}
