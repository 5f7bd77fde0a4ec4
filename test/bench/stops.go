package main

import (
	"context"
	"fmt"
)

const stopsLegend = `
A stop with records in SQL: many sessions are open, the server is asked to end, and when it has, every session has one row that tells
of the end and why, and none is left in the tables of those that are alive, of places and of addresses in use. What stays the same for
each session has a ratio of 1. With accounts in SQL their pool is there too, and each session takes a place in its domain.
`

// measureStops ends servers with a few, more and many sessions whose records are in SQL, and wants all of them.
func measureStops(ctx context.Context, b *bench, w *world) error {
	b.explain(stopsLegend)
	n := b.size.many
	d, err := b.database(ctx, "stops", population{groups: 1, each: n, pool: sharedPool}.fill)
	if err == nil {
		err = d.exec(ctx, "UPDATE domains SET max_sessions = 1000000")
	}
	if err != nil {
		return err
	}
	for _, of := range []struct{ what, configuration, users string }{
		{"records in SQL", w.sqlConfiguration(b.sql, d, 1), "user1"},
		{"records, accounts and pools in SQL", w.sqlConfiguration(b.sql, d, 0), users(1)},
	} {
		var few float64
		for _, sessions := range []int{n / 10, 3 * n / 10, n} {
			c := throng{sessions, min(n/10, 100)}
			fmt.Fprintf(b.progress, "%s, %s\n", c, of.what)
			took, err := b.stopRecorded(ctx, w, d, c, of.configuration, of.users)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", c, of.what, err)
			}
			each, what := 1e6*took/float64(sessions), fmt.Sprintf("%s, %s: stop, each", c, of.what)
			if sessions == n/10 {
				few = each
				b.figures.add(what, "us", each, "")
			} else {
				b.figures.add(what, "us", each, throng{n / 10, c.perTunnel}.String(), few)
			}
		}
	}
	return nil
}

// stopRecorded holds sessions on a server that records in SQL, ends it, and wants a record of the end of each. It answers how many
// seconds the stop took.
func (b *bench) stopRecorded(ctx context.Context, w *world, d *sqlDatabase, c throng, configuration, users string) (float64, error) {
	if err := d.fresh(ctx); err != nil {
		return 0, err
	}
	cost, err := w.hold(ctx, b, c, configuration, users)
	if err != nil {
		return 0, err
	}
	return cost.stop, d.countStops(ctx, c.sessions)
}

// countStops wants one record for each of so many sessions, which says when and why it ended, and nothing that is alive.
func (d *sqlDatabase) countStops(ctx context.Context, sessions int) error {
	var rows, names, ended, alive, places, leases int
	err := d.conn.QueryRow(ctx, `SELECT count(*), count(DISTINCT session),
		count(*) FILTER (WHERE stopped_at IS NOT NULL AND terminate_cause = 'Admin-Reboot' AND cause <> ''), (SELECT count(*) FROM sessions),
		(SELECT count(*) FROM session_slots), (SELECT count(*) FROM leases WHERE state = 'bound') FROM accounting`).
		Scan(&rows, &names, &ended, &alive, &places, &leases)
	if err != nil {
		return err
	}
	if rows != sessions || names != sessions || ended != sessions || alive+places+leases != 0 {
		return fmt.Errorf("%d sessions have %d records of %d names, of which %d tell of the end and why; %d count as alive, %d have a place, %d an address",
			sessions, rows, names, ended, alive, places, leases)
	}
	return nil
}
