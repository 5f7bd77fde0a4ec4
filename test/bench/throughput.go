package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
)

// online starts the server and one client with an interface, whose packets to tunnelled go through the tunnel.
func (w *world) online(ctx context.Context) (*server, netip.Addr, error) {
	s, err := w.serve(ctx, 1)
	if err != nil {
		return nil, netip.Addr{}, err
	}
	_, address, err := w.callAs(ctx, "user1")
	return s, address, err
}

// callAs starts a client with an interface, and returns when it is up.
func (w *world) callAs(ctx context.Context, user string) (*process, netip.Addr, error) {
	return w.callBy(ctx, "chap", user)
}

// callBy does so with a method of authentication.
func (w *world) callBy(ctx context.Context, method, user string) (*process, netip.Addr, error) {
	var address netip.Addr
	p, err := w.start(w.client, "dial", w.program, "dial", "--json", "--server", serverAddress, "--auth", method,
		"--user", user, "--password", password, "--tun", "vpn0", "--route", tunnelled+"/32")
	if err != nil {
		return nil, address, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = until(ctx, "the client is up", func() (bool, error) {
		if !p.running() {
			return false, fmt.Errorf("%s has ended:\n%s", p.command, p.said())
		}
		text, err := os.ReadFile(p.output)
		address = addressIn(text)
		return address.IsValid(), err
	})
	return p, address, err
}

// addressIn finds the address of the session in the lines of dial --json.
func addressIn(text []byte) netip.Addr {
	var found netip.Addr
	for line := range bytes.Lines(text) {
		var e struct {
			Event   string
			Address netip.Addr
		}
		if json.Unmarshal(line, &e) == nil && e.Event == "up" {
			found = e.Address
		}
	}
	return found
}

// measureThroughput sends one TCP stream each way, through the tunnel and, right before and after, by plain forwarding.
func measureThroughput(ctx context.Context, b *bench, w *world) error {
	s, _, err := w.online(ctx)
	if err != nil {
		return err
	}
	if _, err := w.start(w.hq, "iperf3", "iperf3", "-s", "-4"); err != nil {
		return err
	}
	for _, d := range []struct {
		name    string
		options []string
	}{{"up", nil}, {"down", []string{"-R"}}} {
		var inside streamed
		var spent time.Duration
		plain, err := around(func() (float64, error) {
			o, err := w.stream(ctx, forwarded, b.size.transfer/2, d.options...)
			return o.megabits(), err
		}, func() (err error) {
			spent, err = busy(s.process, func() error {
				return b.profiled(ctx, w, s.process, "throughput-"+d.name, func() (err error) {
					inside, err = w.stream(ctx, tunnelled, b.size.transfer, d.options...)
					return err
				})
			})
			return err
		})
		if err != nil {
			return err
		}
		c := &b.figures
		c.add("TCP, one stream through one session, "+d.name, "Mbit/s", inside.megabits(), "plain forwarding, 64 KB at a time", plain)
		gigabits := inside.megabits() / 1000 * float64(wholeSeconds(b.size.transfer))
		c.add("processor time of the server per gigabit, "+d.name, "ms", spent.Seconds()*1000/gigabits, "")
	}
	return nil
}

// stream runs iperf3 in the client and returns what arrived.
func (w *world) stream(ctx context.Context, address string, d time.Duration, options ...string) (o streamed, err error) {
	ctx, cancel := context.WithTimeout(ctx, d+patience)
	defer cancel()
	args := append([]string{"-c", address, "-t", strconv.Itoa(wholeSeconds(d)), "-J"}, options...)
	err = until(ctx, "iperf3 has run", func() (bool, error) { // its server may not listen yet
		p, err := w.start(w.client, "iperf3", "iperf3", args...)
		if err != nil {
			return false, err
		}
		failure := p.wait(ctx)
		text, err := os.ReadFile(p.output)
		if err != nil {
			return false, err
		}
		if o, err = parseStream(text); err != nil && ctx.Err() != nil {
			return false, errors.Join(err, failure)
		}
		return err == nil, nil
	})
	if err != nil {
		return o, err
	}
	return o, until(ctx, "the server of iperf3 is done", w.iperf3Waits)
}

// iperf3Waits says whether the server of iperf3 has nobody to serve any more. If it does not learn that a client has ended, because
// the way to that is gone, it turns all others away.
func (w *world) iperf3Waits() (waits bool, err error) {
	var sockets []byte
	err = w.hq.Do(func() (err error) { sockets, err = os.ReadFile("/proc/thread-self/net/tcp"); return err })
	return !servesStream(string(sockets)), err
}

// servesStream looks for connections of the port of iperf3 that are open at this end, in the table of the kernel.
func servesStream(sockets string) bool {
	const port, established, closeWait = ":1451", "01", "08"
	for line := range strings.Lines(sockets) {
		if f := strings.Fields(line); len(f) > 3 && strings.HasSuffix(f[1], port) && (f[3] == established || f[3] == closeWait) {
			return true
		}
	}
	return false
}

// wholeSeconds is what iperf3 can be told.
func wholeSeconds(d time.Duration) int { return max(1, int(d.Seconds())) }

// streamed is what arrived of a TCP stream.
type streamed struct {
	Seconds float64
	Speed   float64 `json:"bits_per_second"`
}

func (s streamed) megabits() float64 { return s.Speed / 1e6 }

// parseStream reads what iperf3 -J prints.
func parseStream(text []byte) (streamed, error) {
	var o struct {
		Error string
		End   struct {
			Received streamed `json:"sum_received"`
		}
	}
	if err := json.Unmarshal(text, &o); err != nil {
		return streamed{}, fmt.Errorf("iperf3 printed %q: %w", text, err)
	}
	if r := o.End.Received; o.Error != "" || r.Speed <= 0 || r.Seconds <= 0 {
		return streamed{}, fmt.Errorf("iperf3: %q, %v bit/s in %v s", o.Error, r.Speed, r.Seconds)
	}
	return o.End.Received, nil
}
