package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"lnsgate/lns/l2tp"
)

const (
	listeners  = 100                  // tunnels that were up before the storm
	helloEvery = 4 * time.Millisecond // one of them asks, each in its turn
	lastAnswer = time.Second          // how long the last answers may take
	unanswered = time.Minute          // how long no answer takes
)

// listener keeps tunnels up and notes how long answers to HELLO take.
type listener struct {
	tunnels []*idler
	stop    chan struct{}
	asking  chan error
}

// listen opens the tunnels, and asks until end.
func (w *world) listen() (*listener, error) {
	l := &listener{stop: make(chan struct{}), asking: make(chan error, 1)}
	for n := range listeners {
		t, err := w.newIdler(l2tp.TunnelID(n + 1))
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		l.tunnels = append(l.tunnels, t)
	}
	go func() { l.asking <- l.ask() }()
	return l, nil
}

func (l *listener) close() (err error) {
	for _, t := range l.tunnels {
		err = errors.Join(err, t.conn.Close())
	}
	return err
}

// end stops asking, waits for the last answers, and returns how long each has taken.
func (l *listener) end() (took []time.Duration, err error) {
	close(l.stop)
	if err := <-l.asking; err != nil {
		return nil, err
	}
	for _, t := range l.tunnels {
		for i, at := range t.asked {
			if i < len(t.answered) {
				took = append(took, t.answered[i].Sub(at))
			} else {
				took = append(took, unanswered)
			}
		}
	}
	return took, nil
}

// ask has one tunnel after the other ask, on time: an answer that is late makes no question late.
func (l *listener) ask() error {
	runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, -20); err != nil {
		return errors.Join(fmt.Errorf("a thread that goes first: %w", err), l.close())
	}
	var reading sync.WaitGroup
	for _, t := range l.tunnels {
		reading.Go(t.listen)
	}
	err := l.round()
	for _, t := range l.tunnels {
		err = errors.Join(err, t.conn.SetReadDeadline(time.Now().Add(lastAnswer)))
	}
	reading.Wait()
	return errors.Join(err, l.close())
}

func (l *listener) round() error {
	tick := time.NewTicker(helloEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-l.stop:
			return nil
		case <-tick.C:
		}
		if err := l.tunnels[n%len(l.tunnels)].ask(); err != nil {
			return err
		}
	}
}

// idler is one tunnel without calls.
type idler struct {
	conn     *net.UDPConn
	peer     l2tp.TunnelID
	nr       atomic.Uint32 // what the server says next
	heard    atomic.Uint32 // how many of our messages the server has
	asked    []time.Time   // of each HELLO; the asker's, until that is done
	answered []time.Time   // as many as have been; the reader's, until that is done
}

// introduction is how many messages of a tunnel come before its first HELLO.
const introduction = 2

// newIdler opens a tunnel.
func (w *world) newIdler(id l2tp.TunnelID) (t *idler, err error) {
	t = &idler{}
	err = w.client.Do(func() (err error) {
		t.conn, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(serverAddress), l2tpPort)))
		return err
	})
	if err != nil {
		return nil, err
	}
	err = errors.Join(t.stamped(), t.conn.SetReadDeadline(time.Now().Add(patience)))
	for i, m := range []l2tp.Message{
		l2tp.SCCRQ{HostName: fmt.Sprint("listener", id), Framing: l2tp.FramingSync, AssignedTunnel: id}, l2tp.SCCCN{},
	} {
		if err == nil {
			err = t.say(m, uint16(i))
		}
		for err == nil && t.heard.Load() <= uint32(i) {
			_, err = t.read()
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("a tunnel that only listens: %w", err), t.conn.Close())
	}
	return t, t.conn.SetReadDeadline(time.Time{})
}

// stamped has the kernel tell when each datagram has come.
func (t *idler) stamped() (err error) {
	raw, err := t.conn.SyscallConn()
	if err != nil {
		return err
	}
	failed := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1) })
	return errors.Join(failed, err)
}

func (t *idler) say(m l2tp.Message, ns uint16) error {
	_, err := t.conn.Write(l2tp.AppendControl(nil, t.peer, 0, ns, uint16(t.nr.Load()), l2tp.Append(nil, m, l2tp.AppendOptions{})))
	return err
}

// ask asks by HELLO, or asks once more what was not answered yet.
func (t *idler) ask() error {
	ns := introduction + len(t.asked)
	if int(t.heard.Load()) == ns {
		t.asked = append(t.asked, time.Now())
		return t.say(l2tp.Hello{}, uint16(ns))
	}
	return t.say(l2tp.Hello{}, uint16(ns-1))
}

// listen notes answers until no more can come.
func (t *idler) listen() {
	for {
		at, err := t.read()
		if err != nil {
			return
		}
		for len(t.answered)+introduction < int(t.heard.Load()) {
			t.answered = append(t.answered, at)
		}
	}
}

// read takes one datagram, and says when it came.
func (t *idler) read() (at time.Time, err error) {
	var b [1500]byte
	var control [64]byte
	n, controls, _, _, err := t.conn.ReadMsgUDPAddrPort(b[:], control[:])
	if err != nil {
		return at, err
	}
	if at, err = cameAt(control[:controls]); err != nil {
		return at, err
	}
	h, payload, err := l2tp.ParseHeader(b[:n])
	if err != nil || !h.Control {
		return at, err
	}
	if len(payload) > 0 && h.Ns == uint16(t.nr.Load()) {
		t.nr.Add(1)
	}
	if id, _ := l2tp.PeekAssigned(payload); l2tp.PeekType(payload) == l2tp.TypeSCCRP {
		t.peer = id
	}
	t.heard.Store(max(t.heard.Load(), uint32(h.Nr)))
	return at, nil
}

// cameAt is what the kernel says beside a datagram.
func cameAt(control []byte) (time.Time, error) {
	all, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return time.Time{}, err
	}
	for _, m := range all {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16 {
			return time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:]))), nil
		}
	}
	return time.Time{}, errors.New("the kernel does not say when a datagram came")
}
