package tun

import (
	"sync/atomic"

	"lnsgate/lns/datapath"
)

// rate holds one direction of a session to so many bits per second. It is a leaky bucket that costs one atomic swap per
// packet: paid is when the octets taken so far will have been paid for, and so when the next packet is due. Packets that
// are due later than now wait for the pacer, and those that would wait too long are over the rate. It is safe for
// concurrent use.
type rate struct {
	bits atomic.Uint64 // per second; 0: no bound
	own  int64         // what paid points to, unless
	lane datapath.Lane // is where another data path keeps it too
	// waiting is how many packets the pacer holds. While there are any, all others go behind them.
	waiting atomic.Int32
}

// What a session that was silent may send before it waits. It is what TCP sends at once when it starts, makes up for the
// moments in which a busy host runs nobody, and is half a percent of the rate over 10 seconds from 2 Mbit/s up.
const (
	creditTime   = int64(50e6)
	creditOctets = 10 << 10
)

// How long packets wait at most. TCP fills a queue until it loses something: this is enough for it to keep sending meanwhile
// at round trips of 200 ms and below, and not so much that a call beside it breaks off. A slow session may take as long as a
// segmented packet needs.
const (
	patienceTime   = int64(100e6)
	patienceOctets = 32 << 10
)

// paid is in nanoseconds since the data path's epoch. Only atomic operations touch it.
func (r *rate) paid() *int64 {
	if r.lane.Paid != nil {
		return r.lane.Paid
	}
	return &r.own
}

// queue notes that so many packets more wait, or fewer. The pacer's lock is held.
func (r *rate) queue(packets int32) {
	waiting := r.waiting.Add(packets)
	if at := r.lane.Waiting; at != nil {
		atomic.StoreInt64(at, int64(waiting))
	}
}

// set sets the bound.
func (r *rate) set(bits uint64) { r.bits.Store(bits) }

// change changes the bound at a time. What the last packet cost at a very low one is forgotten, as far as none that waits would
// be overtaken: a session that was slowed down to next to nothing is not to sit it out.
func (r *rate) change(bits uint64, now int64) {
	if r.bits.Load() == bits {
		return
	}
	r.set(bits)
	for at := r.paid(); ; {
		paid := atomic.LoadInt64(at)
		if paid <= now+longestWait || atomic.CompareAndSwapInt64(at, paid, now+longestWait) {
			return
		}
	}
}

// verdict is what becomes of a packet.
type verdict uint8

const (
	passes verdict = iota
	waits          // until it is due
	over
)

// admit says whether a packet may pass at a time, in nanoseconds since the data path's epoch, and until when it has to
// wait if not. Later packets are never due earlier.
func (r *rate) admit(octets int, now int64) (due int64, v verdict) {
	bits, at := r.bits.Load(), r.paid()
	if bits == 0 {
		if r.waiting.Load() == 0 {
			return now, passes
		}
		return max(atomic.LoadInt64(at), now), waits
	}
	cost := costOf(octets, bits)
	credit := max(creditTime, costOf(creditOctets, bits))
	longest := min(max(patienceTime, costOf(patienceOctets, bits)), longestWait)
	for {
		before := atomic.LoadInt64(at)
		due := max(before, now-credit)
		if due-now > longest {
			return 0, over
		}
		if !atomic.CompareAndSwapInt64(at, before, due+cost) {
			continue
		}
		if due <= now && r.waiting.Load() == 0 {
			return now, passes
		}
		return max(due, now), waits
	}
}

// costOf is how long octets take at so many bits per second, in nanoseconds.
func costOf(octets int, bits uint64) int64 { return int64(uint64(octets) * 8e9 / bits) }
