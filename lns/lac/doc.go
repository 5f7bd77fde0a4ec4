// Package lac is the dialling side of L2TP: a client that opens a tunnel, places a call, speaks PPP as the peer that logs
// in, and tells every step in words. It stands on the same pure cores as the LNS.
//
// Caller is the pure part: one control connection with its calls, driven by datagrams and the time. Client is the shell
// around one Caller, with a goroutine and a timer; Load is the shell around thousands, which measures how fast a server
// lets people in.
//
// It does not open network interfaces, set addresses or print: the command that dials does.
package lac
