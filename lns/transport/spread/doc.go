// Package spread chooses which of several sockets of one address gets a datagram, by what the datagram says of its tunnel
// and session, so that the sessions of one LAC, which all come from one port, have more than one reader.
//
// It makes a program that the kernel runs (SO_ATTACH_REUSEPORT_CBPF). It opens no socket.
package spread
