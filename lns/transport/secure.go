package transport

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// TellSecure has every datagram's path say whether it came through IPsec: it did if the firewall has given it this mark, which is not
// zero. The kernel does not tell a socket itself what IPsec has done with a packet, but it tells the firewall (in nftables "meta ipsec
// exists"), and what mark the firewall has set it tells the socket. It needs Linux 6.0 (SO_RCVMARK) and CAP_NET_ADMIN.
//
// Paths say so from the next datagram on. Calling again changes the mark.
func (t *Transport) TellSecure(mark uint32) error {
	for _, s := range t.sockets {
		if err := s.setOption(unix.SOL_SOCKET, unix.SO_RCVMARK, 1); err != nil {
			return fmt.Errorf("UDP %s: the kernel does not tell the marks of the firewall, so that nobody knows what came through IPsec%s: %w",
				s.address, remedy(err), err)
		}
	}
	for _, s := range t.sockets {
		s.secureMark.Store(mark)
	}
	return nil
}

func remedy(err error) string {
	switch {
	case errors.Is(err, unix.ENOPROTOOPT):
		return "; Linux 6.0 or newer is needed"
	case errors.Is(err, unix.EPERM):
		return "; CAP_NET_ADMIN is needed"
	}
	return ""
}
