// Package eap is an EAP server (RFC 3748): it leads the conversations in which a peer proves by EAP who it is, over PPP or
// through a NAS that asks by RADIUS, and has the proof checked by the same accounts as any other login. It stands before
// another aaa.Authenticator, which it asks about what the peer showed, and to which it hands on whatever is not EAP.
//
// The methods are TLS (RFC 5216, with TLS 1.3 RFC 9190), PEAP version 0 with MS-CHAPv2 or GTC inside, TTLS (RFC 5281) with
// PAP, CHAP, MS-CHAPv1, MS-CHAPv2 or EAP inside, MSCHAPv2 and MD5-Challenge. PEAP and TTLS use TLS 1.2: every client
// has it, and not all that have TLS 1.3 agree on the keys that come out of it. Who the peer says it is inside of a tunnel
// is what counts, with the domain in that name or the usual default; the name outside only leads there.
//
// TLS sessions are never resumed, so that no login goes by without its account being asked about. A certificate that was
// withdrawn is not found out either: the account is what is switched off.
//
// A conversation is kept in memory, of this process, under the State of its Challenge. Until the peer has answered a
// first Request, which shows that it can be reached, that is less than a kilobyte; only then is there a TLS connection, with
// its goroutine. Both are bounded in number and time.
//
// The package does not speak PPP or RADIUS, knows no account and does not check a password.
package eap
