package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// hostileLegend goes with the measurement of a flood.
const hostileLegend = `
During a flood, hostile datagrams come from invented addresses, half of them requests for tunnels that nobody will complete,
while 100 people log in per second, each from an address of their own. A login counts that is complete within 3 seconds. l2tpns
has room for 500 tunnels, which the flood fills at once.
`

// The logins during a flood.
const (
	loginRate = 100 // per second
	inTime    = "3s"
	crowds    = 32 // programs that dial, which have a socket for each login
)

// measureHostile has people log in while strangers flood the port, with lnsgate and with the l2tpns of Debian as the LNS.
func measureHostile(ctx context.Context, b *bench, w *world) error {
	b.explain(hostileLegend)
	if err := w.disguise(); err != nil {
		return err
	}
	users := max(min(b.size.paced, 2000)/crowds, 2) * crowds
	if _, err := w.atHeadquarters(ctx, users/crowds); err != nil {
		return err
	}
	var ours, theirs fire
	err := w.inTurn(ctx, func(server *process) (err error) {
		ours, err = w.underFire(ctx, server, users, b.size.hostile)
		return err
	}, func(server *process) (err error) {
		theirs, err = w.underFire(ctx, server, users, b.size.hostile)
		return err
	})
	if err != nil {
		return err
	}
	c := &b.figures
	c.add("hostile datagrams sent", "/s", ours.flood, "at l2tpns", theirs.flood)
	c.add("logins complete within 3 s while they come", "%", ours.share, "l2tpns", theirs.share)
	c.add("login time while they come, p50", "ms", ours.P50, "")
	c.add("login time while they come, p99", "ms", ours.P99, "")
	c.add("resident memory of the server when they come, at most", "MB", ours.memory/(1<<20), "l2tpns", theirs.memory/(1<<20))
	return nil
}

// fire is what became of logins during a flood.
type fire struct {
	loadOutcome
	flood  float64 // datagrams per second
	share  float64 // of the logins, in percent
	memory float64 // of the server afterwards, octets
}

// underFire has people log in while strangers flood the port of a server.
func (w *world) underFire(ctx context.Context, server *process, users, rate int) (f fire, err error) {
	hostile, err := startFlood(w.client, netip.MustParseAddr(serverAddress), rate)
	if err != nil {
		return f, err
	}
	f.loadOutcome, err = w.tryCrowds(ctx, users)
	sent, failed := hostile.end()
	if err == nil {
		err = failed
	}
	if err != nil {
		return f, err
	}
	f.flood, f.share = sent, 100*float64(f.Up)/float64(users)
	f.memory, err = resident(server.pid())
	return f, err
}

// disguise has every caller come from an address of its own, and the datagrams of strangers from the one that they invent.
func (w *world) disguise() error {
	var addresses strings.Builder
	for i := range 4096 {
		fmt.Fprintf(&addresses, "%d : 10.99.%d.%d, ", i, i>>8, i&0xff)
	}
	rules := filepath.Join(w.folder, "disguise.nft")
	text := fmt.Sprintf(`table ip disguise {
	chain out { type filter hook output priority raw; ip saddr 100.64.0.0/10 notrack; }
	chain in { type filter hook prerouting priority raw; ip daddr 100.64.0.0/10 drop; }
	chain post {
		type nat hook postrouting priority srcnat;
		udp dport %d ip saddr %s snat to numgen inc mod 4096 map { %s }
	}
}
`, l2tpPort, clientAddress, strings.TrimSuffix(addresses.String(), ", "))
	if err := os.WriteFile(rules, []byte(text), 0o600); err != nil {
		return err
	}
	_, err := w.client.Run("nft", "-f", rules)
	return errors.Join(err, w.lns.Route("default", clientAddress))
}

// tryCrowds has that many people log in, each from a socket of its own; some may fail. The times are those of one program.
func (w *world) tryCrowds(ctx context.Context, users int) (all loadOutcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	each := users / crowds
	args, err := w.loadArgs(fileUsers, each, float64(loginRate)/crowds, "--timeout", inTime, "--sockets", strconv.Itoa(min(each, 64)))
	if err != nil {
		return all, err
	}
	var dials []*process
	for range crowds {
		p, err := w.start(w.client, "dial", w.program, args...)
		if err != nil {
			return all, err
		}
		dials = append(dials, p)
	}
	up := 0
	for _, p := range dials {
		failure := p.wait(ctx)
		text, err := os.ReadFile(p.output)
		if err != nil {
			return all, err
		}
		if err := json.Unmarshal(text, &all); err != nil {
			return all, fmt.Errorf("dial printed %q: %w (%v)", text, err, failure)
		}
		up += all.Up
	}
	all.Up = up
	return all, nil
}
