package transport

import (
	"errors"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"lnsgate/lns/datapath"
	"lnsgate/test/netns"
)

// crossroads is a gateway with a peer on each of two links, the first of which carries 1 Mbit/s and queues 32 MB.
type crossroads struct {
	gateway   *Transport
	congested datapath.Path
	idle      datapath.Path
	arrived   <-chan arrived // at the peer on the idle link
}

func newCrossroads(t *testing.T, cfg Config) *crossroads {
	t.Helper()
	netns.RequireCommand(t, "tc")
	gateway, far, near := netns.NewTest(t), netns.NewTest(t), netns.NewTest(t)
	must(t, netns.Veth(gateway, "slow", far, "eth0"))
	must(t, netns.Veth(gateway, "fast", near, "eth0"))
	must(t, gateway.Address("slow", "198.51.100.1/24"))
	must(t, gateway.Address("fast", "192.0.2.1/24"))
	must(t, far.Address("eth0", "198.51.100.7/24"))
	must(t, near.Address("eth0", "192.0.2.7/24"))
	_, err := gateway.Run("tc", "qdisc", "add", "dev", "slow", "root", "tbf", "rate", "1mbit", "burst", "64kb", "limit", "32mb")
	must(t, err)

	c := &crossroads{congested: datapath.Path{Remote: netip.MustParseAddrPort("198.51.100.7:1701")}}
	cfg.Listen, cfg.SocketsPerAddress = []netip.AddrPort{any4}, 1
	must(t, gateway.Do(func() error { c.gateway = newTransport(t, cfg); return nil }))
	must(t, near.Do(func() error {
		peer := newTransport(t, Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.7:0")}, SocketsPerAddress: 1})
		c.arrived, c.idle.Remote = running(t, peer), peer.Addrs()[0]
		return nil
	}))
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// At the rate of that link a sender that waits would wait for minutes here.
func TestAFullSendBufferIsNotWaitedFor(t *testing.T) {
	c := newCrossroads(t, Config{SendBuffer: 256 << 10})
	batch := sized(repeated(40, 1400)...)
	var err error
	for range 500 { // 28 MB
		err = c.gateway.SendBatch(c.congested, batch)
	}
	if !errors.Is(err, unix.EAGAIN) || c.gateway.Send(c.congested, batch[0]) != unix.EAGAIN {
		t.Errorf("a full send buffer is told as %v", err)
	}
	stats := c.gateway.Stats().Sockets[0]
	if sum := stats.TxDatagrams + stats.Drops["tx_buffer_full"]; sum != 500*40+1 {
		t.Errorf("%d datagrams sent and %v lost make %d", stats.TxDatagrams, stats.Drops, sum)
	}
	if n := testing.AllocsPerRun(100, func() { _ = c.gateway.Send(c.congested, batch[0]) }); n != 0 {
		t.Errorf("%v allocations for a datagram that finds no room", n)
	}
}

// The send buffer holds what the queue of one congested link holds, so that the link's own queue drops what is too much
// and not the socket, which would drop other peers' datagrams as well.
func TestACongestedPeerDoesNotStopOthers(t *testing.T) {
	c := newCrossroads(t, Config{})
	batch := sized(repeated(40, 1400)...)
	for range 1000 { // 56 MB
		_ = c.gateway.SendBatch(c.congested, batch)
		if err := c.gateway.Send(c.idle, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		next(t, c.arrived)
	}
}
