// Package packet holds the octets of EAP and of what is carried in it: the packet itself (RFC 3748 section 4), the fragments
// of TLS (RFC 5216 section 3), EAP-MSCHAPv2, the TLVs of PEAP and the AVPs of TTLS (RFC 5281 section 10).
//
// It does not know what comes after what, and does not encrypt or check anything.
package packet
