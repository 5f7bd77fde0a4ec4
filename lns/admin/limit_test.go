package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener that makes a connection whenever it is asked.
type pipes struct{ net.Listener }

func (pipes) Accept() (net.Conn, error) { c, _ := net.Pipe(); return c, nil }
func (pipes) Close() error              { return nil }

func TestConnectionsWaitForAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit(pipes{}, 2)
		first, _ := l.Accept()
		_, _ = l.Accept()
		accepted := make(chan error, 2)
		accept := func() { _, err := l.Accept(); accepted <- err }
		go accept()
		synctest.Wait()
		if len(accepted) != 0 {
			t.Fatal("a third connection was accepted")
		}
		for range 2 { // closing twice leaves one place
			if err := first.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := <-accepted; err != nil {
			t.Error(err)
		}
		go accept()
		synctest.Wait()
		if len(accepted) != 0 {
			t.Error("a fourth connection was accepted")
		}
		_ = l.Close()
		if err := <-accepted; !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// Clients that begin a request and do not go on take every place, but not for long.
func TestSlowClientsDoNotKeepTheirPlaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	server := New(Config{Engine: twoTunnels()})
	server.patience.read = 200 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	defer func() { cancel(); <-served }()

	var slow []net.Conn
	for range maxConnections {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "POST /v1/kick HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
		slow = append(slow, c)
	}
	client := NewClient(path)
	defer client.Close()
	if _, err := client.Tunnels(t.Context()); err != nil {
		t.Errorf("nobody else is served: %v", err)
	}
	answer, err := io.ReadAll(slow[0]) // ends when the server closes the connection
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400") {
		t.Errorf("the slow client got %q, %v", answer, err)
	}
}

// crowded is a listener whose connections come from where the test says.
type crowded struct {
	pipes
	from chan string
}

type calling struct {
	net.Conn
	from net.Addr
}

func (c calling) RemoteAddr() net.Addr { return c.from }

func (c crowded) Accept() (net.Conn, error) {
	from, more := <-c.from
	if !more {
		return nil, net.ErrClosed
	}
	conn, _ := net.Pipe()
	return calling{conn, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from))}, nil
}

// One source cannot take all places, and all sources together not more than there are.
func TestConnectionsOfASourceAreFew(t *testing.T) {
	var d doors
	o, _ := someOperators(nil)
	enter := func(sources ...string) (let []net.Conn) {
		t.Helper()
		l := crowded{from: make(chan string, len(sources))}
		for _, one := range sources {
			l.from <- one
		}
		close(l.from)
		f := &fenced{l, o, &d} // another address of the server each time: the count is one
		for {
			conn, err := f.Accept()
			if err != nil {
				return let
			}
			let = append(let, conn)
		}
	}
	repeat := func(n int, from string) (list []string) {
		for range n {
			list = append(list, from)
		}
		return list
	}
	one := enter(repeat(2*maxOfSource, "192.0.2.7:4000")...)
	if len(one) != maxOfSource {
		t.Errorf("%d of one source", len(one))
	}
	if six := enter("[2001:db8::1]:1", "[2001:db8::2]:1", "[::ffff:192.0.2.7]:5"); len(six) != 2 {
		t.Errorf("%d of IPv6; a mapped address is the same source", len(six))
	}
	if more := enter(repeat(maxOfSource, "[2001:db8::3]:1")...); len(more) != maxOfSource-2 {
		t.Errorf("%d more of one /64", len(more))
	}
	one[0].Close()
	one[0].Close()
	if again := enter(repeat(2, "192.0.2.7:4000")...); len(again) != 1 {
		t.Errorf("%d after one was closed", len(again))
	}
	var others []string
	for i := range maxRemote {
		others = append(others, fmt.Sprintf("198.51.100.%d:9", i))
	}
	if rest := enter(others...); len(rest) != maxRemote-2*maxOfSource {
		t.Errorf("%d of other sources beside %d", len(rest), 2*maxOfSource)
	}
}
