package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"lnsgate/lns/host/netns"
	"lnsgate/lns/l2tp"
	"lnsgate/test/bench/frames"

	"golang.org/x/sys/unix"
)

const (
	counted  = 5001  // the port of packets that are counted
	ethernet = 14    // octets of the header
	tunnel   = 8 + 4 // octets of L2TP and PPP
	// behindClient is a network without hosts: packets to it are counted at the client.
	behindClient = "198.18.0.0/15"
)

// between are the two interfaces of the machine in the middle, and those opposite of them.
type between struct {
	from, to         *netns.Namespace
	near, far, enter string
}

// way is the one from the client to headquarters, or the other one.
func (w *world) way(up bool) between {
	if up {
		return between{w.client, w.hq, "wan", "eth0", "wan"}
	}
	return between{w.hq, w.client, "eth0", "wan", "hq"}
}

// arrive has packets, without their Ethernet headers, arrive at the machine in the middle as fast as they leave it, in turn.
// They differ in their first octets alone.
func (w *world) arrive(ctx context.Context, up bool, packets [][]byte, varied int, d time.Duration) (f flow, err error) {
	way := w.way(up)
	sender, err := interfaceOf(way.from, way.near)
	if err != nil {
		return f, err
	}
	receiver, err := interfaceOf(w.lns, way.enter)
	if err != nil {
		return f, err
	}
	header := slices.Concat(receiver.HardwareAddr, sender.HardwareAddr, []byte{0x08, 0x00})
	for i, p := range packets {
		packets[i] = slices.Concat(header, p)
	}
	maker, err := frames.NewMaker(packets, ethernet+varied)
	if err != nil {
		return f, err
	}
	defer maker.Close()
	maker.At(receiver)
	counter, err := newCounter(way.to, way.far)
	if err != nil {
		return f, err
	}
	var failure error
	v := &volley{source: arriving{maker}, arrived: counter.Arrived, received: func() int64 {
		n, err := counter.Taken()
		failure = cmp.Or(failure, err) // it is asked very often
		return n
	}}
	err = w.lns.Do(func() (err error) { f, err = v.fire(ctx, d); return err })
	return f, errors.Join(err, failure, counter.Close())
}

// arriving is a source of frames.
type arriving struct{ *frames.Maker }

func (a arriving) sendFirst() error {
	_, err := a.Make(1)
	return err
}

func (a arriving) send(free int64) (int, error) { return a.Make(int(free)) }

func newCounter(n *netns.Namespace, name string) (c *frames.Counter, err error) {
	err = n.Do(func() error {
		device, err := net.InterfaceByName(name)
		if err == nil {
			c, err = frames.NewCounter(device, counted)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count what comes to %s: %w", name, err)
	}
	return c, nil
}

func interfaceOf(n *netns.Namespace, name string) (device *net.Interface, err error) {
	err = n.Do(func() (err error) { device, err = net.InterfaceByName(name); return err })
	return device, err
}

// plain sends past the tunnel: packets with as many addresses as there are sessions, because the kernel is faster with packets
// that have the same one as the packet before.
func (w *world) plain(ctx context.Context, c crossing, d time.Duration) (flow, error) {
	if err := w.lns.Route(behindClient, clientAddress); err != nil && !errors.Is(err, unix.EEXIST) {
		return flow{}, err
	}
	hq, client := netip.MustParseAddr(forwarded), netip.MustParsePrefix(behindClient).Addr()
	var packets [][]byte
	for range c.sessions {
		client = client.Next()
		from, to := client, hq
		if !c.up {
			from, to = hq, client
		}
		p := appendUDP(nil, netip.AddrPortFrom(from, 1024), netip.AddrPortFrom(to, counted), make([]byte, c.octets-headers))
		packets = append(packets, p)
	}
	return w.arrive(ctx, c.up, packets, headers, d)
}

// through sends through sessions of a crowd, one packet each in turn.
func (w *world) through(ctx context.Context, all *crowd, c crossing, d time.Duration) (flow, error) {
	hq := netip.AddrPortFrom(netip.MustParseAddr(tunnelled), counted)
	server := netip.AddrPortFrom(netip.MustParseAddr(serverAddress), l2tp.Port)
	var packets [][]byte
	for _, s := range all.sessions[:c.sessions] {
		if c.up {
			packets = append(packets, appendUDP(nil, all.address, server, datagramOf(s, hq, c.octets)))
			continue
		}
		to := netip.AddrPortFrom(s.Address, counted)
		packets = append(packets, appendUDP(nil, hq, to, make([]byte, c.octets-headers)))
	}
	varied := headers
	if c.up {
		varied += tunnel + headers
	}
	return w.arrive(ctx, c.up, packets, varied, d)
}
