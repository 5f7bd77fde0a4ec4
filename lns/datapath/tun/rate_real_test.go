package tun

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"lnsgate/lns/datapath"
	"lnsgate/test/netns"
)

// BenchmarkRateOfTCP measures how close TCP comes to the bound of a session: 10 seconds of iperf3 between real kernels
// through a real session, by congestion control, round trip time and rate. It reports what iperf3 received (goodput, of
// which TCP and IP headers take 3.7% here) and what the session has counted (ip), both as parts of the bound.
//
//	go test ./lns/datapath/tun -run '^$' -bench RateOfTCP -benchtime 1x
func BenchmarkRateOfTCP(b *testing.B) {
	netns.RequireCommand(b, "iperf3")
	for _, control := range []string{"cubic", "bbr"} {
		for _, roundTrip := range []time.Duration{0, 40 * time.Millisecond} {
			for _, megabits := range []uint64{2, 10, 50, 200} {
				for _, way := range []string{"up", "down"} {
					b.Run(fmt.Sprintf("%s/%v/%dMbps/%s", control, roundTrip, megabits, way), func(b *testing.B) {
						benchmarkRate(b, control, roundTrip, megabits*1e6, way)
					})
				}
			}
		}
	}
}

func benchmarkRate(b *testing.B, control string, roundTrip time.Duration, bits uint64, way string) {
	o := newOffice(b, Config{Offload: true}, func(s *datapath.Spec) {
		if s.Interface == "vt1" {
			s.RateUp, s.RateDown = bits, bits
		}
	})
	o.delay(roundTrip / 2)
	server := exec.Command("iperf3", "-s", "-4", "--forceflush")
	said, err := server.StdoutPipe()
	must(b, err)
	must(b, o.server.Start(server))
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
	for lines := bufio.NewScanner(said); lines.Scan(); {
		if strings.Contains(lines.Text(), "listening") {
			break
		}
	}
	for b.Loop() {
		args := []string{"-c", "192.168.1.80", "-t", "10", "-J", "-C", control}
		if way == "down" {
			args = append(args, "-R")
		}
		before := o.session.Counters()
		goodput, seconds := runIperf(b, o.client, args)
		after := o.session.Counters()
		octets := after.RxOctets - before.RxOctets
		if way == "down" {
			octets = after.TxOctets - before.TxOctets
		}
		b.ReportMetric(goodput/float64(bits), "goodput")
		b.ReportMetric(float64(octets)*8/seconds/float64(bits), "ip")
		b.ReportMetric(float64(after.Drops-before.Drops), "drops")
	}
	b.ReportMetric(0, "ns/op")
}

// runIperf tells bits per second received and how long it took.
func runIperf(b *testing.B, n *netns.Namespace, args []string) (goodput, seconds float64) {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	var out strings.Builder
	client := exec.CommandContext(ctx, "iperf3", args...)
	client.Stdout = &out
	must(b, n.Start(client))
	err := client.Wait()
	var o struct {
		Error string
		End   struct {
			Received struct {
				Seconds float64 `json:"seconds"`
				Speed   float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		}
	}
	must(b, errors.Join(err, json.Unmarshal([]byte(out.String()), &o)))
	if o.Error != "" || o.End.Received.Speed == 0 {
		b.Fatal(o.Error)
	}
	return o.End.Received.Speed, o.End.Received.Seconds
}

// late is a datagram on its way.
type late struct {
	due      time.Time
	path     datapath.Path
	datagram []byte
}

// delay makes both wires of an office as long as this. It is called before anything is sent.
func (o *office) delay(d time.Duration) {
	if d == 0 {
		return
	}
	for _, w := range o.wires {
		w.latency = d
		w.late = make(chan late, 1<<16)
		w.done.Go(w.deliver)
	}
}

// deliver sends what is due, until the wire is closed.
func (w *wire) deliver() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case l := <-w.late:
			timer.Reset(time.Until(l.due))
			select {
			case <-timer.C:
			case <-w.closed:
				return
			}
			_, _ = w.conn.WriteToUDPAddrPort(l.datagram, l.path.Remote)
		case <-w.closed:
			return
		}
	}
}

// enqueue takes a datagram, or loses it as a full wire does.
func (w *wire) enqueue(p datapath.Path, datagram []byte) {
	select {
	case w.late <- late{time.Now().Add(w.latency), p, slices.Clone(datagram)}:
	default:
	}
}
