package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"lnsgate/lns/admin"
	"lnsgate/test/radtest"
)

// limits are the rates that sessions are held to, in Mbit/s each way.
var limits = []int{2, 10, 50, 200}

const ratesLegend = `
FreeRADIUS gives each session its limit, by Mikrotik-Rate-Limit. Octets of IP are what the session's counter says of 95% of
the time of one TCP stream, from its begin; goodput is what iperf3 says it received, without the 40 to 52 octets of TCP and
IP that each packet of 1,400 carries.
`

// measureRates logs in users whom FreeRADIUS gives a rate, one after the other, and sends one TCP stream each way.
func measureRates(ctx context.Context, b *bench, w *world) (err error) {
	radius, end, err := b.plainRADIUS(radtest.Options{Users: limitedUsers(), Namespace: w.lns})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	s, err := w.serveThis(ctx, w.askingRADIUS(radius, ""))
	if err != nil {
		return err
	}
	if _, err := w.start(w.hq, "iperf3", "iperf3", "-s", "-4"); err != nil {
		return err
	}
	b.explain(ratesLegend)
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

// held is what a limit let through, in Mbit/s: what the session counted, and what the application received.
type held struct{ ip, goodput float64 }

// held sends a TCP stream through the session of a user.
func (w *world) held(ctx context.Context, s *server, user, way string, d time.Duration) (h held, err error) {
	var options []string
	if way == "down" {
		options = []string{"-R"}
	}
	ctx, cancel := context.WithCancel(ctx)
	var counting sync.WaitGroup
	var fault error
	before, err := s.counted(ctx, user, way)
	if err != nil {
		cancel()
		return h, err
	}
	counting.Go(func() {
		h.ip, fault = during(ctx, before, d, func() (uint64, error) { return s.counted(ctx, user, way) })
	})
	o, err := w.stream(ctx, tunnelled, d, options...)
	h.goodput = o.megabits()
	if err != nil {
		cancel() // there is nothing to count
	}
	counting.Wait()
	cancel()
	return h, errors.Join(err, fault)
}

// during is how many Mbit/s a counter counts from the begin of a stream until shortly before its end: what waits in
// sockets and queues then is not of that time.
func during(ctx context.Context, before uint64, d time.Duration, count func() (uint64, error)) (float64, error) {
	const opening = 8 << 10 // octets that iperf3 exchanges before the stream, and less
	began, last := time.Time{}, time.Now()
	err := until(ctx, "octets are counted", func() (bool, error) {
		n, err := count()
		began, last = last, time.Now()
		return n > before+opening, err
	})
	if err != nil {
		return 0, err
	}
	if err := pass(ctx, time.Until(began.Add(d*95/100))); err != nil {
		return 0, err
	}
	n, err := count()
	return float64(n-before) * 8 / 1e6 / time.Since(began).Seconds(), err
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
