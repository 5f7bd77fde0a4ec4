package pool

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// ErrNoPool answers a request that names neither a pool nor an address: nothing says where an address should come from.
var ErrNoPool = errors.New("no pool and no address named: give the domain pools or the account an address")

// ErrNoHolder answers a request without a holder. Without it nobody could be told to have the address.
var ErrNoHolder = errors.New("the request names no holder")

// ExhaustedError says that no pool of the request has an address left. Pools holds the usage of each pool tried, in the
// order they were tried.
type ExhaustedError struct {
	Pools []Usage
	Idle  Idle // who holds an address of them and was silent the longest; zero: not known. Whoever knows the sessions sets it.
}

// Idle is somebody who holds an address and does not use it.
type Idle struct {
	Holder string        // in words, for the administrator
	For    time.Duration // since the last packet
}

func (e *ExhaustedError) Error() string {
	parts := make([]string, len(e.Pools))
	for i, u := range e.Pools {
		parts[i] = fmt.Sprintf("pool %s: %d of %d leased, %d in quarantine, %d static",
			u.Pool, u.Leased, u.Size, u.Quarantined, u.Static)
	}
	text := "no free address (" + strings.Join(parts, "; ") + ")"
	if e.Idle.Holder != "" {
		text += fmt.Sprintf("; idle the longest is %s, %s", e.Idle.Holder, e.Idle.For.Round(time.Second))
	}
	return text
}

// UnknownPoolError says that a request names a pool that is not configured.
type UnknownPoolError struct {
	Name string
}

func (e *UnknownPoolError) Error() string { return fmt.Sprintf("there is no pool named %q", e.Name) }

// InUseError says that the exact address asked for is in the hands of another holder.
type InUseError struct {
	Address netip.Addr
	Holder  string
	Within  netip.Prefix // what the holder has, where that is another prefix than was asked for
	Node    string       // the node of the holder, where that is another one and known to be silent
	Silent  time.Time    // since when it is
}

func (e *InUseError) Error() string {
	if e.Within.IsValid() {
		return fmt.Sprintf("address %v is in use by %s, which has %v: prefixes of two sessions must not overlap", e.Address, e.Holder, e.Within)
	}
	if e.Node == "" {
		return fmt.Sprintf("address %v is in use by %s", e.Address, e.Holder)
	}
	holder := e.Holder
	if holder != "node "+e.Node {
		holder += " of node " + e.Node
	}
	return fmt.Sprintf("address %v is in use by %s, which is silent since %s: it becomes free when that node comes back, or after the lease time",
		e.Address, holder, e.Silent.UTC().Format(time.RFC3339))
}

// ReservedError says that the exact address asked for is reserved for another account.
type ReservedError struct {
	Address netip.Addr
	Account string
}

func (e *ReservedError) Error() string {
	return fmt.Sprintf("address %v is reserved for account %q", e.Address, e.Account)
}
