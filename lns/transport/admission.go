package transport

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// Refusal is why a stranger was not admitted.
type Refusal uint8

// The refusals.
const (
	// Admitted is none.
	Admitted Refusal = iota
	// AdmittedAgain is none either: the request was turned away before, and somebody is there who has repeated it.
	AdmittedAgain
	// OverSource says that the peer's address has used its budget up.
	OverSource
	// OverNetwork says that the network around the peer has used its budget up.
	OverNetwork
	// OverTotal says that too many strangers come from everywhere; this one is remembered and gets in by repeating.
	OverTotal
	// OverRepeat says that too many of those who repeat come from everywhere.
	OverRepeat
	refusals
)

// String is the label of a metric.
func (r Refusal) String() string {
	switch r {
	case Admitted:
		return "admitted"
	case AdmittedAgain:
		return "admitted_again"
	case OverSource:
		return "over_source_budget"
	case OverNetwork:
		return "over_network_budget"
	case OverTotal:
		return "over_total_budget"
	case OverRepeat:
		return "over_repeat_budget"
	default:
		return fmt.Sprintf("Refusal(%d)", uint8(r))
	}
}

// Refusals are all ways of not being admitted.
func Refusals() []Refusal { return []Refusal{OverSource, OverNetwork, OverTotal, OverRepeat} }

// Budget is a token bucket: Rate per second in the long run, Burst at once.
type Budget struct {
	Rate  float64
	Burst int
}

// AdmissionConfig sets the budgets. A budget that is zero has its default; a negative Rate means no limit.
type AdmissionConfig struct {
	// Source is the budget of one IPv4 address or IPv6 /64. Default 20 per second, 200 at once: an office behind one
	// NAT address that comes back after an outage.
	Source Budget
	// Network is the budget of an IPv4 /24 or IPv6 /48. Default 100 per second, 1000 at once.
	Network Budget
	// Total is the budget of all together. Default 5000 per second, 5000 at once.
	Total Budget
	// Repeat is the budget, beyond Total, of requests that come again within seconds after Total has turned them away.
	// Default 2500 per second, 2500 at once.
	Repeat Budget
	// Slots is how many sources, and how many networks, are told apart; it is rounded up to a power of two. Default
	// 65536, which take 2 MB.
	Slots int
}

func (c AdmissionConfig) withDefaults() AdmissionConfig {
	for _, d := range []struct {
		budget *Budget
		value  Budget
	}{
		{&c.Source, Budget{20, 200}}, {&c.Network, Budget{100, 1000}},
		{&c.Total, Budget{5000, 5000}}, {&c.Repeat, Budget{2500, 2500}},
	} {
		if *d.budget == (Budget{}) {
			*d.budget = d.value
		}
	}
	if c.Slots <= 0 {
		c.Slots = 65536
	}
	return c
}

// Admission decides whether a stranger's request for a new tunnel is looked at. Its memory is fixed. It is safe for
// concurrent use.
//
// The budgets of a source and of its network stop floods from one place, and nobody elsewhere notices. A flood with a
// forged address on every datagram passes them, because each address is new; the total stops it. From then on a
// newcomer cannot be told from the forger's next invention by anything but this: a real peer repeats its request, one
// to eight seconds later (RFC 2661 section 5.8), from the same address and port and for the same tunnel id. So the
// request that is turned away by the total is remembered for 4 to 8 seconds, and those that are repeated have a budget
// that inventions hardly reach, whatever the number of addresses they are spread over. What is left: a forger who sends
// every invention twice uses that budget up as well.
type Admission struct {
	mutex    sync.Mutex
	started  time.Time // of the first request; the others are counted from there, so that the clock may be set
	keys     hashKeys
	source   table
	network  table
	total    meter
	repeat   meter
	turned   memory
	outcomes [refusals]uint64
}

// NewAdmission makes an Admission with all budgets full.
func NewAdmission(cfg AdmissionConfig) *Admission {
	return newAdmission(cfg, hashKeys{rand.Uint64(), rand.Uint64()})
}

func newAdmission(cfg AdmissionConfig, keys hashKeys) *Admission {
	cfg = cfg.withDefaults()
	return &Admission{
		keys:    keys,
		source:  newTable(cfg.Slots, cfg.Source),
		network: newTable(cfg.Slots, cfg.Network),
		total:   newMeter(cfg.Total),
		repeat:  newMeter(cfg.Repeat),
	}
}

// Allow decides about one request of a peer for a tunnel that it calls by the given id, and takes it from the budgets if it
// is admitted. What is refused costs the budgets nothing.
func (a *Admission) Allow(peer netip.AddrPort, id uint16, now time.Time) (bool, Refusal) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.started.IsZero() {
		a.started = now
	}
	refusal := a.decide(peer.Addr().Unmap(), uint64(peer.Port())<<16|uint64(id), now.Sub(a.started))
	a.outcomes[refusal]++
	return refusal <= AdmittedAgain, refusal
}

func (a *Admission) decide(addr netip.Addr, request uint64, now time.Duration) Refusal {
	sourceHash, networkHash := a.keys.prefixes(addr)
	source, network := a.source.find(sourceHash), a.network.find(networkHash)
	if !a.source.allows(source, sourceHash, now) {
		return OverSource
	}
	if !a.network.allows(network, networkHash, now) {
		return OverNetwork
	}
	outcome := a.admit(a.keys.hash(sourceHash, request), now)
	if outcome <= AdmittedAgain {
		a.source.take(source, sourceHash, now)
		a.network.take(network, networkHash, now)
	}
	return outcome
}

// admit takes a request from the budgets that are everybody's.
func (a *Admission) admit(request uint64, now time.Duration) Refusal {
	switch {
	case a.total.allows(now):
		a.total.take(now)
		return Admitted
	case !a.turned.has(request, now):
		a.turned.add(request, now)
		return OverTotal
	case a.repeat.allows(now):
		a.repeat.take(now)
		return AdmittedAgain
	default:
		return OverRepeat
	}
}

// AdmissionStats counts decisions since NewAdmission.
type AdmissionStats struct {
	Admitted uint64
	// Refused counts by reason; reasons that have not happened are left out.
	Refused map[string]uint64
}

// Stats tells the figures so far.
func (a *Admission) Stats() AdmissionStats {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	all := AdmissionStats{Admitted: a.outcomes[Admitted] + a.outcomes[AdmittedAgain], Refused: make(map[string]uint64)}
	for r := AdmittedAgain + 1; r < refusals; r++ {
		if n := a.outcomes[r]; n != 0 {
			all.Refused[r.String()] = n
		}
	}
	return all
}
