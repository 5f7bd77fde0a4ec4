package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"lnsgate/lns/datapath"
)

const (
	batchSize = 64
	// mostBatches bounds how long the first of a row waits for the last.
	mostBatches = 16
	// bufferSize holds the largest datagram, and the longest run that the kernel coalesces. A page of it costs memory
	// only once something long has arrived in it.
	bufferSize = 1 << 16
)

// reader reads one socket. All its memory is allocated once; its goroutine owns it.
type reader struct {
	socket   *socket
	receiver Receiver
	path     datapath.Path // only Socket is kept from datagram to datagram
	messages [batchSize]unix.Mmsghdr
	vectors  [batchSize]unix.Iovec
	names    [batchSize]unix.RawSockaddrInet6
	controls [batchSize]control
	buffers  []byte

	// The system call, bound once: a closure per call would be an allocation. peek does not wait.
	read, peek func(fd uintptr) bool
	count      int
	errno      unix.Errno
	seen       batchCount
}

// batchCount is what one batch adds to the counters.
type batchCount struct{ datagrams, octets, coalesced uint64 }

func newReader(s *socket, number uint8) *reader {
	r := &reader{socket: s, path: datapath.Path{Socket: number}, buffers: make([]byte, batchSize*bufferSize)}
	for i := range r.messages {
		r.vectors[i].Base = &r.buffers[i*bufferSize]
		r.vectors[i].SetLen(bufferSize)
		h := &r.messages[i].Hdr
		h.Name = (*byte)(unsafe.Pointer(&r.names[i]))
		h.Iov = &r.vectors[i]
		h.SetIovlen(1)
		h.Control = r.controls[i].pointer()
		r.rearm(i)
	}
	r.read = r.receive
	r.peek = func(fd uintptr) bool { r.receive(fd); return true }
	return r
}

// run reads until the context is done or the socket is closed, and then returns nil.
func (r *reader) run(ctx context.Context, receiver Receiver) error {
	r.receiver = receiver
	for {
		err := r.socket.raw.Read(r.read)
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			if ctx.Err() != nil {
				return nil
			}
			return err
		case err != nil:
			return err
		case r.errno != 0:
			if fatal(r.errno) {
				return fmt.Errorf("recvmmsg: %w", r.errno)
			}
			r.socket.counters.receiveErrors.add(r.errno, 1)
		default:
			r.deliver()
		}
	}
}

// fatal says that reading again cannot help. Everything else is a peer's port unreachable, a device that went down,
// memory that is short now.
func fatal(errno unix.Errno) bool {
	switch errno {
	case unix.EBADF, unix.ENOTSOCK, unix.EFAULT, unix.EINVAL, unix.ENOSYS, unix.EPERM:
		return true
	default:
		return false
	}
}

// receive makes the system call; false means that nothing is there yet, and the poller waits. Go's scheduler is not told of
// the call, because it never waits: told, it takes the processor away from a batch that takes longer than 20 us, and has to
// give it back.
func (r *reader) receive(fd uintptr) bool {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.messages)), batchSize,
			unix.MSG_DONTWAIT, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		r.count, r.errno = int(n), errno
		if errno != 0 {
			r.count = 0
		}
		return errno != unix.EAGAIN
	}
}

// rearm sets what the kernel has overwritten in a header.
func (r *reader) rearm(i int) {
	h := &r.messages[i].Hdr
	h.Namelen = unix.SizeofSockaddrInet6
	h.SetControllen(controlSize)
	h.Flags = 0
}

// deliver hands the batch to the receiver, and those that are there already behind a full one: the more a data path has at once,
// the more it can do at once.
func (r *reader) deliver() {
	for batches := 1; ; batches++ {
		r.handOver()
		if r.count < batchSize || batches == mostBatches {
			break
		}
		r.receiver.Keep()
		if !r.more() {
			break
		}
	}
	r.receiver.Flush()
}

// more reads again, and says whether there was anything.
func (r *reader) more() bool {
	if err := r.socket.raw.Read(r.peek); err != nil {
		return false // whoever waits for more is told
	}
	if r.errno != 0 && r.errno != unix.EAGAIN {
		r.socket.counters.receiveErrors.add(r.errno, 1)
	}
	return r.count > 0
}

// handOver hands one batch to the receiver.
func (r *reader) handOver() {
	r.seen = batchCount{}
	for i := range r.messages[:r.count] {
		r.message(i)
		r.rearm(i)
	}
	c := &r.socket.counters
	c.receiveCalls.Add(1)
	c.receivedDatagrams.Add(r.seen.datagrams)
	c.receivedOctets.Add(r.seen.octets)
	c.receivedCoalesced.Add(r.seen.coalesced)
}

// message hands over one message, which is several datagrams of one peer when the kernel has coalesced them: all of
// one size, the last one smaller.
func (r *reader) message(i int) {
	h := &r.messages[i].Hdr
	length := int(r.messages[i].Len)
	if h.Flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		r.socket.counters.truncated.Add(1)
		return
	}
	r.path.Remote = peerAddress(&r.names[i], r.socket.v6)
	if r.path.Remote.Port() == 0 {
		// Nothing can be sent back to port 0; only a forger uses it.
		r.socket.counters.portZero.Add(1)
		return
	}
	local, segment, mark := r.controls[i].parse(int(h.Controllen))
	r.path.Local = local
	r.path.Secure = mark != 0 && mark == r.socket.secureMark.Load()
	if segment <= 0 || segment > length {
		segment = length
	}
	if segment < length {
		r.seen.coalesced++
	}
	r.seen.octets += uint64(length)
	b := r.buffers[i*bufferSize:][:length:length]
	for {
		r.seen.datagrams++
		n := min(segment, len(b))
		r.receiver.Datagram(r.path, b[:n:n])
		if b = b[n:]; len(b) == 0 {
			return
		}
	}
}
