package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"time"

	"lnsgate/aaa/radius/wire"

	"layeh.com/radius"
)

// tripSecret is that of the responder.
const tripSecret = "testing123"

// tripBlock is how many requests one way of asking sends before it is the turn of the next.
const tripBlock = 100

// trip is one way to ask the responder, one request at a time.
type trip struct {
	ask         func() error
	times       sample // seconds
	allocations uint64
}

// measureRoundTrip asks a responder on the same machine one request at a time: by our client, by Exchange, and with a bare
// socket that sends the same octets again and again and reads what comes. They take turns, so that what disturbs one
// disturbs all.
func measureRoundTrip(ctx context.Context, b *bench) error {
	r, err := newResponder(tripSecret)
	if err != nil {
		return err
	}
	defer r.close()
	mine, err := ours(r.address(), tripSecret)
	if err != nil {
		return err
	}
	defer mine.close()
	theirs := library(r.address(), tripSecret)
	bare, hangUp, err := bareTrip(r.address())
	if err != nil {
		return err
	}
	defer hangUp()
	trips := []*trip{
		{ask: func() error { return mine.ask(ctx, 1) }},
		{ask: bare},
		{ask: func() error { return theirs.ask(ctx, 1) }},
	}
	warm := true // the first round opens sockets and fills caches
	for end := time.Now().Add(b.size.asking); warm || time.Now().Before(end); warm = false {
		for _, t := range trips {
			if err := t.block(warm); err != nil {
				return err
			}
		}
	}
	p := radius.New(radius.CodeAccessRequest, []byte(tripSecret))
	building := &trip{ask: func() error {
		p.Attributes = p.Attributes[:0]
		return attributes(p, 1)
	}}
	if err := errors.Join(building.block(true), building.block(false)); err != nil {
		return err
	}
	b.addTrips(trips[0], trips[1], trips[2], building)
	return nil
}

// addTrips notes how the ways of asking did. Building the attributes costs all of them the same.
func (b *bench) addTrips(mine, bare, theirs, building *trip) {
	c := &b.figures
	for _, q := range []struct {
		name string
		part float64
	}{{"p50", 0.5}, {"p99", 0.99}} {
		c.add("time of a request, one at a time, "+q.name, "us", mine.times.quantile(q.part)*1e6,
			"a bare datagram to and fro", bare.times.quantile(q.part)*1e6)
	}
	c.add("the same, p50", "us", mine.times.quantile(0.5)*1e6, "layeh.com/radius Exchange", theirs.times.quantile(0.5)*1e6)
	c.add("allocations per request, without its attributes", "", mine.each()-building.each(),
		"layeh.com/radius Exchange", theirs.each()-building.each())
}

func (t *trip) each() float64 { return float64(t.allocations) / float64(len(t.times)) }

// block asks some times.
func (t *trip) block(warm bool) error {
	var before, after runtime.MemStats
	times := slices.Grow(t.times, tripBlock)
	runtime.ReadMemStats(&before)
	for range tripBlock {
		began := time.Now()
		if err := t.ask(); err != nil {
			return err
		}
		times = append(times, time.Since(began).Seconds())
	}
	runtime.ReadMemStats(&after)
	if !warm {
		t.times = times
		t.allocations += after.Mallocs - before.Mallocs
	}
	return nil
}

// bareTrip sends the octets of a request that our client would send, and reads as many as the reply has.
func bareTrip(address string) (ask func() error, hangUp func() error, err error) {
	p := &radius.Packet{Code: radius.CodeAccessRequest, Secret: []byte(tripSecret)}
	rand.Read(p.Authenticator[:]) // never fails
	if err := attributes(p, 1); err != nil {
		return nil, nil, err
	}
	octets, err := wire.NewKey(tripSecret).AppendRequest(nil, p)
	if err != nil {
		return nil, nil, err
	}
	conn, err := net.Dial("udp", address)
	if err != nil {
		return nil, nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(10 * time.Minute)); err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	in, want := make([]byte, 4096), newSigner([]byte(tripSecret)).accept(octets)
	return func() error {
		if _, err := conn.Write(octets); err != nil {
			return err
		}
		n, err := conn.Read(in)
		if err == nil && !bytes.Equal(in[:n], want) {
			err = fmt.Errorf("the responder answered %x", in[:n])
		}
		return err
	}, conn.Close, nil
}

// quantile is the value below which that part of all lies.
func (s sample) quantile(part float64) float64 {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(int(part*float64(len(sorted))), len(sorted)-1)]
}
