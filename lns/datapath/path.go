package datapath

import (
	"fmt"
	"net/netip"
	"slices"
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
	// Secure says that the datagram came through IPsec, as far as the host's firewall tells. It means nothing for sending.
	Secure bool
}

// String reads "198.51.100.7:1701 to 192.0.2.1", or only the remote address when the local one is not known.
func (p Path) String() string {
	if !p.Local.IsValid() {
		return p.Remote.String()
	}
	return fmt.Sprintf("%s to %s", p.Remote, p.Local)
}

// Sender sends datagrams to peers. It may be used by many goroutines at once and keeps nothing of the datagrams after
// it returns. It never waits for a congested peer: what finds no room is lost, and an error says so. L2TP and TCP repeat
// what they must.
type Sender interface {
	// Send sends one datagram along the path. An error means that it was not sent.
	Send(p Path, datagram []byte) error
	// SendBatch sends the datagrams along the path in order, in as few system calls as possible: runs of equal length,
	// the last one shorter, are the cheapest. A *BatchError tells which were not sent; with any other error none were.
	SendBatch(p Path, datagrams [][]byte) error
}

// BatchError says which datagrams of a batch were not sent.
type BatchError struct {
	// Skipped are the numbers of single datagrams that were not sent, ascending.
	Skipped []int
	// From is the number of the first one of those at the end that were not sent; the batch's length if there are none.
	From int
	// Err is why the first of them was not sent.
	Err error
}

// Error tells how it began.
func (e *BatchError) Error() string {
	first := e.From
	if len(e.Skipped) > 0 {
		first = e.Skipped[0]
	}
	return fmt.Sprintf("datagram %d of the batch: %v", first, e.Err)
}

// Unwrap gives the first error.
func (e *BatchError) Unwrap() error { return e.Err }

// Lost says whether the i-th datagram was not sent.
func (e *BatchError) Lost(i int) bool {
	if i >= e.From {
		return true
	}
	_, skipped := slices.BinarySearch(e.Skipped, i)
	return skipped
}

// Ingress takes the datagrams of one reader. Each reader has an Ingress of its own; one Ingress is not safe for
// concurrent use.
type Ingress interface {
	// Receive says true when the datagram was user data of an open session: it is consumed, or was counted and dropped.
	// It says false when the datagram is for the engine: control messages, PPP control frames, unknown sessions.
	// The buffer must stay untouched until Keep or Flush returns.
	Receive(from Path, datagram []byte) bool
	// Keep says that more datagrams are there already, and come into the same buffers. What Receive has collected may be
	// collected further, in a copy.
	Keep()
	// Flush writes out what Receive has collected. The reader calls it before it waits.
	Flush()
}
