package admin

import (
	"context"
	"errors"
	"io"
	"net"
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
