package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"lnsgate/lns/host/netns"
)

// echoes is how many datagrams are under way at once: few enough for the buffer that a socket has by default.
const echoes = 64

// echo sends datagrams of a usual size to and fro between two namespaces, one system call each, and returns how many came
// back per second. It says what the machine and its wires can do at this moment.
func echo(from, to *netns.Namespace, address string, count int) (perSecond float64, err error) {
	local := net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(address), 0))
	var server, client *net.UDPConn
	if err := to.Do(func() (err error) { server, err = net.ListenUDP("udp4", local); return err }); err != nil {
		return 0, err
	}
	answering := make(chan struct{})
	defer func() {
		server.Close()
		<-answering
	}()
	go func() {
		defer close(answering)
		answer(server)
	}()
	remote := server.LocalAddr().(*net.UDPAddr)
	if err := from.Do(func() (err error) { client, err = net.DialUDP("udp4", nil, remote); return err }); err != nil {
		return 0, err
	}
	defer client.Close()
	start := time.Now()
	if err := exchange(client, count); err != nil {
		return 0, fmt.Errorf("echo at %s: %w", remote, err)
	}
	return float64(count) / time.Since(start).Seconds(), nil
}

// answer sends back what comes, until the socket is closed.
func answer(server *net.UDPConn) {
	var b [2048]byte
	for {
		n, from, err := server.ReadFromUDPAddrPort(b[:])
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			server.WriteToUDPAddrPort(b[:n], from) // what gets lost is seen at the other end
		}
	}
}

// exchange sends datagrams, a new one for each that comes back, until all have.
func exchange(client *net.UDPConn, count int) error {
	var b [100]byte
	if err := client.SetDeadline(time.Now().Add(4 * patience)); err != nil {
		return err
	}
	for sent, received := 0, 0; received < count; {
		if sent < count && sent-received < echoes {
			if _, err := client.Write(b[:]); err != nil {
				return err
			}
			sent++
			continue
		}
		if _, err := client.Read(b[:]); err != nil {
			return err
		}
		received++
	}
	return nil
}
