// Package udp opens the sockets on which lnsgate is asked by RADIUS, and answers from the address that was asked.
//
// It does not read packets or know who may send them.
package udp
