package main

import (
	"context"
	"net/netip"
	"time"

	"lnsgate/lns/host/netns"
)

// measurePackets sends IP packets of 64 octets each way, through the tunnel and, right before and after, by plain forwarding.
func measurePackets(ctx context.Context, b *bench, w *world) error {
	s, address, err := w.online(ctx)
	if err != nil {
		return err
	}
	outside := netip.MustParseAddr(clientAddress)
	for _, d := range []struct {
		name          string
		from, to      *netns.Namespace
		plain, inside netip.Addr
	}{
		{"up", w.client, w.hq, netip.MustParseAddr(forwarded), netip.MustParseAddr(tunnelled)},
		{"down", w.hq, w.client, outside, address},
	} {
		var through, forwarded flow
		var spent, own time.Duration
		plain, err := around(func() (float64, error) {
			before, err := ownTime()
			if err != nil {
				return 0, err
			}
			f, err := blast(ctx, d.from, d.to, d.plain, small, b.size.datagrams/2)
			if err != nil {
				return 0, err
			}
			after, err := ownTime()
			own += after - before
			forwarded.received += f.received
			return f.rate(), err
		}, func() (err error) {
			spent, err = busy(s.process, func() error {
				return b.profiled(ctx, w, s.process, "packets-"+d.name, func() (err error) {
					through, err = blast(ctx, d.from, d.to, d.inside, small, b.size.datagrams)
					return err
				})
			})
			return err
		})
		if err != nil {
			return err
		}
		c := &b.figures
		c.add("packets of 64 octets through one session, "+d.name, "/s", through.rate(), "plain forwarding", plain)
		c.add("processor time of the server per packet, "+d.name, "us", perPacket(spent, through), allOfPlain, perPacket(own, forwarded))
		c.add("packets lost, "+d.name, "%", through.loss(), "")
	}
	return nil
}

// allOfPlain is what a packet costs without a tunnel: sending, forwarding and receiving, all of which this process pays for.
const allOfPlain = "sending, plain forwarding and receiving"

func perPacket(spent time.Duration, f flow) float64 {
	return spent.Seconds() * 1e6 / float64(max(1, f.received))
}
