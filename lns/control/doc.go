// Package control runs one L2TP control connection (RFC 2661) and the calls in it: reliable delivery (Channel), the
// tunnel's state machine and the incoming-call machines of both sides (Tunnel). It is driven by datagrams and the time
// of day handed in, and answers with actions. It does not own a socket, a clock or a goroutine, it does not see data
// messages, and it does not know what PPP says inside a call.
package control
