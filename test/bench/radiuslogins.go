package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"lnsgate/test/radtest"
)

// measureRADIUSLogins dials as fast as it goes: with accounts of the configuration file, with RADIUS checking who calls,
// and with RADIUS being told of every session as well. Which comes first changes from run to run.
func measureRADIUSLogins(ctx context.Context, b *bench, w *world) (err error) {
	users := "DEFAULT Cleartext-Password := \"" + password + "\"\n"
	radius, end, err := b.plainRADIUS(radtest.Options{Users: users, Namespace: w.lns})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	variants := []struct {
		name, configuration string
		called
	}{
		{"file", w.configuration(b.size.logins), called{}},
		{"asked", w.askingRADIUS(radius, ""), called{}},
		{"told", w.askingRADIUS(radius, "hq"), called{}},
	}
	order := []int{0, 1, 2}
	if b.turns++; b.turns%2 == 0 {
		slices.Reverse(order)
	}
	for _, i := range order {
		v := &variants[i]
		if v.called, err = w.serveCalls(ctx, b, radius, "radiuslogins-"+v.name, v.configuration); err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
	}
	c := &b.figures
	const beside = "accounts of the file"
	b.explain(`
FreeRADIUS checks a password by CHAP. When it is told of a login, it gets a Start and a Stop through the spool on disk.
`)
	c.add("logins per second, RADIUS asked", "/s", variants[1].rate, beside, variants[0].rate)
	c.add("processor time of the server per login, RADIUS asked", "us", variants[1].server, beside, variants[0].server)
	c.add("processor time of FreeRADIUS per login, RADIUS asked", "us", variants[1].radius, "")
	c.add("logins per second, RADIUS asked and told of each", "/s", variants[2].rate, beside, variants[0].rate)
	c.add("processor time of the server per login, RADIUS asked and told", "us", variants[2].server, beside, variants[0].server)
	c.add("processor time of FreeRADIUS per login, RADIUS asked and told", "us", variants[2].radius, "")
	return nil
}

// called is what became of a load.
type called struct {
	rate           float64 // logins per second
	server, radius float64 // microseconds of processor time for each login
}

// serveCalls serves a configuration, dials, and ends the server, which tells RADIUS the rest before.
func (w *world) serveCalls(ctx context.Context, b *bench, radius *radtest.Server, label, configuration string) (c called, err error) {
	s, err := w.serveThis(ctx, configuration)
	if err != nil {
		return c, err
	}
	before, err := processorTime(radius.PID())
	if err != nil {
		return c, err
	}
	spent, err := busy(s.process, func() error {
		return b.profiled(ctx, w, s.process, label, func() error {
			o, err := w.load(ctx, fileUsers, b.size.logins, 0)
			c.rate = o.PerSecond
			return err
		})
	})
	if err == nil {
		err = s.end(ctx)
	}
	if err != nil {
		return c, err
	}
	after, err := processorTime(radius.PID())
	logins := float64(b.size.logins)
	c.server, c.radius = spent.Seconds()*1e6/logins, (after-before).Seconds()*1e6/logins
	return c, err
}

// askingRADIUS is the configuration of a server whose users all are with RADIUS. Groups to tell of sessions may be named.
func (w *world) askingRADIUS(s *radtest.Server, accounting string) string {
	return w.common() + fmt.Sprintf(`domains:
  - {name: default, authentication: [hq], accounting: [%s], pools: [pool1]}
pools:
  - {name: pool1, ranges: [10.128.0.0/14]}
radius:
  - name: hq
    servers: [{address: %s, authentication_port: %d, accounting_port: %d, secret: %q}]
`, accounting, s.Auth().Addr(), s.Auth().Port(), s.Acct().Port(), s.Secret())
}
