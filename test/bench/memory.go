package main

import (
	"context"
	"fmt"
)

// measureMemory holds sessions open, each in a tunnel of its own, lets them idle, and divides what the server has grown by.
func measureMemory(ctx context.Context, b *bench, w *world) error {
	n := b.size.sessions
	s, err := w.serve(ctx, n)
	if err != nil {
		return err
	}
	before, err := resident(s.pid())
	if err != nil {
		return err
	}
	args, err := w.loadArgs(fileUsers, n, 0, "--hold", "forever")
	if err != nil {
		return err
	}
	p, err := w.start(w.client, "dial", w.program, args...)
	if err != nil {
		return err
	}
	if err := s.awaitOpen(ctx, n); err != nil {
		return fmt.Errorf("%w\n%s", err, p.said())
	}
	spent, err := busy(s.process, func() error { return pass(ctx, b.size.idle) })
	if err != nil {
		return err
	}
	after, err := resident(s.pid())
	if err != nil {
		return err
	}
	if open, err := s.open(ctx); err != nil || open != n {
		return fmt.Errorf("%d of %d sessions are still open, %w", open, n, err)
	}
	c := &b.figures
	each := (after - before) / float64(n)
	c.add(fmt.Sprintf("resident memory per idle session, %s sessions and tunnels", thousands(fmt.Sprint(n))), "KB", each/1024,
		"at most 16 KB")
	c.add("resident memory of the server with them", "MB", after/(1<<20), "without them", before/(1<<20))
	c.add("processor time of the server for them, idle", "% of a core", 100*spent.Seconds()/b.size.idle.Seconds(), "")
	return p.interrupt(ctx)
}
