// Package authenticate holds the conversations of the PPP authentication phase: PAP (RFC 1334), CHAP with MD5
// (RFC 1994), MS-CHAPv2 (RFC 2759) and EAP (RFC 3748), the authenticator's side and the peer's side. It carries challenges
// and responses and knows when to repeat them and what to answer. As EAP authenticator it passes on what a back end and the
// peer say to each other; as EAP peer it can MD5-Challenge.
//
// It does not hash or compare anything (aaa/secret), does not decide who may log in (aaa) and draws no random octets:
// they are handed in. It is driven by Start, Receive, Resolve and Advance with the time passed in; Deadline says when
// Advance is due next, and the zero time means that no timer runs.
package authenticate
