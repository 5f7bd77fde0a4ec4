package tun

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"lnsgate/lns/datapath"
	"lnsgate/lns/ppp"
)

const (
	// Of both there is twice as much, so that many small packets are read at once.
	//
	// slabSize holds the largest packet the kernel delivers, cut into segments of some 400 octets with headers and
	// headroom for each. Of smaller segments a part is lost and counted.
	slabSize = 128 << 10
	// slabPackets is more than the kernel puts into one UDP packet, and than a TCP packet has sensible segments.
	slabPackets = 256
	// fragmentsSize holds the fragments of the largest packet at a usual MRU. With smaller ones it is sent in parts.
	fragmentsSize = 96 << 10
	// patience is how many system calls may fail in a row before a queue is given up.
	patience = 100
)

// egress is the way down for one queue of a device. It belongs to one goroutine.
type egress struct {
	path  *DataPath
	port  *port
	queue int

	slab      []byte
	packets   []extent
	fragments []byte

	// What waits to be sent: datagrams to one peer, and whose they are.
	to        datapath.Path
	datagrams [][]byte
	owners    []*session
	// numbered says that the lock for sequence numbers is held.
	numbered bool
	// now is the time of this batch, in nanoseconds since the data path's epoch.
	now int64

	errors  limiter
	message []byte
}

func newEgress(d *DataPath, p *port, queue int) *egress {
	e := newDownward(d, p, queue)
	e.slab, e.packets = make([]byte, 2*slabSize), make([]extent, 2*slabPackets)
	return e
}

// newDownward makes one that reads nothing: its packets come from elsewhere.
func newDownward(d *DataPath, p *port, queue int) *egress {
	return &egress{
		path: d, port: p, queue: queue,
		datagrams: make([][]byte, 0, slabPackets),
		owners:    make([]*session, 0, slabPackets),
	}
}

// run reads until the device is closed or has evidently failed.
func (e *egress) run() {
	for failures := 0; failures < patience; {
		n, err := e.port.device.Read(e.queue, e.slab, e.packets)
		e.batch(n)
		switch {
		case err == nil:
			failures = 0
			continue
		case errors.Is(err, os.ErrClosed):
			e.ended(err)
			return
		}
		e.path.drops.add(datapath.InterfaceRead, 1)
		if errno := syscall.Errno(0); errors.As(err, &errno) {
			failures++
		}
		if failures == patience {
			e.ended(err)
		}
	}
}

// ended tells the administrator and the owner of the data path when a device ends without having been closed.
func (e *egress) ended(err error) {
	if e.port.closing.Load() {
		return
	}
	e.port.ended.Do(func() {
		e.port.log.Error("virtual template cannot be read any more, perhaps because its device was removed; "+
			"its sessions receive nothing until lnsgate is started again",
			"interface", e.port.name, "queue", e.queue, "cause", err)
		select {
		case e.path.failed <- fmt.Errorf("virtual template %s cannot be read any more, perhaps because its device was removed: %w",
			e.port.name, err):
		default: // another one has failed before
		}
	})
}

// batch sends the first n packets in the slab to their peers.
func (e *egress) batch(n int) {
	if n == 0 {
		return
	}
	e.now = e.path.now()
	for _, at := range e.packets[:n] {
		e.packet(at.Offset, at.Size)
	}
	e.finish()
}

// finish sends what is left of a batch.
func (e *egress) finish() {
	e.send()
	e.fragments = e.fragments[:0]
}

// packet finds the session of a packet in the slab and asks whether it may pass.
func (e *egress) packet(offset, size int) {
	s, packet := e.find(e.slab[offset : offset+size])
	if s == nil {
		return
	}
	if !s.filter.Load().Allows(datapath.Down, packet) {
		s.dropTx(datapath.Filtered)
		return
	}
	switch due, verdict := s.down.admit(len(packet), e.now); {
	case verdict == passes:
		e.pass(s, e.slab[offset-headroom:], packet)
	case verdict == over || !e.hold(s, packet, due):
		s.dropTx(datapath.OverRateDown)
	}
}

// find finds the session of a packet, and cuts off what is behind it. Without one the packet is counted.
func (e *egress) find(b []byte) (s *session, packet []byte) {
	six := isIPv6(b)
	packet, ok := cutIPv4(b)
	if six {
		packet, ok = cutIPv6(b)
	}
	redirect := false
	switch {
	case !ok:
		e.path.drops.add(datapath.NotIPv4, 1)
		return nil, nil
	case six:
		s, redirect = e.port.routes.lookup6(destination6(packet)), isRedirect6(packet)
	default:
		s, redirect = e.port.lookup(destination(packet)), isRedirect(packet)
	}
	switch {
	case s == nil:
		e.path.drops.add(datapath.DestinationUnknown, 1)
	case redirect:
		e.path.drops.add(datapath.Redirect, 1)
		return nil, nil
	}
	return s, packet
}

// hold has a packet wait. Those of the session that are lined up are sent first: the pacer would overtake them.
func (e *egress) hold(s *session, packet []byte, due int64) bool {
	if slices.Contains(e.owners, s) {
		e.send()
	}
	return e.port.pacer.hold(s, datapath.Down, packet, e.now, due)
}

// pass puts a packet that may pass, headroom octets into a buffer, into a form the session's peer can receive.
func (e *egress) pass(s *session, buffer, packet []byte) {
	s.clamp(packet)
	switch {
	case len(packet) <= s.mru:
		e.add(s, buffer, protocolOf(packet), len(packet))
	case isIPv6(packet):
		s.dropTx(datapath.TooBig)
		e.refuse6(s, packet)
	case fragmentField(packet)&flagDontFragment != 0:
		s.dropTx(datapath.TooBig)
		e.refuse(s, packet)
	default:
		e.fragment(s, packet)
	}
}

// add writes a session's headers in front of a packet, which begins headroom octets into b, and lines it up.
func (e *egress) add(s *session, b []byte, protocol ppp.Protocol, packetLen int) {
	to := s.to.Load()
	if len(e.datagrams) > 0 && (e.to != *to || len(e.datagrams) == cap(e.datagrams)) {
		e.send()
	}
	e.to = *to
	var ns uint16
	if s.header.Sequence {
		if !e.numbered {
			e.path.sequenced.Lock()
			e.numbered = true
		}
		ns = s.NextNs()
	}
	start := headroom - s.overhead
	s.appendHeaders(b[start:start], protocol, packetLen, ns)
	e.datagrams = append(e.datagrams, b[start:headroom+packetLen])
	e.owners = append(e.owners, s)
}

// send sends what is lined up and counts it.
func (e *egress) send() {
	if len(e.datagrams) == 0 {
		return
	}
	err := e.port.sender.SendBatch(e.to, e.datagrams)
	if e.numbered {
		e.path.sequenced.Unlock()
		e.numbered = false
	}
	partly, _ := errors.AsType[*datapath.BatchError](err)
	for i, s := range e.owners {
		if err == nil || partly != nil && !partly.Lost(i) {
			s.tx.count(len(e.datagrams[i])-s.overhead, e.now)
		} else {
			s.dropTx(datapath.PeerSend)
		}
	}
	clear(e.datagrams)
	clear(e.owners)
	e.datagrams, e.owners = e.datagrams[:0], e.owners[:0]
}

// fragment sends a packet that is longer than the peer receives in pieces.
func (e *egress) fragment(s *session, packet []byte) {
	if endsTooFar(packet) {
		s.dropTx(datapath.PacketMalformed)
		return
	}
	if e.fragments == nil {
		e.fragments = make([]byte, 0, fragmentsSize)
	}
	for f := newFragmenter(packet, s.mru); !f.done(); {
		if cap(e.fragments)-len(e.fragments) < headroom+s.mru {
			e.send()
			e.fragments = e.fragments[:0]
		}
		start := len(e.fragments)
		e.fragments = f.piece(e.fragments[:start+headroom])
		e.add(s, e.fragments[start:], ppp.IPv4, len(e.fragments)-start-headroom)
	}
}

// refuse tells the sender of a packet that it is too long, unless it has been told often enough.
func (e *egress) refuse(s *session, packet []byte) {
	if deservesError(packet) && e.errors.allow(e.now) {
		e.answer(appendTooBig(e.blank(), packet, s.mru))
	}
}

// refuse6 is refuse for IPv6, which routers never cut into fragments.
func (e *egress) refuse6(s *session, packet []byte) {
	if deservesError6(packet) && e.errors.allow(e.now) {
		e.answer(appendTooBig6(e.blank(), packet, s.mru))
	}
}

// blank is room for a message to a sender.
func (e *egress) blank() []byte {
	if e.message == nil {
		e.message = make([]byte, 0, writeOffset+icmp6Most)
	}
	return e.message[:writeOffset]
}

func (e *egress) answer(message []byte) {
	e.message = message
	if err := e.port.device.Write(e.queue, [][]byte{e.message}); err != nil {
		e.path.drops.add(datapath.InterfaceWrite, 1)
	}
}
