package pool

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// State is what is the matter with one address of a pool.
type State uint8

// The states.
const (
	Free State = iota
	Leased
	Quarantined // released a moment ago and not yet given again
	Kept        // for an account that does not hold it now
	stateCount
)

var stateWords = [stateCount]string{"free", "leased", "quarantined", "reserved"}

// String returns the state in one lower-case word.
func (s State) String() string {
	if s < stateCount {
		return stateWords[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// Occupancy is one address of a pool, or one prefix, at a moment.
type Occupancy struct {
	Address netip.Addr // of a prefix, its first one
	State   State
	Static  bool      // reserved for the account, whether it holds it now or not
	Account string    // who holds it, has it reserved, or had it last
	Holder  string    // the session that holds it, or held it last
	Node    string    // where that session is; empty: here, or unknown
	Since   time.Time // leased, or released, then; zero: never, or unknown
	Until   time.Time // quarantined, or offered, until then
}

// Observer tells what an Allocator would do, and how single addresses are, without changing anything. It is safe for concurrent use.
type Observer interface {
	// Spans are the addresses of a pool as ranges, without what is excluded. The error is an *[UnknownPoolError] when there is no
	// such pool.
	Spans(pool string) ([]Range, error)

	// Addresses tells at most limit addresses of a pool in their order, those behind after; a zero after means from the first on.
	Addresses(ctx context.Context, pool string, after netip.Addr, limit int) ([]Occupancy, error)

	// Forecast tells what Allocate would answer now. The lease has no address when any free one of its pool would do. An exact
	// address that the request's account holds already counts as in use.
	Forecast(context.Context, Request) (Lease, error)
}

// Walk returns at most limit addresses of the spans in their order, or the first ones of prefixes of a length, behind after.
func Walk(spans []Range, length int, after netip.Addr, limit int) []netip.Addr {
	sorted := slices.SortedFunc(slices.Values(spans), func(a, b Range) int { return a.First.Compare(b.First) })
	var list []netip.Addr
	for _, span := range sorted {
		a := span.First
		if after.IsValid() && !after.Less(a) {
			if !after.Less(span.Last) {
				continue
			}
			if a = following(First(after, length), length); !a.IsValid() {
				continue
			}
		}
		for len(list) < limit && a.IsValid() && !span.Last.Less(a) {
			list = append(list, a)
			a = following(a, length)
		}
	}
	return list
}

// following is the next address, or the first one of the next prefix; invalid at the end of all addresses.
func following(a netip.Addr, length int) netip.Addr {
	if length == 0 {
		return a.Next()
	}
	return lastOf(PrefixOf(a, length).Masked()).Next()
}
