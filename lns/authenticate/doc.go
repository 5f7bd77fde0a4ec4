// Package authenticate holds the conversations of the PPP authentication phase: PAP (RFC 1334), CHAP with MD5
// (RFC 1994) and MS-CHAPv2 (RFC 2759), the authenticator's side and the peer's side. It carries challenges and
// responses and knows when to repeat them and what to answer.
//
// It does not hash or compare anything (aaa/secret), does not decide who may log in (aaa) and draws no random octets:
// they are handed in. It is driven by Start, Receive, Resolve and Advance with the time passed in; Deadline says when
// Advance is due next, and the zero time means that no timer runs.
package authenticate
