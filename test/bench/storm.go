package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"lnsgate/lns/l2tp"
)

// stormLegend goes with the measurement of a storm.
const stormLegend = `
In a storm all clients dial at the same moment, from 64 sockets, and do not dial again; meanwhile tunnels that are up ask by
HELLO whether the server is there. Retries are counted by what comes out of it: the rate of the storm beside that of 256 at a time.
`

// The storm.
const (
	stormSize    = 10_000 // clients at most
	stormSockets = "64"
	listeners    = 20 // tunnels that were up before
	helloEvery   = 20 * time.Millisecond
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
	calm, err := w.listen(ctx)
	if err != nil {
		return err
	}
	idle := calm.end()
	l, err := w.listen(ctx)
	if err != nil {
		return err
	}
	storm, err := w.tryLoad(ctx, fileUsers, count, 0, "--sockets", stormSockets, "--concurrency", fmt.Sprint(count), "--timeout", "60s")
	heard := l.end()
	if err != nil {
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

// listener keeps tunnels up and notes how long answers to HELLO take.
type listener struct {
	tunnels []*idler
	stop    chan struct{}
	result  chan []time.Duration
}

// idler is one tunnel without calls.
type idler struct {
	conn   *net.UDPConn
	peer   l2tp.TunnelID
	ns, nr uint16
}

// listen opens the tunnels, and asks until end.
func (w *world) listen(ctx context.Context) (*listener, error) {
	l := &listener{stop: make(chan struct{}), result: make(chan []time.Duration, 1)}
	for n := range listeners {
		var t idler
		err := w.client.Do(func() (err error) {
			t.conn, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(serverAddress), l2tpPort)))
			return err
		})
		if err == nil {
			err = t.open(l2tp.TunnelID(n + 1))
			l.tunnels = append(l.tunnels, &t)
		}
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
	}
	go func() { l.result <- l.ask() }()
	return l, ctx.Err()
}

func (l *listener) close() (err error) {
	for _, t := range l.tunnels {
		err = errors.Join(err, t.conn.Close())
	}
	return err
}

// end stops idler; the calm is asked for as long as it takes to have some answers.
func (l *listener) end() []time.Duration {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	<-timer.C
	close(l.stop)
	all := <-l.result
	_ = l.close() // nothing was written that could be lost
	return all
}

// ask asks one tunnel after the other.
func (l *listener) ask() (took []time.Duration) {
	tick := time.NewTicker(helloEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-l.stop:
			return took
		case <-tick.C:
		}
		t := l.tunnels[n%len(l.tunnels)]
		began := time.Now()
		if err := t.say(l2tp.Hello{}); err != nil || t.heard(t.ns) != nil {
			took = append(took, time.Minute) // no answer is a very late one
			continue
		}
		took = append(took, time.Since(began))
	}
}

// open makes the tunnel.
func (t *idler) open(id l2tp.TunnelID) error {
	err := t.say(l2tp.SCCRQ{HostName: fmt.Sprint("listener", id), Framing: l2tp.FramingSync, AssignedTunnel: id})
	if err == nil {
		err = t.heard(1)
	}
	if err == nil {
		err = t.say(l2tp.SCCCN{})
	}
	if err == nil {
		err = t.heard(2)
	}
	return err
}

func (t *idler) say(m l2tp.Message) error {
	_, err := t.conn.Write(l2tp.AppendControl(nil, t.peer, 0, t.ns, t.nr, l2tp.Append(nil, m, l2tp.AppendOptions{})))
	t.ns++
	return err
}

// heard reads until the server has that many messages.
func (t *idler) heard(many uint16) error {
	b := make([]byte, 1500)
	if err := t.conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	for {
		n, err := t.conn.Read(b)
		if err != nil {
			return fmt.Errorf("a tunnel that was up: %w", err)
		}
		h, payload, err := l2tp.ParseHeader(b[:n])
		if err != nil || !h.Control {
			continue
		}
		if len(payload) > 0 && h.Ns == t.nr {
			t.nr++
		}
		if id, _ := l2tp.PeekAssigned(payload); l2tp.PeekType(payload) == l2tp.TypeSCCRP {
			t.peer = id
		}
		if h.Nr == many {
			return nil
		}
	}
}
