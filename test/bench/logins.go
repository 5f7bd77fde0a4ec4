package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// underWay is how many set-ups are under way at once.
const underWay = 256

// measureLogins dials as fast as it goes, each login in a tunnel of its own and hung up at once, and then at a fixed rate.
// Beside the first stand bare UDP datagrams, as many as a login takes, sent to and fro over the same wire.
func measureLogins(ctx context.Context, b *bench, w *world) error {
	s, err := w.serve(ctx, max(b.size.logins, b.size.paced))
	if err != nil {
		return err
	}
	messages, err := w.messages(ctx)
	if err != nil {
		return err
	}
	var full loadOutcome
	spent, err := busy(s.process, func() error {
		return b.profiled(ctx, w, s.process, "logins", func() (err error) {
			full, err = w.load(ctx, fileUsers, b.size.logins, 0)
			return err
		})
	})
	if err != nil {
		return err
	}
	exchanges, err := echo(w.client, w.lns, serverAddress, b.size.logins*messages/2)
	if err != nil {
		return err
	}
	reference := exchanges * 2 / float64(messages)
	c := &b.figures
	c.add("logins per second, each with its own tunnel", "/s", full.PerSecond,
		fmt.Sprintf("as many bare UDP datagrams (%d a login)", messages), reference)
	c.add("processor time of the server per login", "us", spent.Seconds()*1e6/float64(full.Up), "")
	c.add("login time at full speed, p50", "ms", full.P50, "")
	c.add("login time at full speed, p99", "ms", full.P99, "")
	if err := s.awaitOpen(ctx, 0); err != nil {
		return err
	}
	paced, err := w.load(ctx, fileUsers, b.size.paced, b.size.rate)
	if err != nil {
		return err
	}
	at := fmt.Sprintf("login time at %g/s, ", b.size.rate)
	c.add(at+"p50", "ms", paced.P50, "")
	c.add(at+"p99", "ms", paced.P99, "")
	return nil
}

// loadOutcome is what dial reports of a load.
type loadOutcome struct {
	OK        bool    `json:"ok"`
	Up        int     `json:"up"`
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
}

// fileUsers is the name of a load for the accounts of the configuration file.
const fileUsers = "user%d"

// loadArgs are the arguments of a load of that many calls of users whose number is the %d in the name.
func (w *world) loadArgs(users string, count int, rate float64, more ...string) ([]string, error) {
	file := filepath.Join(w.folder, "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		return nil, err
	}
	return append([]string{
		"dial", "--json", "--server", serverAddress, "--auth", "chap", "--user", users, "--password-file", file,
		"--count", strconv.Itoa(count), "--rate", strconv.FormatFloat(rate, 'f', -1, 64),
		"--concurrency", strconv.Itoa(underWay),
	}, more...), nil
}

// load places calls that hang up at once, and wants all of them to succeed.
func (w *world) load(ctx context.Context, users string, count int, rate float64) (o loadOutcome, err error) {
	o, err = w.tryLoad(ctx, users, count, rate)
	if err == nil && (!o.OK || o.Up != count) {
		err = fmt.Errorf("not every login succeeded: %+v", o)
	}
	return o, err
}

// tryLoad is a load of which some may fail.
func (w *world) tryLoad(ctx context.Context, users string, count int, rate float64, more ...string) (o loadOutcome, err error) {
	args, err := w.loadArgs(users, count, rate, more...)
	if err != nil {
		return o, err
	}
	bounded, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	p, err := w.start(w.client, "dial", w.program, args...)
	if err != nil {
		return o, err
	}
	failure := p.wait(bounded) // it says so as well when some failed
	text, err := os.ReadFile(p.output)
	if err != nil {
		return o, err
	}
	if err := json.Unmarshal(text, &o); err != nil {
		return o, fmt.Errorf("dial printed %q: %w", text, errors.Join(err, failure))
	}
	return o, nil
}

// messages counts the datagrams of one login from SCCRQ to the end of its tunnel, both ways, acknowledgements included.
func (w *world) messages(ctx context.Context) (int, error) {
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p, err := w.start(w.client, "dial", w.program, "dial", "--json", "--verbose", "--once", "--server", serverAddress,
		"--auth", "chap", "--user", "user1", "--password", password)
	if err != nil {
		return 0, err
	}
	if err := p.wait(bounded); err != nil {
		return 0, err
	}
	text, err := os.ReadFile(p.output)
	return countSteps(text), err
}

// countSteps counts the messages in the lines of dial --json.
func countSteps(text []byte) int {
	n := 0
	for line := range bytes.Lines(text) {
		var e struct{ Event string }
		if json.Unmarshal(line, &e) == nil && e.Event == "step" {
			n++
		}
	}
	return n
}
