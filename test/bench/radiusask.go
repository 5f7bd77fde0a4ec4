package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/client"

	"layeh.com/radius"
	"layeh.com/radius/rfc2865"
)

// askTimeout is how long one request may take.
const askTimeout = 30 * time.Second

// asker is a RADIUS client in this process: it sends one Access-Request of user n and waits for the Access-Accept.
type asker struct {
	ask     func(ctx context.Context, n int) error
	sockets func() int // that were opened, each with a port of its own
	close   func()
}

// attributes is what a NAS says of a login by PAP. Each client asks with the same.
func attributes(p *radius.Packet, n int) error {
	return errors.Join(
		rfc2865.UserName_SetString(p, fmt.Sprintf("user%d", n)),
		rfc2865.UserPassword_SetString(p, password),
		rfc2865.NASIPAddress_Set(p, net.IPv4(192, 0, 2, 1)),
		rfc2865.NASPort_Set(p, rfc2865.NASPort(n)),
	)
}

func accepted(p *radius.Packet) error {
	if p.Code != radius.CodeAccessAccept {
		return fmt.Errorf("the server answered with %v", p.Code)
	}
	return nil
}

// ours asks by lnsgate's client as the program has it by default. Its requests carry a Message-Authenticator.
func ours(server, secret string) (*asker, error) {
	var opened atomic.Int64
	g, err := client.New(client.Config{
		Name:    "bench",
		Servers: []client.Server{{Address: server, Secret: aaa.NewSecret(secret)}},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			opened.Add(1)
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	})
	if err != nil {
		return nil, err
	}
	return &asker{
		ask: func(ctx context.Context, n int) error {
			reply, err := g.Exchange(ctx, client.Request{
				Code:  radius.CodeAccessRequest,
				Build: func(p *radius.Packet) error { return attributes(p, n) },
			})
			if err != nil {
				return err
			}
			return accepted(reply.Packet)
		},
		sockets: func() int { return int(opened.Load()) },
		close:   g.Close,
	}, nil
}

// library asks by the Exchange of layeh.com/radius as that package has it by default. Its requests are not signed.
func library(server, secret string) *asker {
	var opened atomic.Int64
	c := *radius.DefaultClient
	c.Dialer.Control = func(string, string, syscall.RawConn) error {
		opened.Add(1)
		return nil
	}
	return &asker{
		ask: func(ctx context.Context, n int) error {
			p := radius.New(radius.CodeAccessRequest, []byte(secret))
			if err := attributes(p, n); err != nil {
				return err
			}
			reply, err := c.Exchange(ctx, p, server)
			if err != nil {
				return err
			}
			return accepted(reply)
		},
		sockets: func() int { return int(opened.Load()) },
		close:   func() {},
	}
}

// asked is how a client did.
type asked struct {
	rate    float64 // answers per second
	p99     float64 // milliseconds
	cost    float64 // microseconds of processor time of this process for each answer
	sockets int
}

// atOnce keeps that many requests under way, and counts the answers that come after the lead.
func (a *asker) atOnce(ctx context.Context, flight int, lead, d time.Duration) (asked, error) {
	var s stopwatch
	began := time.Now()
	s.from, s.to = began.Add(lead), began.Add(lead+d)
	faults := make([]error, flight)
	var all sync.WaitGroup
	for w := range flight {
		all.Go(func() { faults[w] = a.again(ctx, &s, w+1) })
	}
	spent, err := s.costing(ctx)
	all.Wait()
	if err := errors.Join(append(faults, err)...); err != nil {
		return asked{}, err
	}
	if len(s.times) == 0 {
		return asked{}, errors.New("not one answer in time")
	}
	return asked{
		rate: float64(len(s.times)) / d.Seconds(), p99: s.times.quantile(0.99) * 1e3,
		cost: spent.Seconds() * 1e6 / float64(len(s.times)), sockets: a.sockets(),
	}, nil
}

// again asks for user n until the time is over.
func (a *asker) again(ctx context.Context, s *stopwatch, n int) error {
	for {
		at := time.Now()
		if !at.Before(s.to) {
			return nil
		}
		bounded, cancel := context.WithTimeout(ctx, askTimeout)
		err := a.ask(bounded, n)
		cancel()
		if err != nil {
			return fmt.Errorf("user%d: %w", n, err)
		}
		s.note(at, time.Now())
	}
}

// stopwatch keeps how long requests took whose answers came between two times.
type stopwatch struct {
	from, to time.Time
	mu       sync.Mutex
	times    sample // seconds
}

func (s *stopwatch) note(sent, answered time.Time) {
	if answered.Before(s.from) || answered.After(s.to) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.times = append(s.times, answered.Sub(sent).Seconds())
}

// costing is the processor time of this process between the two times.
func (s *stopwatch) costing(ctx context.Context) (time.Duration, error) {
	if err := pass(ctx, time.Until(s.from)); err != nil {
		return 0, err
	}
	before, err := ownTime()
	if err != nil {
		return 0, err
	}
	if err := pass(ctx, time.Until(s.to)); err != nil {
		return 0, err
	}
	after, err := ownTime()
	return after - before, err
}

// ownTime is the processor time of this process.
func ownTime() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}
