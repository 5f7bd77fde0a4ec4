package main

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batch = 64
	// longest is more than any datagram here.
	longest = 1500
)

// messages are the arguments of sendmmsg and recvmmsg: at least one batch of them.
type messages struct {
	heads   []unix.Mmsghdr
	vectors []unix.Iovec
	names   []unix.RawSockaddrInet4
	octets  []byte
	size    int
	next    int // the first one of the next batch to be sent
}

// newMessages makes room for as many datagrams of at most that size, in whole batches.
func newMessages(count, size int) *messages {
	count = (count + batch - 1) / batch * batch
	m := &messages{
		heads: make([]unix.Mmsghdr, count), vectors: make([]unix.Iovec, count),
		names: make([]unix.RawSockaddrInet4, count), octets: make([]byte, count*size), size: size,
	}
	for i := range m.heads {
		m.vectors[i].Base = &m.octets[i*size]
		m.vectors[i].SetLen(size)
		m.heads[i].Hdr.Iov = &m.vectors[i]
		m.heads[i].Hdr.SetIovlen(1)
	}
	return m
}

// address says where the i-th datagram goes, on a socket that is not connected.
func (m *messages) address(i int, to netip.AddrPort) {
	m.names[i] = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: to.Port()>>8 | to.Port()<<8, Addr: to.Addr().As4()}
	m.heads[i].Hdr.Name = (*byte)(unsafe.Pointer(&m.names[i]))
	m.heads[i].Hdr.Namelen = unix.SizeofSockaddrInet4
}

// datagram is the i-th one received.
func (m *messages) datagram(i int) []byte { return m.octets[i*m.size:][:m.heads[i].Len] }

// send sends the next batch, round and round, and returns how many datagrams the kernel took.
func (m *messages) send(fd int) (int, error) {
	n, err := m.call(unix.SYS_SENDMMSG, fd, m.next, batch, 0)
	m.next += n
	if m.next+batch > len(m.heads) {
		m.next = 0
	}
	return n, err
}

// sendFirst sends one datagram.
func (m *messages) sendFirst(fd int) (int, error) { return m.call(unix.SYS_SENDMMSG, fd, 0, 1, 0) }

// receive receives a batch, of one at least unless the socket's time is up.
func (m *messages) receive(fd int) (int, error) {
	return m.call(unix.SYS_RECVMMSG, fd, 0, batch, unix.MSG_WAITFORONE)
}

func (m *messages) call(number uintptr, fd, first, count, flags int) (int, error) {
	for {
		n, _, errno := unix.Syscall6(number, uintptr(fd), uintptr(unsafe.Pointer(&m.heads[first])), uintptr(count), uintptr(flags), 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}
