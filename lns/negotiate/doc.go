// Package negotiate agrees on the options of a PPP link: the automaton of RFC
// 1661 section 4 and the policies of LCP (RFC 1661, RFC 1570), IPv6CP (RFC 5072)
// and IPCP (RFC 1332, RFC 1877), for the side that serves and for the side that
// dials.
//
// It does not authenticate anybody, does not decide which protocol comes after
// which, and does no input or output: frames to send and changes of a layer are
// appended to an Out that the caller owns, the time is handed in, and
// Deadline says when Advance wants to be called.
//
// Every machine is a plain value that one owner drives. It keeps no buffer: a
// request is written again from the state when it has to be sent again.
package negotiate
