package transport

import (
	"errors"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"lnsgate/lns/datapath"
)

// ErrPath says that a path names no socket of this transport, or one of the other address family than its peer.
var ErrPath = errors.New("the path does not belong to a socket")

// The kernel's limits for one run of segments.
const (
	maxSegments  = 64
	maxRunOctets = 65507 // the largest IPv4 UDP datagram
	maxVectors   = 256   // datagrams in one system call, at most
)

// Send sends one datagram along the path, in one system call. It never waits: with a full send buffer the datagram is
// lost, counted as "tx_buffer_full", and the error is EAGAIN. The error is ErrPath, one that wraps net.ErrClosed, or the
// kernel's (a syscall.Errno), which is also counted.
func (t *Transport) Send(p datapath.Path, datagram []byte) error {
	o := t.outgoing.Get().(*outgoing)
	o.single[0] = datagram
	err := t.sendAll(o, p, o.single[:])
	o.release()
	t.outgoing.Put(o)
	if lost, ok := errors.AsType[*datapath.BatchError](err); ok {
		return lost.Err
	}
	return err
}

// SendBatch sends the datagrams along the path in order: each run of equal size in one piece if the kernel does that,
// and all in as few system calls as they fit in. It never waits either. The errors are those of Send in a
// *datapath.BatchError, except ErrPath, with which nothing is sent. A datagram that the kernel refuses for its own sake,
// because of its length for example, does not keep the others from being sent.
func (t *Transport) SendBatch(p datapath.Path, datagrams [][]byte) error {
	o := t.outgoing.Get().(*outgoing)
	err := t.sendAll(o, p, datagrams)
	o.release()
	t.outgoing.Put(o)
	return err
}

func (t *Transport) sendAll(o *outgoing, p datapath.Path, datagrams [][]byte) error {
	if int(p.Socket) >= len(t.sockets) || !t.sockets[p.Socket].fits(p.Remote.Addr()) {
		return ErrPath
	}
	o.aim(t.sockets[p.Socket], p)
	limit := 0
	if len(datagrams) > 1 {
		limit = o.socket.segmenting.limit(p.Remote.Addr())
	}
	refused := refusal{}
	var lost *datapath.BatchError // of the datagrams that the kernel does not take
	for done := 0; done < len(datagrams); {
		o.load(datagrams[done:], limit)
		sent, errno, err := o.transmit()
		done += sent
		switch {
		case err != nil:
			return lostFrom(lost, done, err)
		case errno == 0:
		case o.failedRun() > 1 && refusesRuns(errno):
			refused, limit = refusal{errno, len(datagrams[done])}, 0
		case o.failedRun() == 1 && concernsDatagram(errno):
			o.socket.counters.sendErrors.add(errno, 1)
			lost = lostAt(lost, len(datagrams), done, errno)
			done++
		default:
			o.socket.counters.sendErrors.add(errno, len(datagrams)-done)
			return lostFrom(lost, done, errno)
		}
	}
	if refused.errno != 0 {
		o.socket.runRefused(p.Remote.Addr(), refused)
	}
	if lost != nil { // not as an error that is no nil
		return lost
	}
	return nil
}

// concernsDatagram says that an error is about one datagram, and the next one may do better: it is too long, or a filter
// of this host drops it.
func concernsDatagram(errno unix.Errno) bool {
	return errno == unix.EMSGSIZE || errno == unix.EPERM || errno == unix.EINVAL
}

// lostAt notes that one datagram of so many was not sent; the first error is the one told.
func lostAt(lost *datapath.BatchError, all, i int, err error) *datapath.BatchError {
	if lost == nil {
		lost = &datapath.BatchError{From: all, Err: err}
	}
	lost.Skipped = append(lost.Skipped, i)
	return lost
}

// lostFrom notes that this datagram and all behind it were not sent. When that is all of them the error is enough, and
// costs no allocation.
func lostFrom(lost *datapath.BatchError, i int, err error) error {
	if lost == nil && i == 0 {
		return err
	}
	if lost == nil {
		lost = &datapath.BatchError{Err: err}
	}
	lost.From = i
	return lost
}

// refusal is a run that the kernel did not take in one piece.
type refusal struct {
	errno unix.Errno
	size  int
}

// refusesRuns says that an error may mean the form of a run, and not the datagrams in it.
func refusesRuns(errno unix.Errno) bool {
	switch errno {
	case unix.EIO, unix.EINVAL, unix.EMSGSIZE, unix.EOPNOTSUPP:
		return true
	default:
		return false
	}
}

// runRefused is called when the datagrams of a refused run did go one by one: it was the run, then.
func (s *socket) runRefused(peer netip.Addr, r refusal) {
	first := s.counters.segmentsRefused.Add(1) == 1
	off := s.segmenting.refused(peer, r.size, r.errno)
	switch {
	case off:
		s.log.Warn("the kernel refuses UDP GSO again and again; it is off for this socket for an hour, "+
			"sending costs more processor time", "peer", peer, "octets", r.size, "error", r.errno)
	case first:
		s.log.Info("the kernel refuses UDP GSO for a peer; its datagrams go one by one (a small MTU or an IPsec policy "+
			"towards it are the usual reasons; said once for each socket)", "peer", peer, "octets", r.size, "error", r.errno)
	}
}

// runLength is how many of the datagrams, at least one, can go in one piece: all of one size, which is smaller than
// limit, and the last one possibly smaller still.
func runLength(datagrams [][]byte, limit int) int {
	size := len(datagrams[0])
	if size == 0 || size >= limit {
		return 1
	}
	total := size
	for n, d := range datagrams[1:] {
		total += len(d)
		if n+1 == maxSegments || total > maxRunOctets || len(d) > size || len(d) == 0 {
			return n + 1
		}
		if len(d) < size {
			return n + 2
		}
	}
	return len(datagrams)
}

// outgoing is the memory of one send call, kept in a pool.
type outgoing struct {
	socket     *socket
	local      netip.Addr
	name       unix.RawSockaddrInet6
	nameLength uint32
	messages   [batchSize]unix.Mmsghdr
	controls   [batchSize]control
	vectors    [maxVectors]unix.Iovec
	runs       [batchSize]int // datagrams in each message
	single     [1][]byte
	loaded     int // messages
	vectored   int // vectors
	used       int // vectors that hold the caller's memory
	done       int // messages the kernel has taken
	errno      unix.Errno

	send func(fd uintptr) // the system call, bound once: a closure for each call would be an allocation
}

func newOutgoing() *outgoing {
	o := &outgoing{}
	o.send = func(fd uintptr) { o.call(fd) }
	return o
}

// release forgets the caller's memory.
func (o *outgoing) release() {
	clear(o.vectors[:o.used])
	o.used = 0
	o.single[0] = nil
	o.socket = nil
}

// aim sets where the datagrams go and where they leave from.
func (o *outgoing) aim(s *socket, p datapath.Path) {
	o.socket = s
	o.nameLength = setPeerAddress(&o.name, p.Remote)
	o.local = netip.Addr{}
	if s.anyAddress && p.Local.Is6() == s.v6 {
		o.local = p.Local
	}
}

// load prepares messages for as many datagrams as fit into one system call.
func (o *outgoing) load(datagrams [][]byte, limit int) {
	o.loaded, o.done, o.vectored = 0, 0, 0
	for len(datagrams) > 0 && o.loaded < batchSize {
		n := runLength(datagrams, limit)
		if o.vectored+n > maxVectors {
			return
		}
		o.message(datagrams[:n])
		datagrams = datagrams[n:]
	}
}

// message prepares one message for a run.
func (o *outgoing) message(run [][]byte) {
	first := o.vectored
	for _, d := range run {
		v := &o.vectors[o.vectored]
		v.Base = unsafe.SliceData(d)
		v.SetLen(len(d))
		o.vectored++
	}
	o.used = max(o.used, o.vectored)
	segment := 0
	if len(run) > 1 {
		segment = len(run[0])
	}
	h := &o.messages[o.loaded].Hdr
	h.Name = (*byte)(unsafe.Pointer(&o.name))
	h.Namelen = o.nameLength
	h.Iov = &o.vectors[first]
	h.SetIovlen(len(run))
	h.Control = nil
	length := o.controls[o.loaded].build(o.local, segment)
	if length != 0 {
		h.Control = o.controls[o.loaded].pointer()
	}
	h.SetControllen(length)
	o.runs[o.loaded] = len(run)
	o.loaded++
}

// failedRun is the number of datagrams in the message that the kernel did not take.
func (o *outgoing) failedRun() int { return o.runs[o.done] }

// transmit hands the loaded messages to the kernel, and returns how many datagrams it took and why it did not take
// the next one. The error says that the socket is closed.
func (o *outgoing) transmit() (sent int, errno unix.Errno, err error) {
	err = o.push()
	c := &o.socket.counters
	octets, segmented := 0, 0
	for _, n := range o.runs[:o.done] {
		for _, v := range o.vectors[sent : sent+n] {
			octets += int(v.Len)
		}
		if sent += n; n > 1 {
			segmented++
		}
	}
	c.sentDatagrams.Add(uint64(sent))
	c.sentOctets.Add(uint64(octets))
	if segmented > 0 {
		c.sentSegmented.Add(uint64(segmented))
		o.socket.segmenting.worked()
	}
	return sent, o.errno, err
}

// push makes system calls until everything is sent or something fails. It never waits for room in the send buffer: all
// peers share it, and one whose way is congested would hold up everybody.
func (o *outgoing) push() error {
	raw := o.socket.raw
	stale := false
	for {
		// Control does not take the lock that Write holds, so that senders do not queue up behind each other.
		if err := raw.Control(o.send); err != nil {
			return err
		}
		switch {
		case o.errno == 0 && o.done == o.loaded:
			return nil
		case o.errno == 0:
			// The kernel stops at a message that fails, and only the next call says why.
		case o.errno == unix.ECONNREFUSED && !stale:
			// That is the answer to something sent before; the kernel tells it once and sends nothing.
			stale = true
			o.socket.counters.sendErrors.add(o.errno, 1)
		default:
			return nil
		}
	}
}

// call makes one system call for the messages that are still to be sent. It never waits, so Go's scheduler is not told of it.
func (o *outgoing) call(fd uintptr) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&o.messages[o.done])),
			uintptr(o.loaded-o.done), unix.MSG_DONTWAIT, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		o.socket.counters.sendCalls.Add(1)
		if o.errno = errno; errno == 0 {
			o.done += int(n)
		}
		return
	}
}
