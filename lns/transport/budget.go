package transport

import (
	"encoding/binary"
	"math"
	"math/bits"
	"net/netip"
	"time"
)

// rate is a budget as times: a token is worth interval, and a bucket holds burst of it. A bucket itself is one time
// only, the one at which it is full again: it is full when that is past, and empty when it is burst ahead. (This is the
// "generic cell rate algorithm".) Zero interval means no limit.
type rate struct{ interval, burst time.Duration }

func newRate(b Budget) rate {
	if b.Rate < 0 {
		return rate{}
	}
	interval := max(math.Min(float64(time.Second)/b.Rate, float64(24*time.Hour)), 1)
	burst := math.Min(interval*float64(max(b.Burst, 1)), 1<<60)
	return rate{time.Duration(interval), time.Duration(burst)}
}

// allows says whether the bucket that is full again at the given time has a token.
func (r rate) allows(full, now time.Duration) bool {
	return r.interval == 0 || max(full, now)+r.interval <= now+r.burst
}

// take takes a token out, and returns when the bucket is full again.
func (r rate) take(full, now time.Duration) time.Duration { return max(full, now) + r.interval }

// meter is one bucket.
type meter struct {
	rate rate
	full time.Duration
}

func newMeter(b Budget) meter                  { return meter{rate: newRate(b)} }
func (m *meter) allows(now time.Duration) bool { return m.rate.allows(m.full, now) }
func (m *meter) take(now time.Duration)        { m.full = m.rate.take(m.full, now) }

// ways is how many slots a hash can be in: one cache line.
const ways = 4

// slot is one bucket of a table. Who it belongs to is known by the hash alone; the hash has a secret key, and two
// prefixes in 2^64 that share one share a budget.
type slot struct {
	hash uint64
	full time.Duration
}

// table holds the buckets of many prefixes in fixed memory. A prefix without a bucket counts as one with a full
// bucket; so when room is needed the fullest bucket goes, for it is the one whose loss changes least.
type table struct {
	rate  rate
	slots []slot
}

func newTable(slots int, b Budget) table {
	n := 1 << bits.Len(uint(max(slots, ways)-1))
	return table{rate: newRate(b), slots: make([]slot, n)}
}

// find returns the slot of a prefix: its own, or the one it may take over.
func (t *table) find(hash uint64) *slot {
	first := hash & uint64(len(t.slots)-1) &^ (ways - 1)
	set := t.slots[first : first+ways]
	best := &set[0]
	for i := range set {
		s := &set[i]
		if s.hash == hash {
			return s
		}
		if s.full < best.full {
			best = s
		}
	}
	return best
}

func (t *table) allows(s *slot, hash uint64, now time.Duration) bool {
	return t.rate.allows(s.fullFor(hash), now)
}

func (t *table) take(s *slot, hash uint64, now time.Duration) {
	*s = slot{hash, t.rate.take(s.fullFor(hash), now)}
}

func (s *slot) fullFor(hash uint64) time.Duration {
	if s.hash != hash {
		return 0
	}
	return s.full
}

// The measures of a memory: 4 MB hold the sources of 200,000 requests a second, and confuse 1 in 1000 with another.
const (
	generation     = 4 * time.Second
	generationBits = 1 << 24
	probes         = 4
)

// memory remembers hashes for one to two generations, and now and then one it has not seen: two Bloom filters, the
// older of which is emptied when its time is over. It takes memory from the first hash on.
type memory struct {
	number int64 // of the current generation
	filter [2][]uint64
}

func (m *memory) add(hash uint64, now time.Duration) {
	m.turn(now)
	current := &m.filter[m.number&1]
	if *current == nil {
		*current = make([]uint64, generationBits/64)
	}
	for i := range uint64(probes) {
		bit := probe(hash, i)
		(*current)[bit/64] |= 1 << (bit % 64)
	}
}

func (m *memory) has(hash uint64, now time.Duration) bool {
	m.turn(now)
	return contains(m.filter[0], hash) || contains(m.filter[1], hash)
}

// turn empties what is too old.
func (m *memory) turn(now time.Duration) {
	number := int64(now / generation)
	passed := number - m.number
	if passed <= 0 { // less than zero: two readers have taken the time and come here in the other order
		return
	}
	clear(m.filter[number&1])
	if passed != 1 {
		clear(m.filter[(number+1)&1])
	}
	m.number = number
}

func contains(filter []uint64, hash uint64) bool {
	if filter == nil {
		return false
	}
	for i := range uint64(probes) {
		bit := probe(hash, i)
		if filter[bit/64]&(1<<(bit%64)) == 0 {
			return false
		}
	}
	return true
}

func probe(hash, i uint64) uint64 { return (hash + i*(hash>>32|1)) % generationBits }

// hashKeys make hashes that a peer cannot foresee, so that it cannot aim at somebody else's slot.
type hashKeys struct{ a, b uint64 }

// prefixes hashes the source (/32 or /64) and the network (/24 or /48) of an address.
func (k hashKeys) prefixes(addr netip.Addr) (source, network uint64) {
	if addr.Is4() {
		b := addr.As4()
		v := uint64(binary.BigEndian.Uint32(b[:]))
		return k.hash(4, v), k.hash(4, v>>8)
	}
	b := addr.As16()
	v := binary.BigEndian.Uint64(b[:8])
	return k.hash(6, v), k.hash(6, v>>16)
}

// hash mixes two numbers.
func (k hashKeys) hash(x, y uint64) uint64 {
	return folded(folded(y^k.a, 0x9e3779b97f4a7c15)^k.b^x, 0xd6e8feb86659fd93)
}

// folded is both halves of a product in one: each bit of it depends on most bits of the factors.
func folded(x, y uint64) uint64 {
	high, low := bits.Mul64(x, y)
	return high ^ low
}
