package datapath

import (
	"fmt"
	"net/netip"
)

// Path says how datagrams travel between us and one peer. It is comparable: two datagrams with equal paths came the
// same way, and a datagram sent along the path of a received one answers it.
type Path struct {
	// Remote is the peer as seen from here, after any NAT. IPv4 peers have plain 4-octet addresses, never ones mapped
	// into IPv6. A link-local IPv6 address keeps its zone, written as the decimal number of the interface.
	Remote netip.AddrPort
	// Local is the address the peer spoke to; a reply leaves from it, because clients lock on to the address they
	// dialled. The zero value leaves the choice to the routing table. It carries no zone: that of Remote decides.
	Local netip.Addr
	// Socket is the number of the listening socket, as transport counts them.
	Socket uint8
}

// String reads "198.51.100.7:1701 to 192.0.2.1", or only the remote address when the local one is not known.
func (p Path) String() string {
	if !p.Local.IsValid() {
		return p.Remote.String()
	}
	return fmt.Sprintf("%s to %s", p.Remote, p.Local)
}

// Sender sends datagrams to peers. It may be used by many goroutines at once and keeps nothing of the datagrams after
// it returns. An error means that the datagrams, or the last ones of a batch, were not sent; L2TP repeats what it must.
type Sender interface {
	// Send sends one datagram along the path.
	Send(p Path, datagram []byte) error
	// SendBatch sends the datagrams along the path in order, in as few system calls as possible: runs of equal length,
	// the last one shorter, are the cheapest.
	SendBatch(p Path, datagrams [][]byte) error
}

// Ingress takes the datagrams of one reader. Each reader has an Ingress of its own; one Ingress is not safe for
// concurrent use.
type Ingress interface {
	// Receive says true when the datagram was user data of an open session: it is consumed, or was counted and dropped.
	// It says false when the datagram is for the engine: control messages, PPP control frames, unknown sessions.
	// The buffer must stay untouched until Flush returns.
	Receive(from Path, datagram []byte) bool
	// Flush writes out what Receive has collected. The reader calls it at the end of every batch.
	Flush()
}
