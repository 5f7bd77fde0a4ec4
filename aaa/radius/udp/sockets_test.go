package udp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var anyPort = netip.MustParseAddrPort("127.0.0.1:0")

// TestServe has two sockets answer each from itself, until the context ends.
func TestServe(t *testing.T) {
	all, err := OpenAll([]netip.AddrPort{anyPort, netip.MustParseAddrPort("[::1]:0")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		ended <- all.Serve(ctx, func(_ context.Context, d Datagram) {
			all[d.Socket].Send(append(d.Octets, byte('0'+d.Socket)), BackFrom(d.Control), d.From)
		})
	}()
	for i, at := range all.Addresses() {
		conn, err := net.Dial("udp", at.String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		buffer := make([]byte, 10)
		if _, err = conn.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(buffer); err != nil || string(buffer[:n]) != "hello"+string(rune('0'+i)) {
			t.Errorf("%d: %q %v", i, buffer[:n], err)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := errors.Join(all.Close(), all.Close()); err != nil {
		t.Error(err)
	}
}

// TestOneBrokenSocketEndsAll, as half a service is harder to see than none.
func TestOneBrokenSocketEndsAll(t *testing.T) {
	all, err := OpenAll([]netip.AddrPort{anyPort, anyPort})
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	ended := make(chan error)
	go func() { ended <- all.Serve(context.Background(), func(context.Context, Datagram) {}) }()
	all[1].UDPConn.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// TestNoSocketsServeUntilTheEnd is for a server that listens for TLS alone.
func TestNoSocketsServeUntilTheEnd(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if err := Sockets(nil).Serve(ctx, nil); err != nil {
		t.Error(err)
	}
}

// TestOpenAllOrNone leaves nothing open when an address is in use.
func TestOpenAllOrNone(t *testing.T) {
	one, err := OpenAll([]netip.AddrPort{anyPort})
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	if all, err := OpenAll([]netip.AddrPort{anyPort, one.Addresses()[0]}); err == nil || all != nil {
		t.Errorf("%v %v", all, err)
	}
}
