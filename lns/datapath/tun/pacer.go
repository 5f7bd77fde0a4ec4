package tun

import (
	"sync"
	"time"

	"lnsgate/lns/datapath"
)

// pacer holds the packets of one virtual template's sessions that are not due yet, in both directions, and lets them go
// when they are. It is a wheel of slots, a millisecond each: due times of one direction of a session only grow, so its
// packets stay in order. One goroutine turns the wheel while there is anything on it.
type pacer struct {
	path *DataPath
	up   *ingress
	down *egress
	wake chan struct{}
	stop chan struct{}

	running sync.WaitGroup

	mu    sync.Mutex // guards what follows
	slots [wheelSlots]parcels
	// turned is the number of the last slot that was let go, counted from the epoch; held is how many packets are on the
	// wheel, octets the memory of these, and idle how many are not used.
	turned int64
	held   int
	octets int
	free   parcels
	idle   int
}

const (
	slotTime   = int64(1e6)
	wheelSlots = 1 << 11
	// longestWait leaves room on the wheel for a pacer that is late.
	longestWait = wheelSlots * slotTime / 2
	// parcelSize holds a packet of a usual size. Larger ones get a larger buffer.
	parcelSize = 2 << 10
	// mostOctets bounds the memory of one virtual template; beyond it packets are dropped. mostWaiting keeps some of it from one
	// direction of a session that is sent nothing but small packets.
	mostOctets  = 128 << 20
	mostWaiting = mostOctets / parcelSize / 8
	// sparedParcels are kept when nothing waits any more.
	sparedParcels = 1 << 8
	// letGo is how many packets are taken from the wheel at once, so that others can be put there meanwhile.
	letGo = 64
)

// parcel is a packet that waits. It begins headroom octets into its buffer, which is enough for either direction.
type parcel struct {
	session *session
	way     datapath.Direction
	buffer  []byte
	next    *parcel
}

// parcels is a list, first come first served.
type parcels struct{ first, last *parcel }

func (l *parcels) append(p *parcel) {
	p.next = nil
	if l.first == nil {
		l.first = p
	} else {
		l.last.next = p
	}
	l.last = p
}

// take takes the first one; nil when there is none.
func (l *parcels) take() *parcel {
	p := l.first
	if p != nil {
		l.first = p.next
	}
	return p
}

func newPacer(d *DataPath, p *port) *pacer {
	return &pacer{
		path: d, up: &ingress{path: d}, down: newDownward(d, p, 0),
		wake: make(chan struct{}, 1), stop: make(chan struct{}),
	}
}

// hold keeps a copy of a packet that came at a time until it is due. It says false when there is no room.
func (p *pacer) hold(s *session, way datapath.Direction, packet []byte, now, due int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held == 0 {
		p.turned = max(p.turned, now/slotTime)
	}
	slot := max(due/slotTime, p.turned) + 1 // never early
	size, rate := headroom+len(packet), s.rateOf(way)
	if slot-p.turned >= wheelSlots || p.octets+max(size, parcelSize) > mostOctets || rate.waiting.Load() >= mostWaiting {
		return false
	}
	one := p.parcel(size)
	one.session, one.way = s, way
	one.buffer = append(one.buffer[:headroom], packet...)
	p.octets += cap(one.buffer)
	rate.queue(1)
	p.slots[slot%wheelSlots].append(one)
	if p.held++; p.held == 1 {
		select {
		case p.wake <- struct{}{}:
		default: // it has been told
		}
	}
	return true
}

// parcel finds one that is not used, with room for so many octets.
func (p *pacer) parcel(octets int) *parcel {
	one := p.free.take()
	if one == nil {
		one = new(parcel)
	} else {
		p.idle--
	}
	if cap(one.buffer) < octets {
		one.buffer = make([]byte, 0, max(octets, parcelSize))
	}
	return one
}

// run turns the wheel until it is stopped.
func (p *pacer) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-p.wake:
		case <-timer.C:
		}
		if p.turn() {
			timer.Reset(time.Duration(slotTime - p.path.now()%slotTime))
		}
	}
}

// turn lets everything go that is due, and says whether something is left.
func (p *pacer) turn() bool {
	var due [letGo]*parcel
	for {
		now := p.path.now()
		n, left := p.takeDue(due[:], now/slotTime)
		if n == 0 {
			return left
		}
		p.carry(due[:n], now)
		p.giveBack(due[:n])
	}
}

// takeDue takes packets from the slots up to one.
func (p *pacer) takeDue(due []*parcel, slot int64) (n int, left bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n < len(due) && p.held > 0 && p.turned < slot {
		one := p.slots[(p.turned+1)%wheelSlots].take()
		if one == nil {
			p.turned++
			continue
		}
		due[n] = one
		n++
		p.held--
		p.octets -= cap(one.buffer)
	}
	return n, p.held > 0
}

// carry goes on with packets where they were held up.
func (p *pacer) carry(due []*parcel, now int64) {
	p.up.now, p.down.now = now, now
	for _, one := range due {
		s, packet := one.session, one.buffer[headroom:]
		switch {
		case s.closed.Load():
			p.path.drops.add(overRate(one.way), 1)
		case one.way == datapath.Up:
			p.up.pass(s, one.buffer, packet)
		default:
			p.down.pass(s, one.buffer, packet)
		}
	}
	p.up.Flush()
	p.down.finish()
}

// giveBack ends the waiting of packets that have been carried: only now others may go without.
func (p *pacer) giveBack(due []*parcel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range due {
		one.session.rateOf(one.way).queue(-1)
		one.session = nil
		if cap(one.buffer) <= 2*parcelSize {
			p.free.append(one)
			p.idle++
		}
	}
	for ; p.held == 0 && p.idle > sparedParcels; p.idle-- {
		p.free.take()
	}
}

func overRate(way datapath.Direction) datapath.Reason {
	if way == datapath.Up {
		return datapath.OverRateUp
	}
	return datapath.OverRateDown
}
