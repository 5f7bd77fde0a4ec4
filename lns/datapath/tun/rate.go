package tun

import "sync/atomic"

// rate holds one direction of a session to so many bits per second, by dropping what is over it. It is a leaky bucket that
// costs one atomic swap per packet: tat is when the octets carried so far will have been paid for. It is safe for
// concurrent use.
type rate struct {
	bits atomic.Uint64 // per second; 0: no bound
	tat  atomic.Int64  // nanoseconds since the data path's epoch
}

const (
	// burstTime is how far ahead of the rate a session may run: TCP sends in bursts as long as its round trip.
	burstTime = int64(200e6)
	// burstOctets is what it may always run ahead: a segmented packet of 64 KB arrives at once.
	burstOctets = 128 << 10
)

// set changes the bound.
func (r *rate) set(bits uint64) { r.bits.Store(bits) }

// allow says whether a packet may pass at the given time, in nanoseconds since the data path's epoch.
func (r *rate) allow(octets int, now int64) bool {
	bits := r.bits.Load()
	if bits == 0 {
		return true
	}
	cost := costOf(octets, bits)
	burst := max(burstTime, costOf(burstOctets, bits))
	for {
		before := r.tat.Load()
		after := max(before, now) + cost
		if after-now > burst {
			return false
		}
		if r.tat.CompareAndSwap(before, after) {
			return true
		}
	}
}

// costOf is how long octets take at so many bits per second, in nanoseconds.
func costOf(octets int, bits uint64) int64 { return int64(uint64(octets) * 8e9 / bits) }
