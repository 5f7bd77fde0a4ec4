package udp

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// Socket is one UDP socket. It answers from the address that it was asked at, which on a machine with several is not the one
// that routing would take, and a client takes answers from no other.
type Socket struct{ *net.UDPConn }

// RoomInKernel is for the requests that come while one is looked at.
const RoomInKernel = 4 << 20

// Open opens a socket of one family: 0.0.0.0 is not for IPv6.
func Open(at netip.AddrPort) (Socket, error) {
	network, level, option := "udp4", unix.IPPROTO_IP, unix.IP_PKTINFO
	if at.Addr().Is6() && !at.Addr().Is4In6() {
		network, level, option = "udp6", unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO
	}
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var fault error
		err := c.Control(func(fd uintptr) { fault = unix.SetsockoptInt(int(fd), level, option, 1) })
		if err != nil {
			return err
		}
		return fault
	}}
	conn, err := config.ListenPacket(context.Background(), network, at.String())
	if err != nil {
		return Socket{}, err
	}
	udp := conn.(*net.UDPConn)
	Enlarge(udp, RoomInKernel)
	return Socket{udp}, nil
}

// Enlarge gives a socket room for so many octets that come at once; more than the system's limit (net.core.rmem_max) if we are allowed
// to (CAP_NET_ADMIN). Less is no reason to stay away.
func Enlarge(c *net.UDPConn, octets int) {
	_ = c.SetReadBuffer(octets)
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, octets) })
	}
}

// RoomForControl is what the kernel needs to tell the address: one message, the larger one of IPv6.
var RoomForControl = unix.CmsgSpace(unix.SizeofInet6Pktinfo)

// BackFrom makes the control message of an answer out of that of a request. The interface is left to routing, but for
// link-local addresses, which say nothing without it.
func BackFrom(control []byte) []byte {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil || len(messages) != 1 {
		return nil
	}
	answer := append([]byte(nil), control...)
	data := answer[unix.CmsgLen(0):]
	switch h := messages[0].Header; {
	case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
		binary.NativeEndian.PutUint32(data, 0)
	case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
		if a := netip.AddrFrom16([16]byte(data[:16])); !a.IsLinkLocalUnicast() {
			binary.NativeEndian.PutUint32(data[16:], 0)
		}
	default:
		return nil
	}
	return answer
}

// Send sends an answer with the control message that BackFrom made.
func (s Socket) Send(b, back []byte, to netip.AddrPort) {
	_, _, _ = s.WriteMsgUDPAddrPort(b, back, to) // who gets nothing asks again
}
