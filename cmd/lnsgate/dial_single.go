package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"lnsgate/lns/datapath"
	"lnsgate/lns/lac"
	"lnsgate/lns/transport"
)

// dialLine is the socket of one client: it hands what comes in to the data path, if there is one, and else to the client.
type dialLine struct {
	transport *transport.Transport
	path      datapath.Path
	client    *lac.Client
	ingress   atomic.Pointer[datapath.Ingress]
}

// newDialLine opens one UDP socket for a server.
func newDialLine(server netip.AddrPort) (*dialLine, error) {
	t, err := openDialTransport(server, 1)
	if err != nil {
		return nil, err
	}
	path, err := t.PathTo(server)
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return &dialLine{transport: t, path: path}, nil
}

// openDialTransport opens sockets with ports of their own, of the server's address family.
func openDialTransport(server netip.AddrPort, sockets int) (*transport.Transport, error) {
	any := netip.IPv4Unspecified()
	if server.Addr().Is6() {
		any = netip.IPv6Unspecified()
	}
	listen := make([]netip.AddrPort, sockets)
	for i := range listen {
		listen[i] = netip.AddrPortFrom(any, 0)
	}
	return transport.New(transport.Config{Listen: listen, SocketsPerAddress: 1})
}

// Send implements lac.Wire.
func (l *dialLine) Send(datagram []byte) error { return l.transport.Send(l.path, datagram) }

// Datagram implements transport.Receiver.
func (l *dialLine) Datagram(from datapath.Path, b []byte) {
	if from.Remote != l.path.Remote {
		return
	}
	// The data path knows the server by the path that its datagrams are sent along, which names no address of ours.
	if in := l.ingress.Load(); in != nil && (*in).Receive(l.path, b) {
		return
	}
	l.client.Deliver(b)
}

// Keep implements transport.Receiver.
func (l *dialLine) Keep() {
	if in := l.ingress.Load(); in != nil {
		(*in).Keep()
	}
}

// Flush implements transport.Receiver.
func (l *dialLine) Flush() {
	if in := l.ingress.Load(); in != nil {
		(*in).Flush()
	}
}

// single places one call and stays until it is over.
func (p *dialPlan) single(ctx context.Context, stdout io.Writer) error {
	line, err := newDialLine(p.server)
	if err != nil {
		return err
	}
	defer line.transport.Close()
	ctx, hangUp := context.WithCancel(ctx)
	defer hangUp()

	say := newDialPrinter(stdout, p.options)
	cfg := lac.ClientConfig{Config: p.tunnelConfig(), Login: p.login(0), Wire: line, Said: say.said}
	cfg.Talk = true
	tun, err := p.openTun(line)
	if err != nil {
		return err
	}
	defer tun.close()
	var success *lac.Up
	cfg.Up = func(u lac.Up) error {
		success = &u
		if err := tun.up(u); err != nil {
			return err
		}
		say.up(u, p.options.tun)
		if p.options.once {
			hangUp()
		}
		return nil
	}
	cfg.Heard = tun.heard
	cfg.Down = func() { say.down(); tun.down() }
	line.client = lac.NewClient(cfg)

	say.dialling(p.server)
	err = line.run(ctx)
	if ended := (*lac.Ended)(nil); errors.As(err, &ended) && ended.Cause == lac.CauseNoAnswer && refusesUDP(p.server) {
		ended.Advice = "the machine " + p.server.Addr().String() + " is there but nothing listens on its UDP port " +
			fmt.Sprint(p.server.Port()) + " (ICMP port unreachable): start the server, or check the port"
	}
	say.end(success, err)
	return dialFailure(err, success)
}

// run reads the socket while the client runs.
func (l *dialLine) run(ctx context.Context) error {
	reading, stop := context.WithCancel(context.Background())
	read := make(chan error, 1)
	go func() {
		read <- l.transport.Run(reading, func(int) transport.Receiver { return l })
	}()
	err := l.client.Run(ctx)
	stop()
	return errors.Join(err, <-read)
}

// dialFailure is the error of the command. A call that was never up is a failure even when it was us who gave up.
func dialFailure(err error, success *lac.Up) error {
	var ended *lac.Ended
	switch {
	case errors.As(err, &ended) && ended.Advice != "":
		return fmt.Errorf("%w\n  hint: %s", err, ended.Advice)
	case err != nil:
		return err
	case success == nil:
		return errors.New("interrupted before the login was complete")
	default:
		return nil
	}
}

// refusesUDP asks the server's machine with one stray octet whether anything listens there. Only a refusal is an answer:
// silence says nothing.
func refusesUDP(server netip.AddrPort) bool {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(server))
	if err != nil {
		return false
	}
	defer conn.Close()
	if _, err := conn.Write([]byte{0}); err != nil {
		return errors.Is(err, syscall.ECONNREFUSED)
	}
	conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	_, err = conn.Read(make([]byte, 1))
	return errors.Is(err, syscall.ECONNREFUSED)
}
