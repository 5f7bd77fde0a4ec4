package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"lnsgate/lns/host/netns"

	"golang.org/x/sys/unix"
)

const (
	// How many datagrams are under way: at least what any interface on the way has room for (500), at most what an LNS under load may
	// find in its socket.
	leastUnderWay, mostUnderWay = 256, 2048

	headers = 20 + 8 // octets of IPv4 and UDP
	small   = 64     // octets of a packet
	// overdue is how long the sender waits for what is under way before it writes that off and goes on.
	overdue = 50 * time.Millisecond
)

// flow is the outcome of a volley.
type flow struct {
	sent, received, lost int64
	took                 time.Duration
}

// rate is in packets per second.
func (f flow) rate() float64 { return float64(f.received) / f.took.Seconds() }

// loss is in percent.
func (f flow) loss() float64 { return 100 * float64(f.lost) / float64(max(1, f.sent)) }

// volley sends datagrams as fast as they arrive: never more than a window under way, so that what is measured is how fast
// the way is, not how fast a queue overflows. The window is as large as the way bears without a loss.
type volley struct {
	source   source
	received func() int64 // counted at the other end
	arrived  <-chan struct{}
	window   int64
}

// source sends packets of a volley.
type source interface {
	// sendFirst sends one packet.
	sendFirst() error
	// send sends some, of which so many may be under way, and at least one batch, and says how many.
	send(free int64) (int, error)
}

// socketSource is a blocking socket, and what is sent by it.
type socketSource struct {
	fd        int
	datagrams *messages
}

func (s socketSource) sendFirst() error {
	_, err := s.datagrams.sendFirst(s.fd)
	return err
}

func (s socketSource) send(int64) (int, error) {
	n, err := s.datagrams.send(s.fd)
	if errors.Is(err, unix.ENOBUFS) {
		err = nil
	}
	return n, err
}

// blast sends packets of that many octets from one namespace to an address of another for a while.
func blast(ctx context.Context, from, to *netns.Namespace, address netip.Addr, octets int, d time.Duration) (f flow, err error) {
	s, err := newSink(to, address)
	if err != nil {
		return f, fmt.Errorf("blast to %s: %w", address, err)
	}
	defer func() { err = errors.Join(err, s.close()) }()
	fd, err := socketIn(from)
	if err != nil {
		return f, err
	}
	defer unix.Close(fd)
	m := newMessages(batch, octets-headers)
	for i := range batch {
		m.address(i, s.address)
	}
	return (&volley{source: socketSource{fd, m}, received: s.received.Load, arrived: s.arrived}).fire(ctx, d)
}

func socketIn(n *netns.Namespace) (fd int, err error) {
	err = n.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		return err
	})
	return fd, err
}

// fire sends for a while.
func (v *volley) fire(ctx context.Context, d time.Duration) (f flow, err error) {
	if err := v.knock(ctx); err != nil {
		return f, err
	}
	if err := v.widen(ctx); err != nil {
		return f, err
	}
	return v.measure(ctx, d)
}

// widen finds out how many datagrams may be under way.
func (v *volley) widen(ctx context.Context) error {
	v.window = leastUnderWay
	for v.window < mostUnderWay {
		before := v.window
		v.window *= 2
		f, err := v.measure(ctx, 2*overdue)
		if err != nil {
			return err
		}
		if f.lost > 0 {
			v.window = before
			break
		}
	}
	return nil
}

// measure keeps the window full for a while.
func (v *volley) measure(ctx context.Context, d time.Duration) (f flow, err error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	before, start := v.received(), time.Now()
	f.sent, err = v.send(ctx, before)
	f.received, f.took = v.received()-before, time.Since(start)
	v.drain(before+f.sent, 4*overdue)
	f.lost = max(0, f.sent-v.received()+before)
	if err == nil && f.received == 0 {
		err = fmt.Errorf("none of %d packets arrived", f.sent)
	}
	return f, err
}

// knock sends single datagrams until one arrives: a flood would overflow the small queue
// of a neighbour whose Ethernet address is not known yet.
func (v *volley) knock(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	before := v.received()
	err := until(ctx, "the first packet arrives", func() (bool, error) {
		if v.received() > before {
			return true, nil
		}
		return false, v.source.sendFirst()
	})
	v.drain(v.received()+leastUnderWay, overdue) // all that was sent
	return err
}

// send keeps the window full until the context ends. After a loss it is half as large.
func (v *volley) send(ctx context.Context, before int64) (sent int64, err error) {
	timer := time.NewTimer(overdue)
	defer timer.Stop()
	var writtenOff int64
	for ctx.Err() == nil {
		free := v.window - (sent - writtenOff - v.received() + before)
		if free >= batch {
			n, err := v.source.send(free)
			if err != nil {
				return sent, fmt.Errorf("send: %w", err)
			}
			sent += int64(n)
			continue
		}
		timer.Reset(overdue)
		select {
		case <-v.arrived:
		case <-ctx.Done():
		case <-timer.C:
			writtenOff = sent - v.received() + before
			v.window = max(v.window/2, leastUnderWay)
		}
	}
	return sent, nil
}

// drain waits for what is still under way, until so many have been received or nothing comes for a while.
func (v *volley) drain(all int64, idle time.Duration) {
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for v.received() < all {
		select {
		case <-v.arrived:
			timer.Reset(idle)
		case <-timer.C:
			return
		}
	}
}

// sink counts what comes to an address.
type sink struct {
	fd       int
	address  netip.AddrPort
	received atomic.Int64
	arrived  chan struct{}
	done     chan struct{}
	reading  sync.WaitGroup
	failure  error
}

func newSink(n *netns.Namespace, address netip.Addr) (*sink, error) {
	s := &sink{fd: -1, arrived: make(chan struct{}, 1), done: make(chan struct{})}
	if err := n.Do(func() (err error) { s.fd, s.address, err = receiver(address); return err }); err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.reading.Go(func() { s.failure = s.run() })
	return s, nil
}

func (s *sink) close() error {
	close(s.done)
	s.reading.Wait()
	if s.fd >= 0 {
		unix.Close(s.fd)
	}
	return s.failure
}

func (s *sink) run() error {
	if err := stayBehind(); err != nil {
		return err
	}
	m := newMessages(batch, longest)
	for {
		select {
		case <-s.done:
			return nil
		default:
		}
		n, err := m.receive(s.fd)
		if err != nil && !errors.Is(err, unix.EAGAIN) {
			return fmt.Errorf("receive: %w", err)
		}
		if n > 0 {
			s.received.Add(int64(n))
			wake(s.arrived)
		}
	}
}

// stayBehind has this goroutine push nobody aside when something arrives: it is on another machine in truth, and would come
// between a server and the next of its packets here, once for each.
func stayBehind() error {
	runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
	if err := unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: schedBatch}, 0); err != nil {
		return fmt.Errorf("SCHED_BATCH: %w", err)
	}
	return nil
}

// schedBatch is the policy of threads that never push others aside (sched(7)).
const schedBatch = 3

func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// receiver makes a socket, bound to a port of an address in the namespace of this thread. It blocks, but not for long.
func receiver(address netip.Addr) (fd int, at netip.AddrPort, err error) {
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, at, err
	}
	wait := unix.NsecToTimeval(overdue.Nanoseconds())
	err = errors.Join(
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20),
		unix.Bind(fd, &unix.SockaddrInet4{Addr: address.As4()}),
	)
	if err != nil {
		return fd, at, err
	}
	bound, err := unix.Getsockname(fd)
	if err == nil {
		at = netip.AddrPortFrom(address, uint16(bound.(*unix.SockaddrInet4).Port))
	}
	return fd, at, err
}
