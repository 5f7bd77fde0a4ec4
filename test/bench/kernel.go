package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"lnsgate/test/netns"
)

const kernelLegend = `
tun and ebpf are the data paths in user space and in the kernel, measured in turn in one world, whose interfaces behave like
wires: packets leave them one at a time, with complete checksums. Packets of ebpf go straight from one interface to the other,
because nobody looks at them; "by the stack" is the same where all have to pass the routing of the host (stack: always). "Spread by
session" has the sessions of the LAC, which come from one port, shared out among all sockets of the server. The end
of the TCP stream at the client is in the kernel, whatever the path of the server. Plain forwarding is the same
two hosts without a tunnel, through the same wires, right before and after.
`

// measureKernel sends packets of users, and one TCP stream each way, through both data paths and by plain forwarding.
func measureKernel(ctx context.Context, b *bench, w *world) error {
	b.explain(kernelLegend)
	if err := errors.Join(netns.WireLike(w.client, "wan"), netns.WireLike(w.lns, "wan"), netns.WireLike(w.lns, "hq"),
		netns.WireLike(w.hq, "eth0")); err != nil {
		return err
	}
	if _, err := w.start(w.hq, "iperf3", "iperf3", "-s", "-4"); err != nil {
		return err
	}
	turns := []func() error{
		func() error { return w.measurePath(ctx, b, "tun", "tun") },
		func() error { return w.measureSpread(ctx, b) },
		func() error { return w.measurePath(ctx, b, "ebpf", "ebpf") },
		func() error { return w.measureByTheStack(ctx, b) },
	}
	if b.turns++; b.turns%2 == 0 {
		slices.Reverse(turns)
	}
	for _, turn := range turns {
		if err := turn(); err != nil {
			return err
		}
	}
	return nil
}

// measureSpread sends packets of many sessions of one LAC up, which several sockets share out.
func (w *world) measureSpread(ctx context.Context, b *bench) error {
	w.spread = "sessions"
	defer func() { w.spread = "" }()
	cells := slices.DeleteFunc(crossings(b.size.crowd), func(c crossing) bool { return !c.up || c.sessions == 1 })
	_, end, err := w.crossPath(ctx, b, "tun", "tun, spread by session", cells)
	return errors.Join(err, end())
}

// measureByTheStack has all packets pass the stack, as they do where there is a firewall.
func (w *world) measureByTheStack(ctx context.Context, b *bench) error {
	w.stack = "always"
	defer func() { w.stack = "" }()
	return w.measurePath(ctx, b, "ebpf", "ebpf by the stack")
}

// measurePath measures all cells, and TCP.
func (w *world) measurePath(ctx context.Context, b *bench, path, name string) error {
	crowd, end, err := w.crossPath(ctx, b, path, name, crossings(b.size.crowd))
	if err == nil {
		err = w.streams(ctx, b, crowd, name)
	}
	return errors.Join(err, end())
}

// crossPath has a server and a crowd, and measures cells. Both stay until end.
func (w *world) crossPath(ctx context.Context, b *bench, path, name string, cells []crossing) (c *crowd, end func() error, err error) {
	w.datapath = path
	end = func() error { return nil }
	s, err := w.serve(ctx, b.size.crowd)
	if err != nil {
		return nil, end, err
	}
	if c, err = w.newCrowd(ctx, b.size.crowd); err != nil {
		return nil, end, fmt.Errorf("%s: %w", name, err)
	}
	end = func() error {
		err := s.end(ctx)
		c.close()
		return err
	}
	all, err := w.cross(ctx, b, s.process, c, cells)
	if err != nil {
		return c, end, fmt.Errorf("%s: %w", name, err)
	}
	for i, cell := range cells {
		b.figures.add(fmt.Sprintf("packets per second, %s, %s", name, cell), "/s", all[i].rate, "plain forwarding", all[i].plain)
		b.figures.add(fmt.Sprintf("processor time of the server per packet, %s, %s", name, cell), "us", all[i].cost, "")
	}
	return c, end, nil
}
