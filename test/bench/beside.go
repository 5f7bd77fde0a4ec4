package main

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"time"
)

// besideLegend goes with the comparison with l2tpns.
const besideLegend = `
Beside l2tpns 2.4.1 as Debian has it: the same load, the same RADIUS server (an lnsgate), one after the other. Logins come as from a
LAC, in %d tunnels from one port, each with one call at a time, and stay. The calls side by side are %d at once, %d to a tunnel:
l2tpns takes an SCCRQ for the repetition of another one while a tunnel from the same port is being opened, and does not acknowledge
calls while one of its own messages has not been acknowledged, so it waits for repetitions, a second each. Streams and packets
go through one session.
`

// perTunnel is how many calls a LAC that places them side by side has in a tunnel.
const perTunnel = 100

// sideBySide is how many times fewer logins are side by side.
const sideBySide = 10

// besides are what one LNS does.
type besides struct {
	logins, crowded   float64 // per second, with one call at a time in a tunnel and with many
	loginCost         float64 // processor time of one in microseconds
	up, down          float64 // packets per second
	upCost, downCost  float64 // processor time of one in microseconds
	streamUp, streamD float64 // Mbit/s
	memory            float64 // octets, after the logins
}

// measureBeside has lnsgate and the l2tpns of Debian do the same, in turns.
func measureBeside(ctx context.Context, b *bench, w *world) error {
	b.explain(fmt.Sprintf(besideLegend, lanes, underWay, perTunnel))
	if _, err := w.atHeadquarters(ctx, b.size.logins+1); err != nil {
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
	c.add("processor time of the server per login, RADIUS asked", "us", ours.loginCost, name, theirs.loginCost)
	c.add("logins per second beside l2tpns, RADIUS asked, calls side by side", "/s", ours.crowded, name, theirs.crowded)
	c.traffic(name, ours, theirs)
	c.add("resident memory of the server beside l2tpns", "MB", ours.memory/(1<<20), name, theirs.memory/(1<<20))
	return nil
}

// traffic adds what measureTraffic has measured.
func (c *collection) traffic(name string, ours, theirs besides) {
	c.add("packets of 64 octets beside "+name+", up", "/s", ours.up, name, theirs.up)
	c.add("packets of 64 octets beside "+name+", down", "/s", ours.down, name, theirs.down)
	c.add("processor time per packet beside "+name+", up", "us", ours.upCost, name, theirs.upCost)
	c.add("processor time per packet beside "+name+", down", "us", ours.downCost, name, theirs.downCost)
	c.add("TCP beside "+name+", up", "Mbit/s", ours.streamUp, name, theirs.streamUp)
	c.add("TCP beside "+name+", down", "Mbit/s", ours.streamD, name, theirs.streamD)
}

// measureLNS measures a running LNS, whichever it is.
func (w *world) measureLNS(ctx context.Context, b *bench, server *process) (m besides, err error) {
	load, err := w.tryLoad(ctx, fileUsers, max(1, b.size.logins/sideBySide), 0, "--sessions-per-tunnel", strconv.Itoa(perTunnel))
	if err != nil {
		return m, err
	}
	m.crowded = load.PerSecond
	var all *crowd
	spent, err := busy(server, func() (err error) {
		all, err = w.newCrowd(ctx, b.size.logins)
		return err
	})
	if err != nil {
		return m, fmt.Errorf("%s: %w", server.command, err)
	}
	defer all.close()
	m.logins, m.loginCost = all.perSecond(), spent.Seconds()*1e6/float64(b.size.logins)
	if m.memory, err = resident(server.pid()); err != nil {
		return m, err
	}
	return m, w.measureTraffic(ctx, b, server, "chap", fmt.Sprintf(fileUsers, b.size.logins+1), &m)
}

// measureTraffic sends packets and streams through one session of a running LNS.
func (w *world) measureTraffic(ctx context.Context, b *bench, server *process, method, user string, m *besides) error {
	client, address, err := w.callBy(ctx, method, user)
	if err != nil {
		return err
	}
	defer client.kill()
	if m.streamUp, err = w.megabits(ctx, b.size.transfer/2); err != nil {
		return err
	}
	if m.streamD, err = w.megabits(ctx, b.size.transfer/2, "-R"); err != nil {
		return err
	}
	inside := netip.MustParseAddr(tunnelled)
	if m.up, m.upCost, err = costOf(server, func() (flow, error) {
		return blast(ctx, w.client, w.hq, inside, small, b.size.datagrams)
	}); err != nil {
		return err
	}
	m.down, m.downCost, err = costOf(server, func() (flow, error) {
		return blast(ctx, w.hq, w.client, address, small, b.size.datagrams)
	})
	return err
}

// costOf is the rate of a flow, and the processor time of the server for each of its packets in microseconds.
func costOf(server *process, send func() (flow, error)) (rate, cost float64, err error) {
	var f flow
	spent, err := busy(server, func() (err error) { f, err = send(); return err })
	return f.rate(), spent.Seconds() * 1e6 / float64(max(1, f.received)), err
}

func rateOf(f flow, err error) (float64, error) { return f.rate(), err }

func (w *world) megabits(ctx context.Context, d time.Duration, options ...string) (float64, error) {
	o, err := w.stream(ctx, tunnelled, d, options...)
	return o.megabits(), err
}
