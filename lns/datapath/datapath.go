package datapath

import (
	"errors"
	"fmt"
	"net/netip"
)

// DataPath carries user packets between sessions and the network of this host. It is safe for concurrent use.
type DataPath interface {
	// Add opens the way for one session. Errors: *DuplicateError when its key, address or one of its routes belongs to
	// another session; ErrNotSupported when this path cannot do what the spec asks for; anything else is the host's.
	Add(Spec) (Session, error)
	// Ingress makes the entrance for one reader.
	Ingress() Ingress
	// Capabilities tells what this path can do.
	Capabilities() Capabilities
	// Drops counts packets that were not carried, by reason, over all sessions and none. The reasons are fixed words.
	Drops() map[string]uint64
	// Close takes every session out and gives back what the path holds of the host. It is called once, after the
	// readers have ended.
	Close() error
}

// Capabilities tells what a data path can do, so that the engine asks only for that.
type Capabilities struct {
	// Name is the kind of path in a word: "tun", "fake".
	Name string
	// IPv6 says that IPv6 addresses and packets are carried.
	IPv6 bool
	// Routes says that prefixes behind a peer are carried.
	Routes bool
	// Sequencing says that data sequence numbers are written and honoured.
	Sequencing bool
	// ClampMSS says that the maximum segment size in TCP SYNs can be lowered.
	ClampMSS bool
	// Offload says that large packets cross the network interface unsegmented.
	Offload bool
}

// ErrNotSupported says that a data path cannot do what was asked; errors that wrap it say what that was.
var ErrNotSupported = errors.New("not supported by this data path")

// DuplicateError says that something in a spec already belongs to another session. Exactly one of its three kinds is
// set: Address, Prefix, or else the key itself was taken.
type DuplicateError struct {
	// Key is the one that was to be added.
	Key Key
	// Holder is the session that has it. It equals Key when the key itself is taken.
	Holder Key
	// Address is the peer address that is taken, or zero.
	Address netip.Addr
	// Prefix is the route that is taken, or zero.
	Prefix netip.Prefix
}

// Error says what is taken, and by which session.
func (e *DuplicateError) Error() string {
	switch {
	case e.Address.IsValid():
		return fmt.Sprintf("session %s: address %s already belongs to session %s", e.Key, e.Address, e.Holder)
	case e.Prefix.IsValid():
		return fmt.Sprintf("session %s: route %s already belongs to session %s", e.Key, e.Prefix, e.Holder)
	default:
		return fmt.Sprintf("session %s is already in the data path", e.Key)
	}
}
