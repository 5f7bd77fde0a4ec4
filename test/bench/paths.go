package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"lnsgate/lns/l2tp"
	"lnsgate/lns/lac"
	"lnsgate/lns/ppp"

	"golang.org/x/sys/unix"
)

const pathsLegend = `
Packets of users are sent and counted by a LAC that does next to nothing else, in %d tunnels, all from one port, and by a
host at headquarters. Plain forwarding is the same two hosts without a tunnel, through the same wires, right before and after.
`

// large is a packet that fits into a tunnel through an Ethernet.
const large = 1400

// crossing is one cell of the table.
type crossing struct {
	octets, sessions int
	up               bool
}

func (c crossing) String() string {
	way := "down"
	if c.up {
		way = "up"
	}
	return fmt.Sprintf("%d octets, %d sessions, %s", c.octets, c.sessions, way)
}

// label is part of the name of a file.
func (c crossing) label() string {
	way := "down"
	if c.up {
		way = "up"
	}
	return fmt.Sprintf("%s-%d-%d", way, c.octets, c.sessions)
}

// crossings are all cells for crowds up to a size.
func crossings(most int) (all []crossing) {
	for _, octets := range []int{small, large} {
		for _, n := range slices.Compact([]int{1, min(100, most), most}) {
			all = append(all, crossing{octets, n, true}, crossing{octets, n, false})
		}
	}
	return all
}

// measurePaths sends packets of users through lnsgate, by plain forwarding, and through the l2tpns of Debian.
func measurePaths(ctx context.Context, b *bench, w *world) error {
	b.explain(fmt.Sprintf(pathsLegend, lanes))
	if _, err := w.atHeadquarters(ctx, b.size.crowd); err != nil {
		return err
	}
	var ours, theirs []crossed
	err := w.inTurn(ctx, func(server *process) (err error) {
		ours, err = w.cross(ctx, b, server)
		return err
	}, b.unlessAlone(func(server *process) (err error) {
		theirs, err = w.cross(ctx, b, server)
		return err
	}))
	if err != nil {
		return err
	}
	for i, c := range crossings(b.size.crowd) {
		f, ours := &b.figures, ours[i]
		f.add("packets per second, "+c.String(), "/s", ours.rate, "plain forwarding", ours.plain)
		if b.alone {
			f.add("processor time of the server per packet, "+c.String(), "us", ours.cost, "")
			continue
		}
		theirs := theirs[i]
		f.add("the same beside l2tpns, "+c.String(), "of plain", ours.rate/ours.plain, "l2tpns", theirs.rate/theirs.plain)
		f.add("processor time of the server per packet, "+c.String(), "us", ours.cost, "l2tpns", theirs.cost)
	}
	return nil
}

// unlessAlone is the turn of another LNS, or nil when none is to be measured.
func (b *bench) unlessAlone(turn func(*process) error) func(*process) error {
	if b.alone {
		return nil
	}
	return turn
}

// crossed is what came of one cell.
type crossed struct {
	rate, plain float64 // packets per second
	cost        float64 // processor time of the server per packet in microseconds
}

// cross measures all cells with one server.
func (w *world) cross(ctx context.Context, b *bench, server *process) (all []crossed, err error) {
	crowd, err := w.newCrowd(ctx, b.size.crowd)
	if err != nil {
		return nil, err
	}
	defer crowd.close()
	for _, c := range crossings(b.size.crowd) {
		var got crossed
		got.plain, err = around(func() (float64, error) {
			return rateOf(w.plain(ctx, c, b.size.datagrams/4))
		}, func() error {
			var f flow
			spent, err := busy(server, func() error {
				return b.profiled(ctx, w, server, "paths-"+c.label(), func() (err error) {
					f, err = w.through(ctx, crowd, c, b.size.datagrams)
					return err
				})
			})
			got.rate, got.cost = f.rate(), spent.Seconds()*1e6/float64(max(1, f.received))
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c, err)
		}
		all = append(all, got)
	}
	return all, nil
}

// plain sends past the tunnel.
func (w *world) plain(ctx context.Context, c crossing, d time.Duration) (flow, error) {
	if c.up {
		return blast(ctx, w.client, w.hq, netip.MustParseAddr(forwarded), c.octets, d)
	}
	return blast(ctx, w.hq, w.client, netip.MustParseAddr(clientAddress), c.octets, d)
}

// through sends through sessions of a crowd, one packet each in turn.
func (w *world) through(ctx context.Context, all *crowd, c crossing, d time.Duration) (flow, error) {
	sessions := all.sessions[:c.sessions]
	if !c.up {
		fd, err := socketIn(w.hq)
		if err != nil {
			return flow{}, err
		}
		defer unix.Close(fd)
		m := newMessages(len(sessions), c.octets-headers)
		for i := range m.heads {
			m.address(i, netip.AddrPortFrom(sessions[i%len(sessions)].Address, 9))
		}
		return (&volley{fd: fd, datagrams: m, received: &all.received, arrived: all.arrived}).fire(ctx, d)
	}
	s, err := newSink(w.hq, netip.MustParseAddr(tunnelled))
	if err != nil {
		return flow{}, err
	}
	m := newMessages(len(sessions), longest)
	for i := range m.heads {
		m.fill(i, datagramOf(sessions[i%len(sessions)], s.address, c.octets))
	}
	f, err := (&volley{fd: all.fd, datagrams: m, received: &s.received, arrived: s.arrived}).fire(ctx, d)
	return f, errors.Join(err, s.close())
}

// datagramOf is a UDP packet of that many octets from a session to an address, in its headers of L2TP and PPP.
func datagramOf(from lac.Up, to netip.AddrPort, octets int) []byte {
	header := ppp.AppendFrameHeader(nil, ppp.IPv4, ppp.Framing{})
	b := l2tp.AppendDataHeader(nil, l2tp.Header{Length: true, Tunnel: from.ServerTunnel, Session: from.ServerSession}, len(header)+octets)
	b = append(b, header...)
	ip := len(b)
	b = append(b, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(octets))
	b = append(b, 0, 0, 0x40, 0, 64, 17, 0, 0)
	b = append(b, from.Address.AsSlice()...)
	b = append(b, to.Addr().AsSlice()...)
	binary.BigEndian.PutUint16(b[ip+10:], ^onesSum(b[ip:]))
	b = binary.BigEndian.AppendUint16(b, 1024)
	b = binary.BigEndian.AppendUint16(b, to.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(octets-20))
	b = append(b, 0, 0)
	binary.BigEndian.PutUint16(b[ip+26:], ^onesSum(slices.Concat(b[ip+12:], []byte{0, 17}, b[ip+24:ip+26])))
	return append(b, make([]byte, octets-headers)...) // which adds nothing to the sum
}

// onesSum adds up 16-bit words (RFC 1071).
func onesSum(b []byte) uint16 {
	var sum uint32
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}
