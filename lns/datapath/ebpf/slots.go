package ebpf

import "time"

// slots gives out the places of an array in the kernel. A place that is given back rests before it is used again, because a
// program may still be looking at what was there.
type slots struct {
	most  uint32
	next  uint32  // the first one that was never used
	freed []freed // in the order they became free
}

type freed struct {
	slot uint32
	at   time.Time
}

// settled is how long a place rests. No program runs for as long, nor does a packet wait in user space.
const settled = 3 * time.Second

// take gives a place, or says that there is none.
func (s *slots) take(now time.Time) (slot uint32, ok bool) {
	switch {
	case len(s.freed) > 0 && now.Sub(s.freed[0].at) > settled:
		slot, s.freed = s.freed[0].slot, s.freed[1:]
	case s.next < s.most:
		slot = s.next
		s.next++
	default:
		return 0, false
	}
	return slot, true
}

func (s *slots) give(slot uint32, now time.Time) { s.freed = append(s.freed, freed{slot, now}) }
