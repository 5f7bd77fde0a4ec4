package pool

import (
	"context"
	"time"
)

// Keeper is an Allocator for sessions that another NAS carries: their leases begin as offers (Request.Offer), belong to no
// process, and can be kept and released by any node that shares the pools.
//
// An offer that runs out is free at once, without quarantine: nobody was heard to use it. A kept lease that runs out rests
// for the quarantine of its pool. It may take some seconds until others can have it.
//
// A holder that asks again while its offer or kept lease lives, with an Offer and with the same account, gets the same
// address again if it lies in one of the pools named. That makes an offer last longer and a kept lease no shorter.
//
// An offer gives way to another session of the same account that asks for exactly this address: it is the same person, who
// tries again. A kept lease does not.
type Keeper interface {
	Allocator

	// Keep binds the address to the holder until the given time; zero means until it is released. It makes an offer a bound
	// lease, prolongs a bound one, and takes an address again that fell back and that nobody holds: the session
	// that says it has it has it, unless it has given it back since it was asked. Lease.Holder, Address, Account and Pool count. It answers *[InUseError] when the
	// address is another holder's, *[MismatchError] when Pool is empty and it is a prefix that no pool gives,
	// [ErrNoHolder], or an error of the context or of the store behind it. A lease that
	// was not offered, but bound to the process at once, stays as it is.
	Keep(ctx context.Context, l Lease, until time.Time) error
}
