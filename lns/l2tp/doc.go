// Package l2tp reads and writes the octets of the Layer Two Tunneling Protocol version 2 (RFC 2661): the header of
// control and data messages, attribute value pairs (AVPs), typed control messages, hidden AVPs, the challenge response
// of tunnel authentication, and result and error codes. It also knows the disconnect cause of RFC 3145 and the line
// identifiers of RFC 5515. It does not keep a state, number or resend messages (see package control), and it does
// not look into the PPP frames that data messages carry (see package ppp).
//
// Readers never panic and never read past the end of their input. What a peer gets wrong without harm is accepted, as
// RFC 2661 section 7.1 advises:
//
//   - The M bit counts only on AVPs that this package does not know. A broken AVP that RFC 2661 itself calls optional
//     is skipped, whatever its M bit says.
//   - A known AVP in a message where it does not belong is skipped.
//   - Values that say nothing a tunnel or call depends on may be absent, although the RFC demands them: Framing
//     Capabilities, Call Serial Number, Tx Connect Speed, Framing Type. They read as 0.
//   - StopCCN and CDN are always readable: whoever closes is not to be argued with.
package l2tp
