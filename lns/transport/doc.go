// Package transport is the UDP sockets of lnsgate: it listens on addresses, hands every datagram to the reader's
// Receiver together with the path it came by, and sends datagrams along such paths, many in one system call where the
// kernel can (recvmmsg, sendmmsg, UDP_SEGMENT, UDP_GRO). Admission, a budget for strangers, lives here as well.
//
// It does not read a single octet of a datagram, know a tunnel, or decide who is a stranger. Where sessions are to be spread over
// its sockets, the kernel does so by a program of package spread.
package transport
