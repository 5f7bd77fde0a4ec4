package main

import (
	"context"
	"fmt"
	"slices"
)

// measureSQLLogins dials as fast as it goes with accounts and pools of the configuration file on a node without a
// database, with those of the database, and with those of the file on a node that has a database and writes its records
// there. Which comes first changes from run to run.
func measureSQLLogins(ctx context.Context, b *bench, w *world) error {
	s, d, err := b.office(ctx)
	if err != nil {
		return err
	}
	count := min(b.size.logins, b.size.accounts)
	variants := []struct {
		name          string
		configuration string
		users         string
		rate, each    float64
	}{
		{"file", w.configuration(count), fileUsers, 0, 0},
		{"sql", w.sqlConfiguration(s, d, 0), users(1), 0, 0},
		{"both", w.sqlConfiguration(s, d, count), fileUsers, 0, 0},
	}
	b.turns++
	order := []int{0, 1, 2}
	if b.turns%2 == 0 {
		slices.Reverse(order)
	}
	for _, i := range order {
		v := &variants[i]
		if err := d.fresh(ctx); err != nil {
			return err
		}
		o, spent, err := w.loaded(ctx, b, "sqllogins-"+v.name, v.configuration, v.users, count)
		if err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		v.rate, v.each = o.PerSecond, spent
	}
	c := &b.figures
	const beside = "accounts and pools of the file, no database"
	c.add("logins per second, accounts and pools in SQL", "/s", variants[1].rate, beside, variants[0].rate)
	c.add("processor time of the server per login, in SQL", "us", variants[1].each, beside, variants[0].each)
	c.add("logins per second, accounts and pools of the file, records in SQL", "/s", variants[2].rate, beside, variants[0].rate)
	return nil
}

// loaded serves a configuration, dials that many users, and ends the server. It returns the processor time of the server
// for each login as well, in microseconds.
func (w *world) loaded(ctx context.Context, b *bench, label, configuration, users string, count int) (o loadOutcome, each float64, err error) {
	server, err := w.serveThis(ctx, configuration)
	if err != nil {
		return o, 0, err
	}
	spent, err := busy(server.process, func() error {
		return b.profiled(ctx, w, server, label, func() (err error) {
			o, err = w.load(ctx, users, count, 0)
			return err
		})
	})
	if err == nil {
		err = server.end(ctx)
	}
	return o, spent.Seconds() * 1e6 / float64(count), err
}
