// Package lns is the engine of the L2TP network server: it owns the table of tunnels, gives each tunnel one goroutine at a time that
// drives the pure cores of its control connection and of all its sessions, and carries out what they ask for: datagrams to
// send, logins to check, addresses to lease, data paths to open.
//
// It does not parse or decide anything itself: bytes live in l2tp and ppp, decisions in control, session, aaa and pool,
// system calls in transport, datapath and host.
package lns
