package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/spool"
)

const startsLegend = `
A start: from the call of the program until it answers, and what memory it has then. Beside each figure stands that of a tenth as
much (of the pool: a 256th); what grows in step has a ratio of 10 at most. After a crash, what a process of the same name has left
is there: records that wait on disk, each of a session without an end; or the rows of sessions, records, places and addresses in SQL.
`

// startCase is a kind of server that is started with little and with much.
type startCase struct {
	what      string
	few, many int
	prepare   func(ctx context.Context, n int) (configuration string, err error)
}

// measureStarts starts servers that have little and much to know.
func measureStarts(ctx context.Context, b *bench, w *world) error {
	b.explain(startsLegend)
	n := b.size.many
	for _, c := range []startCase{
		{"accounts in the file", n / 10, n, func(_ context.Context, n int) (string, error) { return w.configuration(n), nil }},
		{"addresses in a pool of the file", 1 << 16, 1 << 24, func(_ context.Context, n int) (string, error) {
			return strings.Replace(w.configuration(1), "10.128.0.0/14", map[int]string{1 << 16: "100.0.0.0/16", 1 << 24: "100.0.0.0/8"}[n], 1), nil
		}},
		{"accounts in SQL", n, 10 * n, func(ctx context.Context, n int) (string, error) {
			d, err := b.database(ctx, fmt.Sprintf("people%d", n), population{groups: 1, each: n, pool: "10.64.0.0/11"}.fill)
			if err != nil {
				return "", err
			}
			return w.sqlConfiguration(b.sql, d, 0), d.fresh(ctx)
		}},
		{"records of a crash on disk", n / 10, n, func(ctx context.Context, n int) (string, error) {
			_, d, err := b.office(ctx)
			if err != nil {
				return "", err
			}
			return w.sqlConfiguration(b.sql, d, 0), errors.Join(d.fresh(ctx), leaveRecords(ctx, filepath.Join(w.folder, "accounting.spool"), n))
		}},
		{"open sessions of a crash in SQL", n / 10, n, func(ctx context.Context, n int) (string, error) {
			_, d, err := b.office(ctx)
			if err != nil {
				return "", err
			}
			return "node: crashed\n" + w.sqlConfiguration(b.sql, d, 0), errors.Join(d.fresh(ctx), d.leaveSessions(ctx, n))
		}},
	} {
		if err := w.compareStarts(ctx, b, c); err != nil {
			return fmt.Errorf("%s: %w", c.what, err)
		}
	}
	return nil
}

// compareStarts starts with few and with many, each of them anew.
func (w *world) compareStarts(ctx context.Context, b *bench, c startCase) error {
	var took, memory [2]float64
	for i, n := range []int{c.few, c.many} {
		fmt.Fprintf(b.progress, "%d %s\n", n, c.what)
		configuration, err := c.prepare(ctx, n)
		if err != nil {
			return err
		}
		began := time.Now()
		s, err := w.serveThis(ctx, configuration)
		if err != nil {
			return err
		}
		took[i] = time.Since(began).Seconds() * 1000
		if memory[i], err = resident(s.pid()); err != nil {
			return err
		}
		if err := s.end(ctx); err != nil {
			return err
		}
	}
	much, few := thousands(fmt.Sprint(c.many))+" "+c.what, thousands(fmt.Sprint(c.few))
	b.figures.add(much+": start", "ms", took[1], few, took[0])
	b.figures.add(much+": resident memory after the start", "MB", memory[1]/(1<<20), few, memory[0]/(1<<20))
	return nil
}

// away is a sink that nobody reaches.
type away struct{}

func (away) Write(context.Context, []aaa.Record) error { return errors.New("away") }

// leaveRecords makes the file of a process that was killed while the database was away: so many sessions have begun.
func leaveRecords(ctx context.Context, path string, n int) error {
	s, err := spool.Open(spool.Config{Path: path, Sink: away{}, Log: slog.New(slog.DiscardHandler), Memory: 2 * n})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(running) }()
	now := time.Now()
	for i := range n {
		s.Account(aaa.Record{
			Kind: aaa.RecordStart, Sequence: 1, Session: sessionID("crash", i), Node: "bench", At: now, Started: now,
			Name: "user1", Account: "user1", Domain: domain, Method: aaa.CHAP, Address: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}),
		})
	}
	err = s.Sync(ctx)
	stop()
	return errors.Join(err, <-ended, s.Close())
}

// leaveSessions writes what so many sessions of a process that was killed leave in the database.
func (d *sqlDatabase) leaveSessions(ctx context.Context, n int) error {
	const each = `FROM generate_series(0, %d - 1) AS i`
	of := func(statement string) string { return statement + fmt.Sprintf(each, n) }
	return d.exec(ctx,
		"INSERT INTO nodes (name, epoch) VALUES ('crashed', 1)",
		of("INSERT INTO accounting (session, started_at, sequence, node, epoch, name, account) SELECT 'crash-' || i, now(), 1, 'crashed', 1, 'user1', 'user1' "),
		of("INSERT INTO sessions (id, node, epoch, name, account) SELECT 'crash-' || i, 'crashed', 1, 'user1', 'user1' "),
		of("INSERT INTO session_slots (session, node, epoch, account, domain, name, since) SELECT 'crash-' || i, 'crashed', 1, 'user1', '"+domain+"', 'user1', now() "),
		of(`INSERT INTO leases (address, pool, account, holder, node, epoch, state, since, expires_at)
			SELECT (SELECT first_address FROM pool_ranges) + i, 'sales', 'user1', 'crash-' || i, 'crashed', 1, 'bound', now(), now() + interval '1 hour' `),
		"ANALYZE",
	)
}
