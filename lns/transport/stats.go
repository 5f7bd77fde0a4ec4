package transport

import (
	"net/netip"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// reason is why a system call failed, in the words of the metrics.
type reason uint8

const (
	reasonUnreachable reason = iota
	reasonRefused
	reasonBufferFull
	reasonNoBuffers
	reasonTooLong
	reasonNotPermitted
	reasonInvalid
	reasonOther
	reasons
)

// String is the label of a metric.
func (r reason) String() string {
	switch r {
	case reasonUnreachable:
		return "unreachable"
	case reasonRefused:
		return "port_unreachable"
	case reasonBufferFull:
		return "buffer_full"
	case reasonNoBuffers:
		return "no_buffers"
	case reasonTooLong:
		return "too_long"
	case reasonNotPermitted:
		return "not_permitted"
	case reasonInvalid:
		return "invalid"
	default:
		return "other"
	}
}

func reasonOf(errno unix.Errno) reason {
	switch errno {
	case unix.ENETUNREACH, unix.EHOSTUNREACH, unix.ENETDOWN, unix.EHOSTDOWN, unix.EADDRNOTAVAIL, unix.ENODEV, unix.ENXIO:
		return reasonUnreachable
	case unix.ECONNREFUSED:
		return reasonRefused
	case unix.EAGAIN:
		return reasonBufferFull
	case unix.ENOBUFS, unix.ENOMEM:
		return reasonNoBuffers
	case unix.EMSGSIZE:
		return reasonTooLong
	case unix.EPERM, unix.EACCES:
		return reasonNotPermitted
	case unix.EINVAL:
		return reasonInvalid
	default:
		return reasonOther
	}
}

type errorCounts [reasons]atomic.Uint64

func (c *errorCounts) add(errno unix.Errno, n int) { c[reasonOf(errno)].Add(uint64(n)) }

func (c *errorCounts) appendTo(all map[string]uint64, prefix string) {
	for r := range reasons {
		if n := c[r].Load(); n != 0 {
			all[prefix+r.String()] += n
		}
	}
}

// counters of one socket. The reader adds once for each batch, senders once for each call.
type counters struct {
	receivedDatagrams, receivedOctets, receiveCalls, receivedCoalesced atomic.Uint64
	truncated, portZero                                                atomic.Uint64
	receiveErrors                                                      errorCounts
	_                                                                  [64]byte // senders write another cache line
	sentDatagrams, sentOctets, sendCalls, sentSegmented                atomic.Uint64
	segmentsRefused                                                    atomic.Uint64
	sendErrors                                                         errorCounts
}

// Stats are the figures of a Transport.
type Stats struct {
	Sockets []SocketStats
}

// SocketStats are the figures of one socket since New.
type SocketStats struct {
	// Address is what the socket is bound to.
	Address netip.AddrPort
	// GSO and GRO say whether runs of datagrams are now sent and received in one piece.
	GSO, GRO bool
	// RxDatagrams and RxOctets count what the receiver got, after splitting; octets are those of UDP payloads.
	RxDatagrams, RxOctets uint64
	// RxBatches counts system calls that returned something; RxCoalesced counts the runs that the kernel had coalesced.
	RxBatches, RxCoalesced uint64
	// TxDatagrams and TxOctets count what the kernel took.
	TxDatagrams, TxOctets uint64
	// TxCalls counts system calls; TxSegmented counts runs that went out in one piece.
	TxCalls, TxSegmented uint64
	// GSORefused counts runs that the kernel refused to take in one piece, and that went one by one.
	GSORefused uint64
	// Drops counts datagrams lost here, by reason: "rx_buffer_full" (the kernel's, before we could read them),
	// "rx_truncated", "rx_port_zero"; and by error of the system call: "rx_..." and "tx_...", of which "tx_buffer_full" is
	// congestion on the way to some peer. Reasons that have not happened are left out.
	Drops map[string]uint64
}

// Stats tells the figures so far.
func (t *Transport) Stats() Stats {
	all := Stats{Sockets: make([]SocketStats, len(t.sockets))}
	for i, s := range t.sockets {
		all.Sockets[i] = s.stats()
	}
	return all
}

func (s *socket) stats() SocketStats {
	c := &s.counters
	return SocketStats{
		Address:     s.address,
		GSO:         s.segmenting.on.Load(),
		GRO:         s.gro,
		RxDatagrams: c.receivedDatagrams.Load(),
		RxOctets:    c.receivedOctets.Load(),
		RxBatches:   c.receiveCalls.Load(),
		RxCoalesced: c.receivedCoalesced.Load(),
		TxDatagrams: c.sentDatagrams.Load(),
		TxOctets:    c.sentOctets.Load(),
		TxCalls:     c.sendCalls.Load(),
		TxSegmented: c.sentSegmented.Load(),
		GSORefused:  c.segmentsRefused.Load(),
		Drops:       s.drops(),
	}
}

func (s *socket) drops() map[string]uint64 {
	all := make(map[string]uint64)
	c := &s.counters
	for name, n := range map[string]uint64{
		"rx_buffer_full": s.kernelDrops(), "rx_truncated": c.truncated.Load(), "rx_port_zero": c.portZero.Load(),
	} {
		if n != 0 {
			all[name] = n
		}
	}
	c.receiveErrors.appendTo(all, "rx_")
	c.sendErrors.appendTo(all, "tx_")
	return all
}
