package tun

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"syscall"
	"unsafe"

	wg "github.com/tailscale/wireguard-go/tun"
	"golang.org/x/sys/unix"
)

// queue is one queue of a TUN device. A packet is a system call, which the kernel has no batches of; so all that is there is
// read at once, and all that is to be written is written at once, without telling Go's scheduler of each.
type queue struct {
	raw     syscall.RawConn
	offload bool // packets have a virtio header in front
	threads bool // a thread of the kernel takes what is written, and may be late

	// in is used by the one goroutine that reads.
	in struct {
		slab    []byte
		packets []extent
		count   int
		end     int // of the last packet in the slab
		err     error
		read    func(fd uintptr) bool // bound once: a closure per call would be an allocation
	}

	writing sync.Mutex // guards out, and the library's writing to this queue; it is taken once for a batch
	out     struct {
		packets     [][]byte
		at          int
		err         error
		write, room func(fd uintptr) bool
		poll        [1]unix.PollFd
	}
}

func newQueue(file *os.File, offload, threads bool) (*queue, error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	q := &queue{raw: raw, offload: offload, threads: threads}
	q.in.read, q.out.write, q.out.room = q.readAll, q.writeAll, q.hasSpace
	return q, nil
}

// read waits for packets and reads as many as there are and fit.
func (q *queue) read(slab []byte, packets []extent) (n int, err error) {
	in := &q.in
	in.slab, in.packets, in.count, in.end, in.err = slab, packets, 0, 0, nil
	if err := q.raw.Read(in.read); err != nil { // no other error than that
		return 0, fmt.Errorf("%w: %w", os.ErrClosed, err)
	}
	in.slab, in.packets = nil, nil
	return in.count, in.err
}

// readAll says false when nothing is there yet, and the poller is to wait.
func (q *queue) readAll(fd uintptr) bool {
	in := &q.in
	for q.hasRoom() {
		at := in.end + headroom
		if q.offload {
			at -= virtioLen
		}
		b := in.slab[at : len(in.slab)-headroom]
		n, _, errno := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		switch errno {
		case 0:
			in.err = q.take(b[:n])
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return in.count > 0
		case unix.EBADFD:
			in.err = os.ErrClosed // the device has been removed
		default:
			in.err = errno
		}
		if in.err != nil {
			return true
		}
	}
	return true
}

// hasRoom says that whatever the kernel delivers next finds room.
func (q *queue) hasRoom() bool {
	in := &q.in
	return in.count == 0 || len(in.slab)-in.end >= slabSize && len(in.packets)-in.count >= slabPackets
}

// take notes what has been read, cut into packets as they travel, with their checksums.
func (q *queue) take(b []byte) error {
	in := &q.in
	if !q.offload {
		q.note(extent{Offset: in.end + headroom, Size: len(b)})
		return nil
	}
	if len(b) < virtioLen {
		return fmt.Errorf("%d octets are no virtio header", len(b))
	}
	packet := b[virtioLen:]
	if b[0]&unix.VIRTIO_NET_HDR_F_NEEDS_CSUM == 0 && b[1] == unix.VIRTIO_NET_HDR_GSO_NONE {
		q.note(extent{Offset: in.end + headroom, Size: len(packet)})
		return nil
	}
	options, err := splitting(b[:virtioLen], packet)
	if err != nil {
		return err
	}
	start := in.end
	n, err := wg.GSOSplit(packet, options, in.slab[start:], in.packets[in.count:], headroom)
	for _, at := range in.packets[in.count : in.count+n] {
		q.note(extent{Offset: start + at.Offset, Size: at.Size})
	}
	return err
}

func (q *queue) note(at extent) {
	q.in.packets[q.in.count] = at
	q.in.count++
	q.in.end = at.Offset + at.Size
}

// virtioLen is the length of a virtio header.
//
//	 0       1       2               4               6               8               10
//	+-------+-------+---------------+---------------+---------------+---------------+
//	| flags | kind  | header length | segment size  | checksum from | and its place |
//	+-------+-------+---------------+---------------+---------------+---------------+
//
// All numbers are in the order of the host. The header length is not to be trusted: for a packet that is forwarded it may be
// anything.
const virtioLen = 10

// splitting reads a virtio header, and from the packet how long its headers are.
func splitting(virtio, packet []byte) (wg.GSOOptions, error) {
	o := wg.GSOOptions{
		NeedsCsum:  virtio[0]&unix.VIRTIO_NET_HDR_F_NEEDS_CSUM != 0,
		GSOSize:    binary.NativeEndian.Uint16(virtio[4:]),
		CsumStart:  binary.NativeEndian.Uint16(virtio[6:]),
		CsumOffset: binary.NativeEndian.Uint16(virtio[8:]),
	}
	switch virtio[1] {
	case unix.VIRTIO_NET_HDR_GSO_NONE:
		return o, nil
	case unix.VIRTIO_NET_HDR_GSO_UDP_L4:
		o.GSOType, o.HdrLen = wg.GSOUDPL4, o.CsumStart+udpHeaderLen
		return o, nil
	case unix.VIRTIO_NET_HDR_GSO_TCPV4:
		o.GSOType = wg.GSOTCPv4
	case unix.VIRTIO_NET_HDR_GSO_TCPV6:
		o.GSOType = wg.GSOTCPv6
	default:
		return o, fmt.Errorf("the kernel delivers segments of an unknown kind, %d", virtio[1])
	}
	at := int(o.CsumStart) + atTCPOffset
	if at >= len(packet) {
		return o, fmt.Errorf("a TCP header at %d in a packet of %d octets", o.CsumStart, len(packet))
	}
	length := uint16(packet[at]>>bitsOfDataOffset) * 4
	if length < minTCPHeaderLen {
		return o, fmt.Errorf("a TCP header of %d octets", length)
	}
	o.HdrLen = o.CsumStart + length
	return o, nil
}

// write writes packets that begin writeOffset octets into their buffers, each by itself. Those that were refused are nil
// afterwards.
func (q *queue) write(packets [][]byte) error {
	q.writing.Lock()
	defer q.writing.Unlock()
	out := &q.out
	out.packets, out.at, out.err = packets, 0, nil
	if err := q.raw.Write(out.write); err != nil {
		clear(packets[out.at:])
		out.err = err
	}
	out.packets = nil
	return out.err
}

// writeAll says false when the kernel takes nothing now, and the poller is to wait.
func (q *queue) writeAll(fd uintptr) bool {
	out := &q.out
	for out.at < len(out.packets) {
		p := out.packets[out.at]
		if q.offload {
			clear(p[:writeOffset]) // a virtio header that says nothing
		} else {
			p = p[writeOffset:]
		}
		_, _, errno := unix.RawSyscall(unix.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		switch errno {
		case 0:
			out.at++
		case unix.EINTR:
		case unix.EAGAIN:
			if !q.hasSpace(fd) {
				return false
			}
		default:
			out.packets[out.at], out.err = nil, errno
			out.at++
		}
	}
	return true
}

// awaitRoom waits until half of what may wait for the thread is free. Whoever writes holds the lock.
func (q *queue) awaitRoom() error {
	if !q.threads {
		return nil
	}
	return q.raw.Write(q.out.room)
}

// hasSpace asks whether a full queue has room again, at least a half of it. The poller tells of room only after poll(2) has
// said that there is none: a write that fails is not enough.
func (q *queue) hasSpace(fd uintptr) bool {
	q.out.poll[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLOUT}
	n, err := unix.Poll(q.out.poll[:], 0)
	return n > 0 || err != nil && err != unix.EINTR
}
