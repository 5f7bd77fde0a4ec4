package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
	"unsafe"

	"lnsgate/lns/host/netns"
	"lnsgate/lns/l2tp"

	"golang.org/x/sys/unix"
)

// flood sends hostile datagrams at a rate, each with a source address and port of its own invention.
type flood struct {
	socket int
	sent   int64
	took   time.Duration
	failed error

	stop    context.CancelFunc
	running sync.WaitGroup
}

// Lengths of headers, and the room for one datagram.
const (
	ipHeader    = 20
	udpHeader   = 8
	floodRoom   = 256
	l2tpPort    = 1701
	floodTick   = time.Millisecond
	floodBehind = 20 // ticks that a sender who was held up makes good at once, at most
)

// startFlood begins to send from a namespace to the L2TP port of an address.
func startFlood(from *netns.Namespace, to netip.Addr, perSecond int) (*flood, error) {
	f := new(flood)
	err := from.Do(func() (err error) {
		if f.socket, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW); err != nil {
			return err
		}
		return unix.SetsockoptInt(f.socket, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 4<<20)
	})
	if err != nil {
		return nil, fmt.Errorf("flood of %s: %w", to, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	f.running.Go(func() {
		defer unix.Close(f.socket)
		f.failed = f.send(ctx, newHostile(to), perSecond)
	})
	return f, nil
}

// end stops it and returns how many datagrams it sent in a second.
func (f *flood) end() (perSecond float64, err error) {
	f.stop()
	f.running.Wait()
	return float64(f.sent) / f.took.Seconds(), f.failed
}

func (f *flood) send(ctx context.Context, h *hostile, perSecond int) error {
	tick := time.NewTicker(floodTick)
	defer tick.Stop()
	each := float64(perSecond) * floodTick.Seconds()
	start, owed := time.Now(), 0.0
	for last := start; ctx.Err() == nil; {
		now := <-tick.C
		owed = min(owed+float64(now.Sub(last))/float64(floodTick)*each, max(floodBehind*each, batch))
		for last = now; owed >= batch; owed -= batch {
			n, err := h.send(f.socket)
			if err != nil {
				return fmt.Errorf("flood: %w", err)
			}
			f.sent += int64(n)
		}
		f.took = time.Since(start)
	}
	return nil
}

// hostile makes datagrams that a stranger might send to find or to burden an LNS.
type hostile struct {
	random *rand.Rand
	target unix.RawSockaddrInet4
	kinds  []stranger
	heads  [batch]unix.Mmsghdr
	parts  [batch]unix.Iovec
	octets [batch][floodRoom]byte
}

func newHostile(to netip.Addr) *hostile {
	h := &hostile{random: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())), kinds: hostileKinds()}
	h.target = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: to.As4()}
	for i := range h.heads {
		b := h.octets[i][:]
		b[0], b[8], b[9] = 0x45, 64, unix.IPPROTO_UDP // the kernel adds length and checksum
		copy(b[16:], h.target.Addr[:])
		h.parts[i].Base = &b[0]
		h.heads[i].Hdr = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&h.target)), Namelen: unix.SizeofSockaddrInet4, Iov: &h.parts[i]}
		h.heads[i].Hdr.SetIovlen(1)
	}
	return h
}

// stranger is a kind of datagram: the body of UDP, and where two octets of it are set at random.
type stranger struct {
	body []byte
	id   int
}

// hostileKinds are requests for tunnels, which are half of all, a HELLO and a StopCCN for tunnels of others, user data for their
// sessions, and garbage.
func hostileKinds() []stranger {
	const marked = 0xabcd
	opening := control(0, l2tp.SCCRQ{HostName: "stranger", Framing: l2tp.FramingSync, AssignedTunnel: marked, ReceiveWindow: 4})
	request := stranger{opening, bytes.Index(opening, []byte{marked >> 8, marked & 0xff})}
	hello := stranger{control(77, l2tp.Hello{}), 4}
	goodbye := stranger{control(78, l2tp.StopCCN{AssignedTunnel: 9, Result: l2tp.ResultCode{Result: l2tp.StopCCNGeneral}}), 4}
	data := stranger{append([]byte{0, 2, 0, 5, 0, 6, 0xff, 0x03, 0, 0x21}, make([]byte, 40)...), 2}
	garbage := stranger{append([]byte("GET / HTTP/1.0\r\n\r\n"), make([]byte, 40)...), 20}
	return []stranger{request, hello, request, data, request, goodbye, request, garbage}
}

// control is a control message to a tunnel.
func control(tunnel l2tp.TunnelID, m l2tp.Message) []byte {
	return l2tp.AppendControl(nil, tunnel, 0, 0, 0, l2tp.Append(nil, m, l2tp.AppendOptions{}))
}

// send fills a batch and sends it. What the queue of the interface has no room for is lost, as on any wire.
func (h *hostile) send(socket int) (int, error) {
	for i := range h.octets {
		h.fill(i)
	}
	for {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(socket), uintptr(unsafe.Pointer(&h.heads[0])), batch, 0, 0, 0)
		switch {
		case errno == 0:
			return int(n), nil
		case errors.Is(errno, unix.EINTR):
		case errors.Is(errno, unix.ENOBUFS), errors.Is(errno, unix.EAGAIN):
			return 0, nil
		default:
			return 0, errno
		}
	}
}

// fill invents one datagram.
func (h *hostile) fill(i int) {
	b := h.octets[i][:]
	kind := h.kinds[i%len(h.kinds)]
	u := h.random.Uint64()
	binary.BigEndian.PutUint32(b[12:], 100<<24|uint32(64+u&63)<<16|uint32(u>>16)&0xffff) // of 100.64.0.0/10, the carriers' own
	binary.BigEndian.PutUint16(b[ipHeader:], 1024+uint16(u>>32)%60000)
	binary.BigEndian.PutUint16(b[ipHeader+2:], l2tpPort)
	binary.BigEndian.PutUint16(b[ipHeader+4:], uint16(udpHeader+len(kind.body)))
	body := b[ipHeader+udpHeader:]
	copy(body, kind.body)
	binary.BigEndian.PutUint16(body[kind.id:], 1+uint16(u>>48)%65000)
	h.parts[i].SetLen(ipHeader + udpHeader + len(kind.body))
}
