package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"lnsgate/lns/admin"
	"lnsgate/lns/trace"
)

const traceLegend = `
With and without the record of attempts (trace.memory) the same logins are measured in turn, in pairs; the figures are medians
of the pairs of a run.
`

// tracePairs is how often both are measured in one run.
const tracePairs = 5

// measureTrace dials as fast as it goes, with and without the record of attempts, in turn.
func measureTrace(ctx context.Context, b *bench, w *world) error {
	b.explain(traceLegend)
	var rates, costs, ratio, extra []float64
	for pair := range tracePairs {
		var perSecond, cost [2]float64
		order := []int{0, 1}
		if pair%2 == 1 {
			slices.Reverse(order)
		}
		for _, with := range order {
			var err error
			if perSecond[with], cost[with], err = w.traced(ctx, b, with == 1); err != nil {
				return err
			}
		}
		rates, costs = append(rates, perSecond[1]), append(costs, cost[1])
		ratio, extra = append(ratio, 100*perSecond[1]/perSecond[0]), append(extra, 100*cost[1]/cost[0])
	}
	c := &b.figures
	c.add("logins per second, with the record of attempts", "/s", middle(rates), "")
	c.add("... of the rate without it", "%", middle(ratio), "at least 95%", 95)
	c.add("processor time of the server per login, with the record of attempts", "us", middle(costs), "")
	c.add("... of that without it", "%", middle(extra), "at most 105%", 105)
	return nil
}

// traced measures one half of a pair: logins per second, and microseconds of the server's processor time for each.
func (w *world) traced(ctx context.Context, b *bench, with bool) (perSecond, cost float64, err error) {
	configuration := w.configuration(b.size.logins)
	if !with {
		configuration = "trace: {memory: 0}\n" + configuration
	}
	s, err := w.serveThis(ctx, configuration)
	if err != nil {
		return 0, 0, err
	}
	var full loadOutcome
	spent, err := busy(s.process, func() (err error) {
		full, err = w.load(ctx, fileUsers, b.size.logins, 0)
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	if with {
		page, err := s.admin.Attempts(ctx, trace.Filter{Limit: 1})
		if err != nil || len(page.Attempts) != 1 || len(page.Attempts[0].Steps) < 10 {
			return 0, 0, fmt.Errorf("nothing was recorded: %+v, %w", page, err)
		}
	}
	return full.PerSecond, spent.Seconds() * 1e6 / float64(full.Up), s.end(ctx)
}

func middle(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// looks is how often an operator looks at each thing.
const looks = 5

// measureMany holds sessions open, ten in a tunnel, while an operator looks at them.
func measureMany(ctx context.Context, b *bench, w *world) error {
	n := b.size.many
	configuration := strings.Replace(w.configuration(1), "limits:\n", fmt.Sprintf("limits:\n  sessions: %d\n", 2*n), 1)
	s, err := w.serveThis(ctx, configuration)
	if err != nil {
		return err
	}
	args, err := w.loadArgs("user1", n, 0, "--hold", "forever", "--sessions-per-tunnel", "10", "--echo", "0", "--hello", "0")
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
	sessions := fmt.Sprintf("with %s sessions open, ", thousands(fmt.Sprint(n)))
	for _, look := range []struct {
		what string
		do   func() (int, error)
		want int
	}{
		{"a list of all sessions by the API", func() (int, error) {
			all, err := s.admin.Sessions(ctx, admin.SessionFilter{})
			return len(all), err
		}, n},
		{"a page of 100 sessions", func() (int, error) {
			page, err := s.admin.SessionPage(ctx, admin.SessionFilter{}, admin.PageOf{Limit: 100})
			return len(page.Sessions), err
		}, 100},
		{"a page of 100 sessions, sorted by octets received", func() (int, error) {
			page, err := s.admin.SessionPage(ctx, admin.SessionFilter{}, admin.PageOf{Limit: 100, Sort: "-received"})
			return len(page.Sessions), err
		}, 100},
		{"a search among sessions that finds none", func() (int, error) {
			page, err := s.admin.SessionPage(ctx, admin.SessionFilter{Search: "nobody"}, admin.PageOf{Limit: 100})
			return page.Total, err
		}, 0},
		{"lnsgate show sessions, the first 1,000", func() (int, error) { return w.show(ctx) }, 1001},
		{"the latest 100 attempts", func() (int, error) {
			page, err := s.admin.Attempts(ctx, trace.Filter{Limit: 100})
			return len(page.Attempts), err
		}, 100},
		{"a search among attempts that finds none", func() (int, error) {
			page, err := s.admin.Attempts(ctx, trace.Filter{User: "nobody"})
			return len(page.Attempts), err
		}, 0},
	} {
		var times []float64
		for range looks {
			began := time.Now()
			got, err := look.do()
			if err != nil || got != look.want {
				return fmt.Errorf("%s: %d instead of %d, %w", look.what, got, look.want, err)
			}
			times = append(times, time.Since(began).Seconds()*1000)
		}
		b.figures.add(sessions+look.what, "ms", middle(times), "at most a second", 1000)
	}
	return p.interrupt(ctx)
}
