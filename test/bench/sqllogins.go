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
		loaded
	}{
		{"file", w.configuration(count), fileUsers, loaded{}},
		{"sql", w.sqlConfiguration(s, d, 0), users(1), loaded{}},
		{"both", w.sqlConfiguration(s, d, count), fileUsers, loaded{}},
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
		if v.loaded, err = w.serveLoad(ctx, b, d, "sqllogins-"+v.name, v.configuration, v.users, count); err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
	}
	c := &b.figures
	const beside = "accounts and pools of the file, no database"
	c.add("logins per second, accounts and pools in SQL", "/s", variants[1].rate, beside, variants[0].rate)
	c.add("logins per second, the same, beside a file with records in SQL", "/s", variants[1].rate,
		"accounts and pools of the file, records in SQL", variants[2].rate)
	c.add("processor time of the server per login, in SQL", "us", variants[1].server, beside, variants[0].server)
	c.add("processor time of PostgreSQL per login, in SQL", "us", variants[1].database, "accounts of the file, records in SQL",
		variants[2].database)
	c.add("logins per second, accounts and pools of the file, records in SQL", "/s", variants[2].rate, beside, variants[0].rate)
	return nil
}

// loaded is what became of a load.
type loaded struct {
	rate             float64 // logins per second
	server, database float64 // microseconds of processor time for each login
}

// serveLoad serves a configuration, dials that many users, waits until they are gone, and ends the server.
func (w *world) serveLoad(ctx context.Context, b *bench, d *sqlDatabase, label, configuration, users string, count int) (l loaded, err error) {
	s, err := w.serveThis(ctx, configuration)
	if err != nil {
		return l, err
	}
	before, err := d.processorTime()
	if err != nil {
		return l, err
	}
	spent, err := busy(s.process, func() error {
		return b.profiled(ctx, w, s, label, func() error {
			o, err := w.load(ctx, users, count, 0)
			l.rate = o.PerSecond
			return err
		})
	})
	if err == nil {
		err = s.end(ctx)
	}
	if err != nil {
		return l, err
	}
	after, err := d.processorTime()
	l.server, l.database = spent.Seconds()*1e6/float64(count), (after-before).Seconds()*1e6/float64(count)
	return l, err
}
