package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"lnsgate/lns/datapath"
	"lnsgate/lns/lac"
	"lnsgate/lns/transport"
)

// loadLine is one socket of a load: what a shard sends goes to the server, what comes in goes to the shard.
type loadLine struct {
	transport *transport.Transport
	path      datapath.Path
	shard     *lac.Shard
}

// SendBatch implements lac.BatchWire.
func (l *loadLine) SendBatch(datagrams [][]byte) error {
	return l.transport.SendBatch(l.path, datagrams)
}

// Datagram implements transport.Receiver.
func (l *loadLine) Datagram(from datapath.Path, b []byte) {
	if from.Remote == l.path.Remote {
		l.shard.Deliver(b)
	}
}

// Keep implements transport.Receiver.
func (l *loadLine) Keep() { l.Flush() }

// Flush implements transport.Receiver.
func (l *loadLine) Flush() { l.shard.Flush() }

// load places many calls and reports.
func (p *dialPlan) load(ctx context.Context, stdout io.Writer) error {
	o := p.options
	t, err := openDialTransport(p.server, o.sockets)
	if err != nil {
		return err
	}
	defer t.Close()
	path, err := t.PathTo(p.server)
	if err != nil {
		return err
	}
	lines := make([]*loadLine, o.sockets)
	cfg := lac.LoadConfig{
		Count: o.count, Rate: o.rate, Concurrency: o.concurrency, SessionsPerTunnel: o.perTunnel,
		Hold: p.hold, KeepUp: p.forever, Tunnel: p.tunnelConfig(), Login: p.login,
	}
	for i := range lines {
		lines[i] = &loadLine{transport: t, path: path}
		lines[i].path.Socket = uint8(i)
		cfg.Wires = append(cfg.Wires, lines[i])
	}
	load, err := lac.NewLoad(cfg)
	if err != nil {
		return err
	}
	for i := range lines {
		lines[i].shard = load.Shard(i)
	}
	reading, stop := context.WithCancel(context.Background())
	var others sync.WaitGroup
	others.Go(func() { t.Run(reading, func(i int) transport.Receiver { return lines[i] }) })
	others.Go(func() { watchLoad(reading, load, o, stdout) })
	report := load.Run(ctx)
	stop()
	others.Wait()
	printReport(stdout, o.json, report)
	if !loadSucceeded(report) {
		return loadFailure(report)
	}
	return nil
}

// loadFailure says what was not as it should be.
func loadFailure(r lac.Report) error {
	var faults []string
	note := func(n int, format string) {
		if n > 0 {
			faults = append(faults, fmt.Sprintf(format, n))
		}
	}
	note(r.Failed, "%d failed")
	note(r.Left, "%d were broken off")
	note(r.Asked-r.Placed, "%d were not begun")
	note(r.Dropped, "%d sessions were lost after they had been up")
	return fmt.Errorf("of %d set-ups %s", r.Asked, strings.Join(faults, ", "))
}

// watchLoad prints how it stands once a second.
func watchLoad(ctx context.Context, load *lac.Load, o *dialOptions, stdout io.Writer) {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	last := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		r := load.Report()
		if !o.json && (r.Up != last || !r.Complete()) {
			fmt.Fprintf(stdout, "%d up, %d open, %d failed of %d; %d/s\n", r.Up, r.Open, r.Failed, r.Asked, r.Up-last)
		}
		last = r.Up
	}
}

func printReport(stdout io.Writer, asJSON bool, r lac.Report) {
	if asJSON {
		encoder := json.NewEncoder(stdout)
		encoder.SetEscapeHTML(false)
		encoder.Encode(loadObject(r)) // nobody is left to tell when standard output is gone
		return
	}
	fmt.Fprintf(stdout, "\n%d of %d set-ups succeeded in %s: %.0f per second\n", r.Up, r.Asked, round(r.SetUp), r.Rate)
	if r.Up > 0 {
		fmt.Fprintf(stdout, "  time from SCCRQ to address   p50 %s   p90 %s   p99 %s   max %s\n",
			round(r.P50), round(r.P90), round(r.P99), round(r.Max))
	}
	for _, f := range r.Failures {
		fmt.Fprintf(stdout, "  %d at %s: %s\n", f.Count, f.Step, f.Example)
		if f.Advice != "" {
			fmt.Fprintf(stdout, "    hint: %s\n", f.Advice)
		}
	}
}

// dialLoadEnd is the outcome of a load in JSON, and its only object.
type dialLoadEnd struct {
	Event     string            `json:"event"` // "end"
	OK        bool              `json:"ok"`
	Asked     int               `json:"asked"`
	Begun     int               `json:"begun"`
	Up        int               `json:"up"`
	Failed    int               `json:"failed"`
	BrokenOff int               `json:"broken_off"`
	Lost      int               `json:"lost"`
	Open      int               `json:"open"`
	Seconds   float64           `json:"seconds"` // from the start to the last set-up
	PerSecond float64           `json:"per_second"`
	P50       float64           `json:"p50_ms"`
	P90       float64           `json:"p90_ms"`
	P99       float64           `json:"p99_ms"`
	Max       float64           `json:"max_ms"`
	Failures  []dialLoadFailure `json:"failures,omitempty"`
}

type dialLoadFailure struct {
	Count  int    `json:"count"`
	Step   string `json:"step"`
	Cause  string `json:"cause"`
	Reason string `json:"reason"`
	Advice string `json:"advice,omitempty"`
}

func loadObject(r lac.Report) dialLoadEnd {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	end := dialLoadEnd{
		Event: "end", OK: loadSucceeded(r), Asked: r.Asked, Begun: r.Placed, Up: r.Up, Failed: r.Failed, BrokenOff: r.Left,
		Lost: r.Dropped,
		Open: r.Open, Seconds: r.SetUp.Seconds(), PerSecond: r.Rate,
		P50: ms(r.P50), P90: ms(r.P90), P99: ms(r.P99), Max: ms(r.Max),
	}
	for _, f := range r.Failures {
		end.Failures = append(end.Failures, dialLoadFailure{
			Count: f.Count, Step: f.Step.String(), Cause: f.Cause.String(), Reason: f.Example, Advice: f.Advice,
		})
	}
	return end
}

func loadSucceeded(r lac.Report) bool { return r.Up == r.Asked && r.Dropped == 0 }
