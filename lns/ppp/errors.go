package ppp

import "errors"

// Faults of received octets. They serve as reasons of drop counters, so there
// are few of them and they carry no detail.
var (
	// ErrTruncated: the input ends before the field it promises.
	ErrTruncated = errors.New("ppp: packet ends too early")
	// ErrLength: a length field is smaller than its own header or larger than
	// the octets that are there.
	ErrLength = errors.New("ppp: length field does not fit the packet")
	// ErrProtocol: the protocol number breaks the rule of RFC 1661 section 2
	// (the last octet odd, the first one even).
	ErrProtocol = errors.New("ppp: not a protocol number")
	// ErrOption: an option list that cannot be walked: an option's length is
	// below 2 or reaches past the end of the packet.
	ErrOption = errors.New("ppp: malformed option list")
)
