// Package ppp reads and writes the bytes of PPP: the frame header with its
// protocol number (RFC 1661 section 2), the control packets of LCP and of the
// network control protocols (RFC 1661 section 5, RFC 1570), their options
// (RFC 1661 section 6, RFC 1332, RFC 1877, RFC 5072), and the packets of PAP
// (RFC 1334), CHAP (RFC 1994) and EAP (RFC 3748).
//
// It does not decide anything: which option is acceptable, which state a link
// is in and whether a password is right are the business of others. It does not
// do HDLC: framing octets, transparency and the frame check sequence never
// reach an L2TP tunnel.
//
// Everything that is parsed is a view into the input; nothing is copied and
// nothing is allocated. Everything that is written is appended to the slice
// handed in. A length field that is shorter than the octets present cuts the
// rest off as padding; one that is longer is an error.
package ppp
