package pool

import (
	"context"
	"time"
)

// Keeper is an Allocator for sessions that another NAS carries: their leases begin as offers (Request.Offer), belong to no
// process, and can be kept and released by any node that shares the pools.
type Keeper interface {
	Allocator

	// Keep binds the address to the holder until the given time; zero means until it is released. It makes an offer a bound
	// lease, prolongs a bound one, and takes an address again that fell back but that nobody has had since: the session
	// that says it has it has it. Lease.Holder, Address, Account and Pool count. It answers *[InUseError] when the
	// address is another holder's, or an error of the context or of the store behind it.
	Keep(ctx context.Context, l Lease, until time.Time) error
}
