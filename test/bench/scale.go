package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"lnsgate/lns/admin"
)

const scaleLegend = `
Many sessions at once: they idle, 100 in a tunnel, or all in one, and the server asks each of them every 30 seconds by LCP echo
whether it is there (and each tunnel every minute by HELLO, where nothing was heard). What a session takes is what the server has grown by.
Beside each figure stands that of a tenth as many; what grows in step with the number has a ratio of 1 where it is given for each, of 10 else.
From the processor time of a list that of idling is taken off; the time until the list is there has it, on a busy machine all the more.
`

// throng is many idle sessions.
type throng struct {
	sessions, perTunnel int
}

func (c throng) String() string {
	if c.perTunnel >= c.sessions {
		return thousands(fmt.Sprint(c.sessions)) + " sessions in one tunnel"
	}
	return fmt.Sprintf("%s sessions in %s tunnels", thousands(fmt.Sprint(c.sessions)), thousands(fmt.Sprint(c.sessions/c.perTunnel)))
}

// upkeep is what a throng costs.
type upkeep struct {
	login  float64 // microseconds of the server's processor time each
	memory float64 // octets each
	idle   float64 // processor time of the server, % of a core
	list   float64 // milliseconds for a list of all, until the one who asked has understood it
	listed float64 // microseconds of the server's processor time for each session in such a list
	stop   float64 // seconds
}

// mostInTunnel is how many sessions one tunnel holds in this measurement.
const mostInTunnel = 60_000

// measureScale holds a few, more and very many sessions.
func measureScale(ctx context.Context, b *bench, w *world) error {
	b.explain(scaleLegend)
	n := b.size.many
	inOne := min(n, mostInTunnel)
	for _, pair := range [][2]throng{
		{{n / 10, 100}, {n, 100}},
		{{inOne / 10, inOne / 10}, {inOne, inOne}},
	} {
		var cost [2]upkeep
		for i, c := range pair {
			fmt.Fprintf(b.progress, "%s\n", c)
			var err error
			if cost[i], err = w.hold(ctx, b, c, w.configuration(1), "user1"); err != nil {
				return fmt.Errorf("%s: %w", c, err)
			}
		}
		b.compareThrongs(pair[0], pair[1], cost[0], cost[1])
	}
	return nil
}

func (b *bench) compareThrongs(few, many throng, less, more upkeep) {
	what, beside := many.String()+": ", few.String()
	c := &b.figures
	c.add(what+"processor time of the server per login", "us", more.login, beside, less.login)
	c.add(what+"resident memory each", "KB", more.memory/1024, beside, less.memory/1024)
	c.add(what+"processor time of the server, idle", "% of a core", more.idle, beside, less.idle)
	c.add(what+"a list of all, each", "us", more.list*1000/float64(many.sessions), beside, less.list*1000/float64(few.sessions))
	c.add(what+"processor time of the server per session in a list", "us", more.listed, beside, less.listed)
	c.add(what+"stop", "s", more.stop, beside, less.stop)
}

// hold has that many sessions of users come up and stay, and ends the server.
func (w *world) hold(ctx context.Context, b *bench, c throng, configuration, users string) (u upkeep, err error) {
	limits := fmt.Sprintf("limits:\n  sessions: %d\n  sessions_per_tunnel: %d\n", 2*c.sessions, 65_000)
	s, err := w.serveThis(ctx, strings.Replace(configuration, "limits:\n", limits, 1))
	if err != nil {
		return u, err
	}
	before, err := resident(s.pid())
	if err != nil {
		return u, err
	}
	p, err := w.dialThrong(c, users)
	if err != nil {
		return u, err
	}
	spent, err := busy(s.process, func() error { return s.awaitThrong(ctx, c.sessions, p) })
	if err != nil {
		return u, err
	}
	u.login = spent.Seconds() * 1e6 / float64(c.sessions)
	if spent, err = busy(s.process, func() error { return pass(ctx, 3*b.size.idle) }); err != nil {
		return u, err
	}
	u.idle = 100 * spent.Seconds() / (3 * b.size.idle).Seconds()
	after, err := resident(s.pid())
	if err != nil {
		return u, err
	}
	u.memory = (after - before) / float64(c.sessions)
	began := time.Now()
	spent, err = busy(s.process, func() (err error) {
		u.list, err = s.listAll(ctx, c.sessions)
		return err
	})
	if err != nil {
		return u, err
	}
	idling := u.idle / 100 * time.Since(began).Seconds() // goes on meanwhile
	u.listed = max(0, spent.Seconds()-idling) * 1e6 / float64(looks*c.sessions)
	began = time.Now()
	err = s.end(ctx)
	u.stop = time.Since(began).Seconds()
	p.kill()
	return u, err
}

func (w *world) dialThrong(c throng, users string) (*process, error) {
	args, err := w.loadArgs(users, c.sessions, 0, "--hold", "forever", "--sessions-per-tunnel", fmt.Sprint(c.perTunnel),
		"--echo", "0", "--hello", "0", "--timeout", "60s")
	if err != nil {
		return nil, err
	}
	return w.start(w.client, "dial", w.program, args...)
}

// awaitThrong waits until so many sessions are open, as long as there are more and more of them.
func (s *server) awaitThrong(ctx context.Context, want int, load *process) error {
	most, since := 0, time.Now()
	return until(ctx, fmt.Sprintf("%d sessions are open", want), func() (bool, error) {
		n, err := s.open(ctx)
		if n > most {
			most, since = n, time.Now()
		}
		if err == nil && n < want && time.Since(since) > patience {
			err = fmt.Errorf("%d of %d sessions are open, and there are no more\n%s\n%s", n, want, s.said(), load.said())
		}
		return n == want, err
	})
}

// listAll tells how many milliseconds a list of all sessions takes.
func (s *server) listAll(ctx context.Context, want int) (float64, error) {
	var times []float64
	for range looks {
		began := time.Now()
		all, err := s.admin.Sessions(ctx, admin.SessionFilter{})
		if err != nil || len(all) != want {
			return 0, fmt.Errorf("%d of %d sessions are listed, %w", len(all), want, err)
		}
		times = append(times, time.Since(began).Seconds()*1000)
	}
	return middle(times), nil
}
