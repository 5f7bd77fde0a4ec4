package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"lnsgate/lns/admin"
	"lnsgate/test/radtest"
)

// limits are the rates that sessions are held to, in Mbit/s each way.
var limits = []int{2, 10, 50, 200}

// measureRates logs in users whom FreeRADIUS gives a rate, one after the other, and sends one TCP stream each way.
func measureRates(ctx context.Context, b *bench, w *world) (err error) {
	radius, end, err := b.plainRADIUS(radtest.Options{Users: limitedUsers(), Namespace: w.lns})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	s, err := w.serveThis(ctx, limitedConfiguration(w, radius))
	if err != nil {
		return err
	}
	if _, err := w.start(w.hq, "iperf3", "iperf3", "-s", "-4"); err != nil {
		return err
	}
	for _, limit := range limits {
		user := limited(limit)
		p, _, err := w.callAs(ctx, user)
		if err != nil {
			return err
		}
		for _, way := range []string{"up", "down"} {
			h, err := w.held(ctx, s, user, way, b.size.limited)
			if err != nil {
				return fmt.Errorf("%d Mbit/s %s: %w", limit, way, err)
			}
			name := fmt.Sprintf("limit of %d Mbit/s, one TCP stream %s, ", limit, way)
			const beside = "the limit"
			b.figures.add(name+"octets of IP", "Mbit/s", h.ip, beside, float64(limit))
			b.figures.add(name+"goodput", "Mbit/s", h.goodput, beside, float64(limit))
		}
		if err := p.interrupt(ctx); err != nil {
			return err
		}
		if err := s.awaitOpen(ctx, 0); err != nil {
			return err
		}
	}
	return nil
}

func limited(limit int) string { return fmt.Sprintf("rate%d", limit) }

// limitedUsers is FreeRADIUS's file.
func limitedUsers() string {
	var b strings.Builder
	for _, limit := range limits {
		fmt.Fprintf(&b, "%s Cleartext-Password := %q\n\tMikrotik-Rate-Limit = \"%dM/%dM\"\n\n", limited(limit), password, limit, limit)
	}
	return b.String()
}

// limitedConfiguration is that of a server whose users all are with RADIUS.
func limitedConfiguration(w *world, radius *radtest.Server) string {
	return common(w.socket(), w.folder) + fmt.Sprintf(`domains:
  - {name: default, authentication: [hq], pools: [pool1]}
pools:
  - {name: pool1, ranges: [10.128.0.0/14]}
radius:
  - name: hq
    servers: [{address: %s, authentication_port: %d, secret: %q}]
`, radius.Auth().Addr(), radius.Auth().Port(), radius.Secret())
}

// held is what a limit let through, in Mbit/s: what the session counted, and what the application received.
type held struct{ ip, goodput float64 }

// held sends a TCP stream through the session of a user.
func (w *world) held(ctx context.Context, s *server, user, way string, d time.Duration) (h held, err error) {
	var options []string
	if way == "down" {
		options = []string{"-R"}
	}
	before, err := s.counted(ctx, user, way)
	if err != nil {
		return h, err
	}
	o, err := w.stream(ctx, tunnelled, d, options...)
	if err != nil {
		return h, err
	}
	after, err := s.counted(ctx, user, way)
	return held{ip: float64(after-before) * 8 / 1e6 / o.Seconds, goodput: o.megabits()}, err
}

// counted is how many octets of IP the server has carried for a user.
func (s *server) counted(ctx context.Context, user, way string) (uint64, error) {
	found, err := s.admin.Sessions(ctx, admin.SessionFilter{User: user})
	if err != nil {
		return 0, err
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("%d sessions of %s", len(found), user)
	}
	if way == "down" {
		return found[0].TxOctets, nil
	}
	return found[0].RxOctets, nil
}
