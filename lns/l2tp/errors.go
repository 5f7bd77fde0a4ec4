package l2tp

import (
	"errors"
	"strconv"
)

// Faults of a datagram's header. They are values without context, so a caller may count drops by them.
var (
	// ErrTruncated: the datagram ends inside its header.
	ErrTruncated = errors.New("l2tp: datagram ends inside the header")
	// ErrVersion: the version field is not 2. The error returned is a VersionError; errors.Is finds this sentinel.
	ErrVersion = errors.New("l2tp: header version is not 2")
	// ErrHeader: a control message whose flags are not exactly T, L and S (RFC 2661 section 3.1).
	ErrHeader = errors.New("l2tp: control header needs the L and S bits and neither O nor P")
	// ErrLength: the Length field is smaller than the header or larger than the datagram.
	ErrLength = errors.New("l2tp: Length field does not fit the datagram")
	// ErrOffset: the offset pad is larger than what follows the header.
	ErrOffset = errors.New("l2tp: offset pad is longer than the datagram")
)

// VersionError is an ErrVersion that tells which version the header claims: 1 is L2F, 3 is L2TPv3.
type VersionError uint8

// Error says which version was found.
func (e VersionError) Error() string {
	return "l2tp: header version is " + strconv.Itoa(int(e)) + ", want 2"
}

// Is makes errors.Is(err, ErrVersion) true.
func (e VersionError) Is(target error) bool { return target == ErrVersion }
