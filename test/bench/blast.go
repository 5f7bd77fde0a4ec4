package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"lnsgate/lns/host/netns"

	"golang.org/x/sys/unix"
)

const (
	batch   = 64
	window  = 256         // datagrams under way; less than the queue of any interface on the way (500)
	payload = 64 - 20 - 8 // what is left of 64 octets behind the headers of IPv4 and UDP
	// overdue is how long the sender waits for what is under way before it writes that off and goes on.
	overdue = 50 * time.Millisecond
)

// flow is the outcome of a blast.
type flow struct {
	sent, received, lost int64
	took                 time.Duration
}

// rate is in packets per second.
func (f flow) rate() float64 { return float64(f.received) / f.took.Seconds() }

// loss is in percent.
func (f flow) loss() float64 { return 100 * float64(f.lost) / float64(max(1, f.sent)) }

// blaster sends small datagrams as fast as they arrive: never more than a window under way, so that what is measured is
// how fast the way is, not how fast a queue overflows.
type blaster struct {
	receiver, sender int // blocking sockets
	received         atomic.Int64
	arrived          chan struct{} // wakes the sender
}

// blast sends from one namespace to an address of another for a while.
func blast(ctx context.Context, from, to *netns.Namespace, address netip.Addr, d time.Duration) (f flow, err error) {
	b := &blaster{receiver: -1, sender: -1, arrived: make(chan struct{}, 1)}
	defer b.close()
	if err := b.open(from, to, address); err != nil {
		return f, fmt.Errorf("blast to %s: %w", address, err)
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var failure error
	var reading sync.WaitGroup
	done := make(chan struct{})
	reading.Go(func() { failure = b.receive(done) })
	if err = b.knock(ctx); err == nil {
		b.received.Store(0)
		start := time.Now()
		f.sent, err = b.send(ctx)
		f.received, f.took = b.received.Load(), time.Since(start)
		b.drain(f.sent)
		f.lost = max(0, f.sent-b.received.Load())
	}
	close(done)
	reading.Wait()
	if err = errors.Join(err, failure); err == nil && f.received == 0 {
		err = fmt.Errorf("none of %d packets to %s arrived", f.sent, address)
	}
	return f, err
}

func (b *blaster) open(from, to *netns.Namespace, address netip.Addr) error {
	target := &unix.SockaddrInet4{Addr: address.As4()}
	err := to.Do(func() (err error) {
		if b.receiver, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		wait := unix.NsecToTimeval(overdue.Nanoseconds())
		if err := unix.SetsockoptTimeval(b.receiver, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
			return err
		}
		if err := unix.SetsockoptInt(b.receiver, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20); err != nil {
			return err
		}
		if err := unix.Bind(b.receiver, target); err != nil {
			return err
		}
		bound, err := unix.Getsockname(b.receiver)
		if err == nil {
			target.Port = bound.(*unix.SockaddrInet4).Port
		}
		return err
	})
	if err != nil {
		return err
	}
	return from.Do(func() (err error) {
		if b.sender, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		return unix.Connect(b.sender, target)
	})
}

func (b *blaster) close() {
	for _, fd := range []int{b.receiver, b.sender} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// knock sends single datagrams until one arrives: a flood would overflow the small queue of a neighbour whose Ethernet
// address is not known yet.
func (b *blaster) knock(ctx context.Context) error {
	return until(ctx, "the first packet arrives", func() (bool, error) {
		if b.received.Load() > 0 {
			return true, nil
		}
		_, err := unix.Write(b.sender, make([]byte, payload))
		return false, err
	})
}

// send keeps the window full until the context ends.
func (b *blaster) send(ctx context.Context) (sent int64, err error) {
	m := newMessages()
	timer := time.NewTimer(overdue)
	defer timer.Stop()
	var writtenOff int64
	for ctx.Err() == nil {
		free := window - (sent - writtenOff - b.received.Load())
		if free >= batch {
			n, err := m.call(unix.SYS_SENDMMSG, b.sender, 0)
			if err != nil && !errors.Is(err, unix.ENOBUFS) {
				return sent, fmt.Errorf("send: %w", err)
			}
			sent += int64(n)
			continue
		}
		timer.Reset(overdue)
		select {
		case <-b.arrived:
		case <-ctx.Done():
		case <-timer.C:
			writtenOff = sent - b.received.Load()
		}
	}
	return sent, nil
}

// drain waits for what is still under way.
func (b *blaster) drain(sent int64) {
	timer := time.NewTimer(4 * overdue)
	defer timer.Stop()
	for b.received.Load() < sent {
		select {
		case <-b.arrived:
		case <-timer.C:
			return
		}
	}
}

// receive counts until it is told to stop.
func (b *blaster) receive(done <-chan struct{}) error {
	m := newMessages()
	for {
		select {
		case <-done:
			return nil
		default:
		}
		n, err := m.call(unix.SYS_RECVMMSG, b.receiver, unix.MSG_WAITFORONE)
		if err != nil && !errors.Is(err, unix.EAGAIN) {
			return fmt.Errorf("receive: %w", err)
		}
		b.received.Add(int64(n))
		select {
		case b.arrived <- struct{}{}:
		default:
		}
	}
}

// messages are the arguments of sendmmsg and recvmmsg.
type messages struct {
	heads   [batch]unix.Mmsghdr
	vectors [batch]unix.Iovec
	octets  [batch][payload]byte
}

func newMessages() *messages {
	m := new(messages)
	for i := range m.heads {
		m.vectors[i].Base = &m.octets[i][0]
		m.vectors[i].SetLen(payload)
		m.heads[i].Hdr.Iov = &m.vectors[i]
		m.heads[i].Hdr.SetIovlen(1)
	}
	return m
}

// call makes one of the two system calls and returns how many datagrams it carried.
func (m *messages) call(number uintptr, fd, flags int) (int, error) {
	for {
		n, _, errno := unix.Syscall6(number, uintptr(fd), uintptr(unsafe.Pointer(&m.heads[0])), batch, uintptr(flags), 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}
