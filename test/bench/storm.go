package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// stormLegend goes with the measurement of a storm.
const stormLegend = `
In a storm all clients dial at the same moment, from 64 sockets, and do not dial again; meanwhile tunnels that are up ask by
HELLO whether the server is there, 250 times a second, whether or not the one before was answered. The time of an answer is from the
sending of the question to when the kernel has the answer for the one who asked, so that the load, which has the cores to
itself whenever it likes, slows the server and the kernel but not the clock. Only answers during the storm count. Retries are
counted by what comes out of it: the rate of the storm beside that of 256 at a time.
`

// The storm.
const (
	stormSize    = 10_000 // clients at most
	stormSockets = "64"
	calm         = 2 * time.Second
)

// measureStorm has everybody come back at once, as after an outage.
func measureStorm(ctx context.Context, b *bench, w *world) error {
	b.explain(stormLegend)
	count := min(b.size.logins, stormSize)
	if err := w.disguise(); err != nil {
		return err
	}
	s, err := w.serve(ctx, count)
	if err != nil {
		return err
	}
	steady, err := w.tryLoad(ctx, fileUsers, count, 0, "--sockets", stormSockets)
	if err != nil {
		return err
	}
	if err := s.awaitOpen(ctx, 0); err != nil {
		return err
	}
	still, err := w.listen()
	if err != nil {
		return err
	}
	err = pass(ctx, calm)
	idle, failed := still.end()
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	l, err := w.listen()
	if err != nil {
		return err
	}
	storm, err := w.tryLoad(ctx, fileUsers, count, 0, "--sockets", stormSockets, "--concurrency", fmt.Sprint(count), "--timeout", "60s")
	heard, failed := l.end()
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	if steady.Up != count || storm.Up != count {
		return fmt.Errorf("of %d people %d came in one after the other, and %d in a storm", count, steady.Up, storm.Up)
	}
	c := &b.figures
	c.add("logins per second in a storm", "/s", storm.PerSecond, "256 at a time", steady.PerSecond)
	c.add("from the beginning of the storm until all are up", "ms", 1000*float64(storm.Up)/storm.PerSecond, "256 at a time", 1000*float64(count)/steady.PerSecond)
	c.add("clients that get in at once", "%", 100*float64(storm.Up)/float64(count), "")
	c.add("login time in a storm, p99", "ms", storm.P99, "")
	c.add("HELLO of a live tunnel answered in a storm, p50", "ms", millis(heard, 50), "in a calm", millis(idle, 50))
	c.add("HELLO of a live tunnel answered in a storm, p99", "ms", millis(heard, 99), "in a calm", millis(idle, 99))
	return nil
}

// millis is a percentile.
func millis(all []time.Duration, percent int) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return float64(all[(len(all)-1)*percent/100]) / float64(time.Millisecond)
}
