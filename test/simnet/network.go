package simnet

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"lnsgate/lns/datapath"
)

// Config says how the network treats datagrams. The zero value delivers each at once, once, in order.
type Config struct {
	// Latency is how long a datagram travels; up to Jitter is added to it at random, which may reorder datagrams.
	Latency, Jitter time.Duration
	// Loss, Duplicate and Reorder are probabilities from 0 to 1, for each datagram: to be lost, to arrive twice, and to
	// travel three times as long as others (at least 10 ms longer), so that later ones overtake it.
	Loss, Duplicate, Reorder float64
	// Seed makes the chances repeatable.
	Seed uint64
}

// Fate is what becomes of a datagram.
type Fate uint8

// The fates.
const (
	// Delivered says that it arrives, in time and once.
	Delivered Fate = iota
	// Lost says that the network's Loss took it.
	Lost
	// Dropped says that a hook took it.
	Dropped
	// Unreachable says that nobody has the address it was sent to.
	Unreachable
	// Duplicated says that it arrives twice.
	Duplicated
	// Delayed says that later datagrams may overtake it, because of Reorder.
	Delayed
)

// String is the fate in a word.
func (f Fate) String() string {
	switch f {
	case Delivered:
		return "delivered"
	case Lost:
		return "lost"
	case Dropped:
		return "dropped"
	case Unreachable:
		return "unreachable"
	case Duplicated:
		return "duplicated"
	case Delayed:
		return "delayed"
	default:
		return fmt.Sprintf("Fate(%d)", uint8(f))
	}
}

// Datagram is one datagram as a hook sees it: on the wire, outside any NAT.
type Datagram struct {
	// Number counts the datagrams of the network in the order they were sent, all directions together, from 1.
	Number int
	// Time is when it was sent.
	Time     time.Time
	From, To netip.AddrPort
	// Bytes may be kept, but not changed.
	Bytes []byte
	// Fate is known to taps only.
	Fate Fate
}

// Handler takes a datagram that has arrived. The path is that of an answer; the octets belong to the handler. Handlers
// are called one at a time, whatever the endpoint; they may send, and must not wait for the network.
type Handler func(from datapath.Path, b []byte)

// Network joins endpoints. It is safe for concurrent use.
type Network struct {
	config Config

	mutex     sync.Mutex
	chance    *rand.Rand
	endpoints map[netip.AddrPort]*Endpoint // those behind a NAT are in the NAT
	nats      map[netip.Addr]*NAT
	drops     []func(Datagram) bool
	taps      []func(Datagram)
	sent      int
	queue     arrivals
	queued    int // ever, for the order among equal times
	timer     *time.Timer
	working   bool // the timer's goroutine is delivering
	idle      *sync.Cond
	closed    bool
}

// New makes a network without endpoints.
func New(cfg Config) *Network {
	n := &Network{
		config:    cfg,
		chance:    rand.New(rand.NewPCG(cfg.Seed, 0)),
		endpoints: make(map[netip.AddrPort]*Endpoint),
		nats:      make(map[netip.Addr]*NAT),
	}
	n.idle = sync.NewCond(&n.mutex)
	return n
}

// Drop loses the datagrams with these numbers.
func (n *Network) Drop(numbers ...int) {
	lost := make(map[int]bool, len(numbers))
	for _, number := range numbers {
		lost[number] = true
	}
	n.DropIf(func(d Datagram) bool { return lost[d.Number] })
}

// DropIf loses the datagrams for which the hook says true. The hook must not use the network. Hooks add up.
func (n *Network) DropIf(hook func(Datagram) bool) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	n.drops = append(n.drops, hook)
}

// Tap shows every datagram to the hook when it is sent, with its fate. The hook must not use the network. Taps add up.
func (n *Network) Tap(hook func(Datagram)) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	n.taps = append(n.taps, hook)
}

// Sent is how many datagrams have been sent so far: the number of the last one.
func (n *Network) Sent() int {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return n.sent
}

// Close stops the network: what is under way is lost, sends fail, and no handler is running or will be called once it
// has returned. It must not be called from a handler.
func (n *Network) Close() {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	n.closed = true
	n.queue = nil
	if n.timer != nil {
		n.timer.Stop()
	}
	for n.working {
		n.idle.Wait()
	}
}

// carry takes a datagram that is on the wire. The caller holds the mutex.
func (n *Network) carry(from, to netip.AddrPort, b []byte) {
	n.sent++
	d := Datagram{Number: n.sent, Time: time.Now(), From: from, To: to, Bytes: append([]byte(nil), b...)}
	d.Fate = n.fate(d)
	for _, tap := range n.taps {
		tap(d)
	}
	switch d.Fate {
	case Delivered:
		n.enqueue(d, 0)
	case Duplicated:
		n.enqueue(d, 0)
		n.enqueue(d, 0)
	case Delayed:
		n.enqueue(d, max(2*n.config.Latency, 10*time.Millisecond))
	}
}

func (n *Network) fate(d Datagram) Fate {
	// All chances are drawn for each datagram, so that a hook does not change the luck of those after it.
	lost, twice, late := n.draw(n.config.Loss), n.draw(n.config.Duplicate), n.draw(n.config.Reorder)
	for _, drop := range n.drops {
		if drop(d) {
			return Dropped
		}
	}
	endpoint, _ := n.receiver(d.From, d.To)
	switch {
	case endpoint == nil:
		return Unreachable
	case lost:
		return Lost
	case twice:
		return Duplicated
	case late:
		return Delayed
	default:
		return Delivered
	}
}

func (n *Network) draw(probability float64) bool { return n.chance.Float64() < probability }

// receiver finds who gets a datagram, and the address it has inside.
func (n *Network) receiver(from, to netip.AddrPort) (*Endpoint, netip.AddrPort) {
	if nat := n.nats[to.Addr()]; nat != nil {
		return nat.inside(from, to.Port())
	}
	return n.endpoints[to], to
}

func (n *Network) enqueue(d Datagram, extra time.Duration) {
	travel := n.config.Latency + extra
	if n.config.Jitter > 0 {
		travel += time.Duration(n.chance.Int64N(int64(n.config.Jitter) + 1))
	}
	n.queued++
	heap.Push(&n.queue, arrival{Datagram: d, at: d.Time.Add(travel), order: n.queued})
	n.schedule()
}

// schedule sets the timer to the next arrival. While the timer's goroutine is delivering, it will look itself.
func (n *Network) schedule() {
	if n.working || len(n.queue) == 0 {
		return
	}
	wait := time.Until(n.queue[0].at)
	if wait <= 0 { // a timer for now runs on the stack of whoever sets it, where the race detector of Go 1.26.8 has crashed
		go n.deliver()
		return
	}
	if n.timer == nil {
		n.timer = time.AfterFunc(wait, n.deliver)
		return
	}
	n.timer.Reset(wait)
}

// deliver hands over what has arrived.
func (n *Network) deliver() {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if n.working {
		return
	}
	n.working = true
	for len(n.queue) > 0 && !n.queue[0].at.After(time.Now()) {
		d := heap.Pop(&n.queue).(arrival).Datagram
		// The receiver is looked up on arrival: it may have gone, or its NAT may have forgotten it.
		if endpoint, local := n.receiver(d.From, d.To); endpoint != nil && endpoint.handler != nil {
			handle := endpoint.handler
			n.mutex.Unlock()
			handle(datapath.Path{Remote: d.From, Local: local.Addr()}, append([]byte(nil), d.Bytes...))
			n.mutex.Lock()
		}
	}
	n.working = false
	n.idle.Broadcast()
	n.schedule()
}

// arrival is a datagram under way.
type arrival struct {
	Datagram
	at    time.Time
	order int
}

// arrivals is a heap (container/heap) by time, then by order.
type arrivals []arrival

func (a arrivals) Len() int { return len(a) }
func (a arrivals) Less(i, j int) bool {
	if !a[i].at.Equal(a[j].at) {
		return a[i].at.Before(a[j].at)
	}
	return a[i].order < a[j].order
}
func (a arrivals) Swap(i, j int) { a[i], a[j] = a[j], a[i] }

// Push is for container/heap.
func (a *arrivals) Push(x any) { *a = append(*a, x.(arrival)) }

// Pop is for container/heap.
func (a *arrivals) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	*a = (*a)[:last]
	return x
}
