package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"lnsgate/lns/host/netns"
)

// demoPings is how many echo requests are sent through the tunnel.
const demoPings = 4

// ICMP message types, RFC 792.
const (
	icmpEchoReply = 0
	icmpEcho      = 8
)

// ping sends echo requests from the client's machine, one after the other, and returns how long each answer took.
func (w *demoWorld) ping(to string, count int) ([]time.Duration, error) {
	var conn net.PacketConn
	err := w.client.Do(func() (err error) {
		conn, err = net.ListenPacket("ip4:icmp", "0.0.0.0")
		return err
	})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var trips []time.Duration
	for sequence := range count {
		trip, err := echo(conn, &net.IPAddr{IP: net.ParseIP(to)}, uint16(os.Getpid()), uint16(sequence))
		if err != nil {
			return trips, err
		}
		trips = append(trips, trip)
	}
	return trips, nil
}

// echo sends one request and waits for its answer.
func echo(conn net.PacketConn, to *net.IPAddr, id, sequence uint16) (time.Duration, error) {
	const patience = 2 * time.Second
	began := time.Now()
	if _, err := conn.WriteTo(echoRequest(id, sequence), to); err != nil {
		return 0, err
	}
	conn.SetReadDeadline(began.Add(patience))
	var packet [1500]byte
	for {
		n, from, err := conn.ReadFrom(packet[:])
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return 0, fmt.Errorf("no answer from %s in %s (request %d)", to, patience, sequence+1)
		case err != nil:
			return 0, err
		case from.String() == to.String() && isEchoReply(packet[:n], id, sequence):
			return time.Since(began), nil
		}
	}
}

// echoRequest makes an ICMP Echo message, RFC 792, with 56 octets of data as the program ping does.
func echoRequest(id, sequence uint16) []byte {
	b := make([]byte, 8+56)
	b[0] = icmpEcho
	binary.BigEndian.PutUint16(b[4:], id)
	binary.BigEndian.PutUint16(b[6:], sequence)
	binary.BigEndian.PutUint16(b[2:], internetChecksum(b))
	return b
}

func isEchoReply(b []byte, id, sequence uint16) bool {
	return len(b) >= 8 && b[0] == icmpEchoReply && binary.BigEndian.Uint16(b[4:]) == id && binary.BigEndian.Uint16(b[6:]) == sequence
}

// internetChecksum is the one of RFC 1071, for an even number of octets.
func internetChecksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// demoSite is the web server at headquarters.
type demoSite struct {
	server http.Server
	source atomic.Value // who asked last: a string
	done   chan struct{}
}

// openDemoSite serves inside a machine: the listening socket belongs to it for good.
func openDemoSite(machine *netns.Namespace) (*demoSite, error) {
	var listener net.Listener
	err := machine.Do(func() (err error) {
		listener, err = net.Listen("tcp4", net.JoinHostPort(demoHeadquarters, "80"))
		return err
	})
	if err != nil {
		return nil, err
	}
	s := &demoSite{done: make(chan struct{})}
	s.server = http.Server{Handler: s, ReadHeaderTimeout: demoPatience}
	go func() {
		defer close(s.done)
		s.server.Serve(listener) // ends with close
	}()
	return s, nil
}

// ServeHTTP implements http.Handler: it greets, and tells the visitor where they come from.
func (s *demoSite) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	source, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		source = r.RemoteAddr
	}
	s.source.Store(source)
	fmt.Fprintf(w, "Welcome to headquarters, %s.\n", source)
}

func (s *demoSite) close() error {
	err := s.server.Close()
	<-s.done
	return err
}

// demoPage is what a visit to the site has brought.
type demoPage struct {
	status, text string
	source       string // whom the server saw
	took         time.Duration
}

// fetch visits the site from the client's machine.
func (w *demoWorld) fetch(ctx context.Context) (demoPage, error) {
	ctx, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: w.dialFromClient}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, demoURL, nil)
	if err != nil {
		return demoPage{}, err
	}
	began := time.Now()
	response, err := client.Do(request)
	if err != nil {
		return demoPage{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return demoPage{}, err
	}
	if response.StatusCode != http.StatusOK {
		return demoPage{}, fmt.Errorf("%s answers %s", demoURL, response.Status)
	}
	source, _ := w.site.source.Load().(string)
	return demoPage{status: response.Status, text: strings.TrimSpace(string(text)), source: source, took: time.Since(began)}, nil
}

// dialFromClient connects to an address, given in numbers, from the client's machine.
func (w *demoWorld) dialFromClient(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = w.client.Do(func() (err error) {
		conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}
