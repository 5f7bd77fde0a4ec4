package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// besideLegend goes with the comparison with l2tpns.
const besideLegend = `
Beside l2tpns 2.3 as Debian has it: the same load, the same RADIUS server (an lnsgate), one after the other. Logins come as from a
LAC, 100 to a tunnel, because l2tpns has room for 500 tunnels. Streams and packets go through one session.
`

// besides are what one LNS does.
type besides struct {
	logins            float64 // per second
	up, down          float64 // packets per second
	streamUp, streamD float64 // Mbit/s
	memory            float64 // octets, after the logins
}

// measureBeside has lnsgate and the l2tpns of Debian do the same, in turns.
func measureBeside(ctx context.Context, b *bench, w *world) error {
	b.explain(besideLegend)
	if _, err := w.atHeadquarters(ctx, b.size.logins); err != nil {
		return err
	}
	if _, err := w.start(w.hq, "iperf3", "iperf3", "-s", "-4"); err != nil {
		return err
	}
	var ours, theirs besides
	err := w.inTurn(ctx, func(server *process) (err error) {
		ours, err = w.measureLNS(ctx, b, server)
		return err
	}, func(server *process) (err error) {
		theirs, err = w.measureLNS(ctx, b, server)
		return err
	})
	if err != nil {
		return err
	}
	const name = "l2tpns"
	c := &b.figures
	c.add("logins per second beside l2tpns, RADIUS asked", "/s", ours.logins, name, theirs.logins)
	c.add("packets of 64 octets beside l2tpns, up", "/s", ours.up, name, theirs.up)
	c.add("packets of 64 octets beside l2tpns, down", "/s", ours.down, name, theirs.down)
	c.add("TCP beside l2tpns, up", "Mbit/s", ours.streamUp, name, theirs.streamUp)
	c.add("TCP beside l2tpns, down", "Mbit/s", ours.streamD, name, theirs.streamD)
	c.add("resident memory of the server beside l2tpns", "MB", ours.memory/(1<<20), name, theirs.memory/(1<<20))
	return nil
}

// measureLNS measures a running LNS, whichever it is.
func (w *world) measureLNS(ctx context.Context, b *bench, server *process) (m besides, err error) {
	load, err := w.tryLoad(ctx, fileUsers, b.size.logins, 0, "--sessions-per-tunnel", "100")
	if err == nil && load.Up != b.size.logins {
		err = fmt.Errorf("not every login at %s succeeded: %+v", server.command, load)
	}
	if err != nil {
		return m, err
	}
	m.logins = load.PerSecond
	if m.memory, err = resident(server.pid()); err != nil {
		return m, err
	}
	client, address, err := w.callAs(ctx, "user1")
	if err != nil {
		return m, err
	}
	defer client.kill()
	inside := netip.MustParseAddr(tunnelled)
	if m.up, err = rateOf(blast(ctx, w.client, w.hq, inside, small, b.size.datagrams)); err != nil {
		return m, err
	}
	if m.down, err = rateOf(blast(ctx, w.hq, w.client, address, small, b.size.datagrams)); err != nil {
		return m, err
	}
	if m.streamUp, err = w.megabits(ctx, b.size.transfer/2); err != nil {
		return m, err
	}
	m.streamD, err = w.megabits(ctx, b.size.transfer/2, "-R")
	return m, err
}

func rateOf(f flow, err error) (float64, error) { return f.rate(), err }

func (w *world) megabits(ctx context.Context, d time.Duration, options ...string) (float64, error) {
	o, err := w.stream(ctx, tunnelled, d, options...)
	return o.megabits(), err
}
