package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"lnsgate/lns/l2tp"
	"lnsgate/lns/lac"
	"lnsgate/lns/ppp"
)

const pathsLegend = `
Packets of users come from a LAC, in %d tunnels, all from one port, or from a host at headquarters: they arrive at the interfaces
of the machine that is measured as from the driver of a network card, made by the kernel. What leaves that machine is counted
and dropped where it arrives. Plain forwarding is the same two hosts without a tunnel, through the same wires, right before and after.
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
		ours, err = w.crossAll(ctx, b, server)
		return err
	}, b.unlessAlone(func(server *process) (err error) {
		theirs, err = w.crossAll(ctx, b, server)
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

// crossAll measures all cells with one server and a crowd of its own.
func (w *world) crossAll(ctx context.Context, b *bench, server *process) ([]crossed, error) {
	crowd, err := w.newCrowd(ctx, b.size.crowd)
	if err != nil {
		return nil, err
	}
	defer crowd.close()
	return w.cross(ctx, b, server, crowd, crossings(b.size.crowd))
}

// cross measures cells with the sessions of a crowd.
func (w *world) cross(ctx context.Context, b *bench, server *process, crowd *crowd, cells []crossing) (all []crossed, err error) {
	for _, c := range cells {
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

// datagramOf is a UDP packet of that many octets from a session to an address, in its headers of L2TP and PPP.
func datagramOf(from lac.Up, to netip.AddrPort, octets int) []byte {
	header := ppp.AppendFrameHeader(nil, ppp.IPv4, ppp.Framing{})
	b := l2tp.AppendDataHeader(nil, l2tp.Header{Length: true, Tunnel: from.ServerTunnel, Session: from.ServerSession}, len(header)+octets)
	return appendUDP(append(b, header...), netip.AddrPortFrom(from.Address, 1024), to, make([]byte, octets-headers))
}

// appendUDP appends a datagram in its headers of IPv4 and UDP.
func appendUDP(b []byte, from, to netip.AddrPort, payload []byte) []byte {
	ip := len(b)
	b = append(b, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(headers+len(payload)))
	b = append(b, 0, 0, 0x40, 0, 64, 17, 0, 0)
	b = append(b, from.Addr().AsSlice()...)
	b = append(b, to.Addr().AsSlice()...)
	binary.BigEndian.PutUint16(b[ip+10:], ^onesSum(b[ip:]))
	b = binary.BigEndian.AppendUint16(b, from.Port())
	b = binary.BigEndian.AppendUint16(b, to.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(headers-20+len(payload)))
	b = append(append(b, 0, 0), payload...)
	binary.BigEndian.PutUint16(b[ip+26:], ^onesSum(slices.Concat(b[ip+12:ip+20], []byte{0, 17}, b[ip+24:ip+26], b[ip+20:], make([]byte, len(payload)%2))))
	return b
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
