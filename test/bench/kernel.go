package main

import (
	"context"
	"errors"
	"fmt"

	"lnsgate/test/netns"
)

const kernelLegend = `
tun and ebpf are the data paths in user space and in the kernel, measured in turn in one world, whose interfaces behave like
wires: packets leave them one at a time, with complete checksums. Every packet goes through the host's routing and nftables on
the virtual template. The end of the TCP stream at the client is in the kernel, whatever the path of the server. Plain forwarding
is the same two hosts without a tunnel, through the same wires, right before and after.
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
	paths := []string{"tun", "ebpf"}
	if b.turns++; b.turns%2 == 0 {
		paths = []string{"ebpf", "tun"}
	}
	for _, path := range paths {
		if err := w.measurePath(ctx, b, path); err != nil {
			return fmt.Errorf("data path %s: %w", path, err)
		}
	}
	return nil
}

func (w *world) measurePath(ctx context.Context, b *bench, path string) error {
	w.datapath = path
	s, err := w.serve(ctx, b.size.crowd)
	if err != nil {
		return err
	}
	crowd, err := w.newCrowd(ctx, b.size.crowd)
	if err != nil {
		return err
	}
	defer crowd.close()
	all, err := w.cross(ctx, b, s.process, crowd)
	if err != nil {
		return err
	}
	for i, c := range crossings(b.size.crowd) {
		b.figures.add(fmt.Sprintf("packets per second, %s, %s", path, c), "/s", all[i].rate, "plain forwarding", all[i].plain)
		b.figures.add(fmt.Sprintf("processor time of the server per packet, %s, %s", path, c), "us", all[i].cost, "")
	}
	return errors.Join(w.streams(ctx, b, crowd, path), s.end(ctx))
}
