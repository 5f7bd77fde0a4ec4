package pool

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Pool is a named set of addresses, or of prefixes of one length: the ranges without the exclusions.
type Pool struct {
	Name    string
	Ranges  []Range
	Exclude []Range // never given away, whatever range they lie in

	// PrefixLength makes it a pool of prefixes with so many bits: each lease is one of them. Ranges and exclusions then mean
	// all prefixes that they touch. Zero: each lease is one address.
	PrefixLength int

	// Quarantine is how long a released address stays unused, so that packets still on their way to the last holder
	// do not reach a stranger. Zero or less means none.
	Quarantine time.Duration

	// Sticky gives an account its last address back while nobody else has it, also out of quarantine.
	Sticky bool
}

// Static reserves one address for one account. Nobody else is ever given it, whether it lies inside the ranges of a
// pool or outside of them all. It is handed out when a [Request] names it.
type Static struct {
	Account      string
	Address      netip.Addr // of a prefix, its first one
	PrefixLength int        // 0: the address alone
}

// Request asks for one address or one prefix.
type Request struct {
	Pools   []string   // tried in order: the second serves when the first has nothing left
	Account string     // who it is for: the key for sticky and static addresses; empty is allowed and remembers nothing
	Address netip.Addr // if valid: exactly this address, also out of quarantine; Pools are not looked at
	Holder  string     // the unique name of the session that will hold it; must not be empty

	// PrefixLength goes with Address: exactly the prefix of so many bits that the address lies in. Zero: the address alone.
	PrefixLength int

	// Offer is for a session that may never come, and that outlives this process because another NAS carries it: the lease
	// ends after this time, unless a Keeper keeps it. 0: the lease is bound at once, and ends with the process.
	Offer time.Duration
}

// Lease is one address, or one prefix, in one hand.
type Lease struct {
	Address netip.Addr // of a prefix, its first one
	Pool    string     // the pool it lay in when it was given, empty for a static address outside all pools
	Account string
	Holder  string
	Since   time.Time
	Why     string    // which rule chose this address, in words for a person
	Expires time.Time // of an offered or kept lease: when it ends by itself; zero: never

	PrefixLength int // of a prefix, its bits; 0: a single address
}

// Usage says how full a pool is. Size counts all addresses of the pool, or all prefixes of a pool of those; [math.MaxUint64] stands for that many or more.
type Usage struct {
	Pool        string
	Size        uint64
	Leased      uint64 // held by sessions or offered to them, those at static addresses not counted
	Quarantined uint64 // released a moment ago and not yet given again
	Static      uint64 // reserved for accounts, whether held or not
}

// Free returns how many addresses the pool could give to an account it has never seen.
func (u Usage) Free() uint64 {
	used := u.Leased + u.Quarantined + u.Static
	if used >= u.Size {
		return 0
	}
	return u.Size - used
}

// Allocator hands out addresses. Implementations are safe for concurrent use. No address is ever in two hands.
type Allocator interface {
	// Allocate answers with a lease, or with *[UnknownPoolError], *[ExhaustedError], *[InUseError], *[ReservedError],
	// *[MismatchError], [ErrNoPool], [ErrNoHolder], or an error of the context or of the store behind it. A holder that asks again for
	// the exact address it already holds gets the same lease again. See [Keeper] for leases that are offered.
	Allocate(context.Context, Request) (Lease, error)

	// Release gives the address back. It frees only what the lease's Holder holds: to release twice, or late when
	// somebody else has the address, changes nothing and is no error.
	Release(context.Context, Lease) error

	// Usage reports every configured pool, in the order of the configuration.
	Usage(context.Context) ([]Usage, error)

	// Leases lists what is held, ordered by address.
	Leases(context.Context) ([]Lease, error)
}

// Validate reports every fault of the pool by itself: no name, no range, mixed families, ranges that overlap each
// other, nothing left after the exclusions.
func (p Pool) Validate() error {
	var faults []error
	say := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("pool %q: "+format, append([]any{p.Name}, args...)...))
	}
	if p.Name == "" {
		say("it has no name")
	}
	if len(p.Ranges) == 0 {
		say("it has no range")
		return errors.Join(faults...)
	}
	for i, r := range p.Ranges {
		if !r.Valid() {
			say("range %d is not a range", i+1)
			continue
		}
		if r.First.BitLen() != p.Ranges[0].First.BitLen() {
			say("range %v is of another address family than the first range", r)
		}
		if p.PrefixLength < 0 || p.PrefixLength >= r.First.BitLen() {
			say("range %v has no prefixes of %d bits", r, p.PrefixLength)
			continue
		}
		for _, before := range p.Ranges[:i] {
			if r.Widen(p.PrefixLength).Overlaps(before.Widen(p.PrefixLength)) {
				say("range %v overlaps range %v", r, before)
			}
		}
	}
	if len(faults) == 0 && len(p.Spans()) == 0 {
		say("the exclusions leave no address")
	}
	return errors.Join(faults...)
}

// Spans returns the addresses of the pool as ranges: Ranges in their order without what Exclude takes away. Those of a pool
// of prefixes are made of whole ones.
func (p Pool) Spans() []Range {
	exclude := make([]Range, len(p.Exclude))
	for i, e := range p.Exclude {
		exclude[i] = e
		if len(p.Ranges) > 0 && e.First.BitLen() == p.Ranges[0].First.BitLen() {
			exclude[i] = e.Widen(p.PrefixLength)
		}
	}
	var spans []Range
	for _, r := range p.Ranges {
		spans = append(spans, r.Widen(p.PrefixLength).Subtract(exclude...)...)
	}
	return spans
}
