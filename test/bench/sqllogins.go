package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// variant is a way in which a node knows accounts and pools, and what its loads came to.
type variant struct {
	name          string
	configuration string
	users         string
	first         loaded // nobody has logged in before
	again         loaded // half as many, who did a moment ago
}

// measureSQLLogins dials as fast as it goes with accounts and pools of the configuration file on a node without a
// database, with those of the database, and with those of the file on a node that has a database and writes its records
// there. Which comes first changes from run to run.
func measureSQLLogins(ctx context.Context, b *bench, w *world) error {
	s, d, err := b.office(ctx)
	if err != nil {
		return err
	}
	count := min(b.size.logins, b.size.accounts)
	file := &variant{name: "file", configuration: w.configuration(count), users: fileUsers}
	sql := &variant{name: "sql", configuration: w.sqlConfiguration(s, d, 0), users: users(1)}
	both := &variant{name: "both", configuration: w.sqlConfiguration(s, d, count), users: fileUsers}
	b.turns++
	order := []*variant{file, sql, both}
	if b.turns%2 == 0 {
		slices.Reverse(order)
	}
	for _, v := range order {
		if err := d.fresh(ctx); err != nil {
			return err
		}
		if err := w.serveLoads(ctx, b, d, v, count); err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
	}
	b.compareSQLLogins(file, sql, both)
	return nil
}

func (b *bench) compareSQLLogins(file, sql, both *variant) {
	b.explain(sqlLoginsLegend)
	c := &b.figures
	const beside, recording = "accounts and pools of the file, no database", "accounts and pools of the file, records in SQL"
	c.add("logins per second, accounts and pools in SQL", "/s", sql.first.rate, beside, file.first.rate)
	c.add("logins per second, the same, beside a file with records in SQL", "/s", sql.first.rate, recording, both.first.rate)
	c.add("logins per second, in SQL, of people who come back", "/s", sql.again.rate, beside, file.again.rate)
	c.add("logins per second, accounts and pools of the file, records in SQL", "/s", both.first.rate, beside, file.first.rate)
	c.add("processor time per login, in SQL, all three", "us", sql.first.all(), beside, file.first.all())
	c.add("processor time per login, in SQL, all three, of people who come back", "us", sql.again.all(), beside, file.again.all())
	c.add("processor time of the server per login, in SQL", "us", sql.first.server, beside, file.first.server)
	c.add("processor time of the server per login, in SQL, of people who come back", "us", sql.again.server, beside, file.again.server)
	c.add("processor time of PostgreSQL per login, in SQL", "us", sql.first.database, recording, both.first.database)
	c.add("processor time of PostgreSQL per login, in SQL, of people who come back", "us", sql.again.database, recording, both.again.database)
}

// sqlLoginsLegend goes with this measurement.
const sqlLoginsLegend = `
All three are the server, PostgreSQL and the load. People who come back are half of those who came before, each of whom has
logged in a moment ago: the server remembers the row, and their address waits for them.
`

// loaded is what became of a load.
type loaded struct {
	rate                   float64 // logins per second
	server, database, dial float64 // microseconds of processor time for each login
}

func (l loaded) all() float64 { return l.server + l.database + l.dial }

// serveLoads serves a variant, dials that many users, then half of them twice, of which the second time counts, and ends
// the server.
func (w *world) serveLoads(ctx context.Context, b *bench, d *sqlDatabase, v *variant, count int) error {
	s, err := w.serveThis(ctx, v.configuration)
	if err != nil {
		return err
	}
	if v.first, err = w.measureLoad(ctx, b, d, s, "sqllogins-"+v.name, v.users, count); err != nil {
		return err
	}
	if _, err := w.load(ctx, v.users, count/2, 0); err != nil {
		return err
	}
	if v.again, err = w.measureLoad(ctx, b, d, s, "sqllogins-again-"+v.name, v.users, count/2); err != nil {
		return err
	}
	return s.end(ctx)
}

// measureLoad dials that many users and waits until they are gone and what is known of them is written.
func (w *world) measureLoad(ctx context.Context, b *bench, d *sqlDatabase, s *server, label, users string, count int) (l loaded, err error) {
	before, err := d.processorTime()
	if err != nil {
		return l, err
	}
	var dialled time.Duration
	spent, err := busy(s.process, func() error {
		return b.profiled(ctx, w, s.process, label, func() error {
			o, err := w.load(ctx, users, count, 0)
			if err == nil {
				l.rate = o.PerSecond
				dialled = w.processes[len(w.processes)-1].spent()
				err = pass(ctx, written)
			}
			return err
		})
	})
	if err != nil {
		return l, err
	}
	after, err := d.processorTime()
	each := func(t time.Duration) float64 { return t.Seconds() * 1e6 / float64(count) }
	l.server, l.database, l.dial = each(spent), each(after-before), each(dialled)
	return l, err
}

// written is how long a node takes to write the last records, attempts and leases, and more: it costs next to nothing.
const written = time.Second

// spent is the processor time of a program that has ended.
func (p *process) spent() time.Duration {
	state := p.command.ProcessState
	return state.UserTime() + state.SystemTime()
}
