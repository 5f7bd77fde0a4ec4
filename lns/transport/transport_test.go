package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"lnsgate/lns/datapath"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	loopback4 = netip.MustParseAddrPort("127.0.0.1:0")
	loopback6 = netip.MustParseAddrPort("[::1]:0")
	any4      = netip.MustParseAddrPort("0.0.0.0:0")
	any6      = netip.MustParseAddrPort("[::]:0")
)

// patience is how long a test waits for something that must happen.
const patience = 5 * time.Second

// arrived is one datagram with the way it came.
type arrived struct {
	from datapath.Path
	text string
}

// collector hands what arrives to a channel, after the Flush, as the contract allows.
type collector struct {
	all   chan arrived
	batch []arrived
	views [][]byte
}

func (c *collector) Datagram(from datapath.Path, b []byte) {
	c.batch = append(c.batch, arrived{from: from})
	c.views = append(c.views, b)
}

func (c *collector) Keep() { c.Flush() }

func (c *collector) Flush() {
	for i, a := range c.batch {
		a.text = string(c.views[i])
		c.all <- a
	}
	c.batch, c.views = c.batch[:0], c.views[:0]
}

func newTransport(t testing.TB, cfg Config) *Transport {
	t.Helper()
	transport, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := transport.Close(); err != nil {
			t.Error(err)
		}
	})
	return transport
}

// running starts the readers and returns what they read.
func running(t testing.TB, transport *Transport) <-chan arrived {
	t.Helper()
	all := make(chan arrived, 10000)
	var done sync.WaitGroup
	done.Go(func() {
		if err := transport.Run(context.Background(), func(int) Receiver { return &collector{all: all} }); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { transport.Close(); done.Wait() })
	return all
}

func next(t testing.TB, all <-chan arrived) arrived {
	t.Helper()
	select {
	case a := <-all:
		return a
	case <-time.After(patience):
		t.Fatal("nothing arrived")
		return arrived{}
	}
}

// dial makes a connected client: it hears only what comes from exactly the address it speaks to.
func dial(t testing.TB, server netip.AddrPort) *net.UDPConn {
	t.Helper()
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(server))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

func exchange(t testing.TB, transport *Transport, all <-chan arrived, server netip.AddrPort) arrived {
	t.Helper()
	client := dial(t, server)
	if _, err := client.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	a := next(t, all)
	if err := transport.Send(a.from, []byte("welcome")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	n, err := client.Read(b)
	if err != nil || string(b[:n]) != "welcome" {
		t.Fatalf("the client at %s got %q, %v", client.LocalAddr(), b[:n], err)
	}
	return a
}

func TestDatagramsThereAndBack(t *testing.T) {
	for _, listen := range []netip.AddrPort{loopback4, loopback6} {
		transport := newTransport(t, Config{Listen: []netip.AddrPort{listen}})
		all := running(t, transport)
		server := transport.Addrs()[0]
		if server.Port() == 0 {
			t.Fatalf("bound to %v", transport.Addrs())
		}
		a := exchange(t, transport, all, server)
		if a.text != "hello" || a.from.Local != listen.Addr() || a.from.Remote.Addr() != listen.Addr() {
			t.Errorf("got %q by %v", a.text, a.from)
		}
	}
}

// a client drops a reply that comes from another address than it spoke to.
func TestReplyLeavesFromTheAddressThePeerSpokeTo(t *testing.T) {
	transport := newTransport(t, Config{Listen: []netip.AddrPort{any4, any6}})
	all := running(t, transport)
	port := map[bool]uint16{true: transport.Addrs()[0].Port(), false: transport.Addrs()[1].Port()}
	addresses := append(hostAddresses(t), netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.1.2.3"))
	for _, address := range addresses {
		t.Run(address.String(), func(t *testing.T) {
			a := exchange(t, transport, all, netip.AddrPortFrom(address, port[address.Is4()]))
			if a.from.Local != address.WithZone("") {
				t.Errorf("the path is %v", a.from)
			}
			if hasZone := a.from.Remote.Addr().Zone() != ""; hasZone != address.IsLinkLocalUnicast() {
				t.Errorf("the path is %v: the zone of link-local addresses is to be kept, and no other", a.from)
			}
		})
	}
}

// hostAddresses are all addresses of this host that are ready for use.
func hostAddresses(t *testing.T) (all []netip.Addr) {
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addresses, err := i.Addrs()
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range addresses {
			address, _ := netip.AddrFromSlice(a.(*net.IPNet).IP)
			if address = address.Unmap(); address.Is6() && address.IsLinkLocalUnicast() {
				address = address.WithZone(i.Name)
			}
			if c, err := net.ListenUDP("udp", &net.UDPAddr{IP: address.AsSlice(), Zone: address.Zone()}); err == nil {
				c.Close()
				all = append(all, address)
			}
		}
	}
	return all
}

func TestIPv4AndIPv6ShareAPort(t *testing.T) {
	first := newTransport(t, Config{Listen: []netip.AddrPort{any4}, SocketsPerAddress: 1})
	second := newTransport(t, Config{Listen: []netip.AddrPort{
		netip.AddrPortFrom(any6.Addr(), first.Addrs()[0].Port())}, SocketsPerAddress: 2})
	if got, want := second.Addrs()[0].Port(), first.Addrs()[0].Port(); got != want {
		t.Errorf("IPv6 is on port %d, IPv4 on %d", got, want)
	}
}

func TestPeersSpreadOverTheSocketsOfAnAddress(t *testing.T) {
	transport := newTransport(t, Config{Listen: []netip.AddrPort{loopback4, loopback6}, SocketsPerAddress: 4})
	all := running(t, transport)
	if len(transport.sockets) != 8 || len(transport.Addrs()) != 2 {
		t.Fatalf("%d sockets on %v", len(transport.sockets), transport.Addrs())
	}
	for i, server := range transport.Addrs() {
		seen := map[uint8]bool{}
		for range 64 {
			seen[exchange(t, transport, all, server).from.Socket] = true
		}
		if len(seen) < 3 {
			t.Errorf("64 peers of %s came by the sockets %v", server, seen)
		}
		for socket := range seen {
			if int(socket)/4 != i {
				t.Errorf("a peer of %s came by socket %d", server, socket)
			}
		}
	}
}

func TestNewSaysWhichAddressIsWrongAndWhy(t *testing.T) {
	for _, sockets := range []int{1, 4} {
		taken := newTransport(t, Config{Listen: []netip.AddrPort{loopback4}, SocketsPerAddress: sockets}).Addrs()[0]
		foreign := netip.MustParseAddrPort("203.0.113.77:0")
		_, err := New(Config{Listen: []netip.AddrPort{taken, foreign, loopback6}, SocketsPerAddress: sockets})
		if err == nil {
			t.Fatal("no error")
		}
		if !errors.Is(err, syscall.EADDRINUSE) || !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("the kernel's errors are not wrapped: %v", err)
		}
		for _, want := range []string{
			fmt.Sprintf("cannot listen on UDP %s: another program (or another lnsgate) already listens on UDP %d; see ss -ulpn",
				taken, taken.Port()),
			"cannot listen on UDP 203.0.113.77:0: no interface of this host has the address 203.0.113.77",
		} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		}
		_, err = New(Config{SocketsPerAddress: sockets, Listen: []netip.AddrPort{netip.AddrPortFrom(any4.Addr(), taken.Port())}})
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("0.0.0.0 on a port that is taken: %v", err)
		}
	}
}

func TestNewSaysThatAddressesOverlap(t *testing.T) {
	free := newTransport(t, Config{Listen: []netip.AddrPort{any4}, SocketsPerAddress: 1})
	port := free.Addrs()[0].Port()
	free.Close()
	_, err := New(Config{Listen: []netip.AddrPort{netip.AddrPortFrom(any4.Addr(), port),
		netip.AddrPortFrom(loopback4.Addr(), port)}})
	want := fmt.Sprintf("cannot listen on UDP 127.0.0.1:%d: it overlaps 0.0.0.0:%d in the same list", port, port)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestNewRefusesNonsense(t *testing.T) {
	for name, cfg := range map[string]Config{
		"an empty address":  {Listen: []netip.AddrPort{{}}},
		"negative sockets":  {Listen: []netip.AddrPort{loopback4}, SocketsPerAddress: -1},
		"too many sockets":  {Listen: []netip.AddrPort{loopback4, loopback6}, SocketsPerAddress: 129},
		"a negative buffer": {Listen: []netip.AddrPort{loopback4}, ReceiveBuffer: -1},
		"an unknown zone":   {Listen: []netip.AddrPort{netip.MustParseAddrPort("[fe80::1%nosuch]:0")}},
		"a foreign address": {Listen: []netip.AddrPort{netip.MustParseAddrPort("[2001:db8::77]:0")}},
	} {
		if transport, err := New(cfg); err == nil {
			transport.Close()
			t.Errorf("%s: no error", name)
		}
	}
}

func TestIPv4MappedListenAddressIsIPv4(t *testing.T) {
	transport := newTransport(t, Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("[::ffff:127.0.0.1]:0")}})
	if got := transport.Addrs()[0].Addr(); got != loopback4.Addr() {
		t.Errorf("bound to %s", got)
	}
}

func TestRunEndsWithItsContextAndMayStartAgain(t *testing.T) {
	transport := newTransport(t, Config{Listen: []netip.AddrPort{loopback4, loopback6}, SocketsPerAddress: 2})
	for range 3 {
		ctx, cancel := context.WithCancel(context.Background())
		all, ended := make(chan arrived, 10), make(chan error)
		go func() { ended <- transport.Run(ctx, func(int) Receiver { return &collector{all: all} }) }()
		exchange(t, transport, all, transport.Addrs()[0])
		cancel()
		awaitEnd(t, ended)
	}
	// The goodbyes of a shutdown are sent after the readers have ended.
	client := dial(t, transport.Addrs()[0])
	p, err := transport.PathTo(client.LocalAddr().(*net.UDPAddr).AddrPort())
	if err != nil {
		t.Fatal(err)
	}
	if err := transport.Send(p, []byte("goodbye")); err != nil {
		t.Error(err)
	}
}

func awaitEnd(t *testing.T, ended <-chan error) {
	t.Helper()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("Run ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Run does not end")
	}
}

func TestCloseEndsRunAndSends(t *testing.T) {
	transport := newTransport(t, Config{Listen: []netip.AddrPort{loopback4, loopback6}, SocketsPerAddress: 2})
	all, ended := make(chan arrived, 10), make(chan error)
	go func() {
		ended <- transport.Run(context.Background(), func(int) Receiver { return &collector{all: all} })
	}()
	a := exchange(t, transport, all, transport.Addrs()[1])
	for range 2 {
		if err := transport.Close(); err != nil {
			t.Error(err)
		}
	}
	awaitEnd(t, ended)
	if err := transport.Send(a.from, []byte("late")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Send after Close: %v", err)
	}
	if err := transport.SendBatch(a.from, [][]byte{{1}, {2}}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("SendBatch after Close: %v", err)
	}
	if err := transport.Run(context.Background(), func(int) Receiver { return &collector{} }); err != nil {
		t.Errorf("Run after Close: %v", err)
	}
	if stats := transport.Stats(); len(stats.Sockets) != 4 {
		t.Errorf("Stats after Close: %v", stats)
	}
}

func TestRunSaysWhichSocketBroke(t *testing.T) {
	transport := newTransport(t, Config{Listen: []netip.AddrPort{loopback4, loopback6}, SocketsPerAddress: 1})
	// A deadline that is not the context's is what a broken socket looks like from outside.
	broken := transport.sockets[1]
	err := transport.Run(context.Background(), func(reader int) Receiver {
		if reader == 1 {
			time.AfterFunc(time.Millisecond, func() { broken.conn.SetReadDeadline(time.Unix(1, 0)) })
		}
		return &collector{}
	})
	if err == nil || !strings.Contains(err.Error(), broken.address.String()) {
		t.Errorf("Run ended with %v", err)
	}
}

func TestPathsThatDoNotFit(t *testing.T) {
	transport := newTransport(t, Config{Listen: []netip.AddrPort{loopback4}, SocketsPerAddress: 1})
	for _, p := range []datapath.Path{
		{},
		{Remote: netip.MustParseAddrPort("[::1]:1701")},
		{Remote: netip.MustParseAddrPort("127.0.0.1:1701"), Socket: 1},
	} {
		if err := transport.Send(p, []byte("x")); !errors.Is(err, ErrPath) {
			t.Errorf("Send by %v: %v", p, err)
		}
	}
	if _, err := transport.PathTo(netip.MustParseAddrPort("[::1]:1701")); !errors.Is(err, ErrPath) {
		t.Errorf("PathTo an IPv6 peer: %v", err)
	}
	p, err := transport.PathTo(netip.MustParseAddrPort("[::ffff:127.0.0.1]:1701"))
	if err != nil || !p.Remote.Addr().Is4() {
		t.Errorf("PathTo a mapped IPv4 peer: %v, %v", p, err)
	}
}

func TestErrorsAndDropsAreCounted(t *testing.T) {
	transport := newTransport(t, Config{Listen: []netip.AddrPort{loopback4}, SocketsPerAddress: 1, ReceiveBuffer: 4096})
	self := datapath.Path{Remote: transport.Addrs()[0]}
	if err := transport.Send(self, make([]byte, maxRunOctets+1)); !errors.Is(err, syscall.EMSGSIZE) {
		t.Errorf("a datagram that is too long: %v", err)
	}
	for range 100 { // nobody reads
		if err := transport.Send(self, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	stats := transport.Stats().Sockets[0]
	if stats.Drops["tx_too_long"] != 1 || stats.Drops["rx_buffer_full"] < 50 {
		t.Errorf("drops: %v", stats.Drops)
	}
	if stats.TxDatagrams != 100 || stats.TxOctets != 100000 || stats.TxCalls != 101 {
		t.Errorf("stats: %+v", stats)
	}
}

// Whether the kernel gives what is asked for depends on who runs the test; the log must tell either way, and once.
func TestSmallBuffersAreReported(t *testing.T) {
	const asked = 1 << 29
	var log bytes.Buffer
	transport := newTransport(t, Config{Listen: []netip.AddrPort{loopback4, loopback4}, SocketsPerAddress: 2, ReceiveBuffer: asked,
		Log: slog.New(slog.NewTextHandler(&log, nil))})
	got, err := transport.sockets[0].option(unix.SOL_SOCKET, unix.SO_RCVBUF)
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	if got/2 < asked {
		want = 1
	}
	if reported := strings.Count(log.String(), "smaller UDP buffers"); reported != want {
		t.Errorf("got a buffer of %d, and the log says %q", got/2, log.String())
	}
}

func TestReportOfSmallBuffers(t *testing.T) {
	asked := buffers{receive: 4000, send: 8000}
	tests := []struct {
		got  buffers
		want string
	}{
		{asked, ""},
		{buffers{4000, 100}, "receive_asked=4000 receive_got=4000 send_asked=8000 send_got=100\n"},
		{asked.least(buffers{300, 9000}).least(buffers{200, 8000}), "receive_asked=4000 receive_got=200 send_asked=8000 send_got=8000\n"},
	}
	for _, test := range tests {
		var log bytes.Buffer
		asked.report(slog.New(slog.NewTextHandler(&log, nil)), test.got)
		if !strings.HasSuffix(log.String(), test.want) || (log.Len() == 0) != (test.want == "") || strings.Contains(log.String(), "nil") {
			t.Errorf("%+v: the log says %q", test.got, log.String())
		}
	}
}

func TestManySendersAtOnce(t *testing.T) {
	server := newTransport(t, Config{Listen: []netip.AddrPort{loopback4}, SocketsPerAddress: 1})
	all := running(t, server)
	client := newTransport(t, Config{Listen: []netip.AddrPort{loopback4}, SocketsPerAddress: 1})
	p := datapath.Path{Remote: server.Addrs()[0]}
	var senders sync.WaitGroup
	for i := range 8 {
		senders.Go(func() {
			for j := range 50 {
				if err := client.Send(p, fmt.Appendf(nil, "%d/%d", i, j)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	senders.Wait()
	next4 := make([]int, 8)
	for range 400 {
		var i, j int
		if _, err := fmt.Sscanf(next(t, all).text, "%d/%d", &i, &j); err != nil {
			t.Fatal(err)
		}
		if next4[i] != j {
			t.Fatalf("sender %d: datagram %d came when %d was due", i, j, next4[i])
		}
		next4[i]++
	}
}

func TestSwitchString(t *testing.T) {
	got := []string{Auto.String(), On.String(), Off.String(), Switch(9).String()}
	if want := []string{"auto", "on", "off", "Switch(9)"}; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestWithoutAddressesThereIsNothingToRead(t *testing.T) {
	transport := newTransport(t, Config{})
	if err := transport.Run(context.Background(), nil); err != nil || len(transport.Addrs()) > 0 {
		t.Errorf("%v, %v", transport.Addrs(), err)
	}
}
