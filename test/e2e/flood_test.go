package e2e

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"lnsgate/lns/l2tp"
)

// Somebody pours requests for tunnels from many addresses, half of them damaged, tens of thousands in a second. People
// elsewhere log in meanwhile, those who are in work on, and memory stays bounded.
func TestFloodKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(usual)
	w.online("l2tpuser", "Admin@123")
	old := s.session("l2tpuser")

	attacker := w.secondClient()
	var sockets []net.PacketConn
	for n := range 50 { // the whole neighbourhood of the attacker
		address := netip.AddrFrom4([4]byte{192, 0, 3, byte(100 + n)})
		must(t, attacker.Address("wan", address.String()+"/24"))
		must(t, attacker.Do(func() error {
			c, err := net.ListenPacket("udp4", address.String()+":0")
			sockets = append(sockets, c)
			return err
		}))
	}
	ctx, cancel := context.WithCancel(context.Background())
	var flood sync.WaitGroup
	for _, c := range sockets {
		flood.Go(func() { pour(ctx, c) })
	}
	defer func() {
		cancel()
		flood.Wait()
	}()
	dropped := func() (n uint64) {
		for _, name := range []string{
			"drop_source_over_budget", "drop_source_half_open_limit", "drop_malformed_sccrq", "drop_not_l2tp",
		} {
			n += s.counter(name)
		}
		return n
	}
	eventually(t, "10000 datagrams are dropped", func() bool { return dropped() > 10000 })
	for range 5 {
		began := time.Now()
		c := w.dial(w.client, "l2tpuser", "Admin@123")
		c.up()
		t.Logf("a login takes %s during the flood", time.Since(began).Round(time.Millisecond))
		c.hangUp()
	}
	w.ping(w.client, hqAddress)
	checkSame(t, old, s.session("l2tpuser"))
	t.Logf("%d datagrams dropped, %d tunnels, %d MiB resident", dropped(), len(s.tunnels()), s.resident()>>20)
	if limit := 512 << 20; !raced && s.resident() > limit {
		t.Errorf("the server takes %d octets", s.resident())
	}
}

// pour sends requests for tunnels, whole ones and damaged ones by turns.
func pour(ctx context.Context, c net.PacketConn) {
	defer c.Close()
	server := net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr("192.0.3.1"), l2tp.Port))
	source := rand.New(rand.NewPCG(1, 2))
	for n := 0; ctx.Err() == nil; n++ {
		request := l2tp.SCCRQ{HostName: "flood", AssignedTunnel: l2tp.TunnelID(source.Uint32() | 1), Framing: l2tp.FramingSync}
		b := l2tp.AppendControl(nil, 0, 0, 0, 0, l2tp.Append(nil, request, l2tp.AppendOptions{}))
		switch n % 4 {
		case 1:
			b = b[:source.IntN(len(b))]
		case 3:
			b[source.IntN(len(b))] ^= byte(1 + source.IntN(255))
		}
		c.WriteTo(b, server) // a full queue is as good as a lost datagram
		if n%64 == 0 {       // answers are not read: that is how spoofed sources behave
			breathe(ctx)
		}
	}
}

// breathe waits a moment, so that the flood is one that this machine can make and take at once.
func breathe(ctx context.Context) {
	moment := 50 * time.Millisecond
	if raced {
		moment = 500 * time.Millisecond
	}
	pause, cancel := context.WithTimeout(ctx, moment)
	defer cancel()
	<-pause.Done()
}

// resident is the memory of the process in octets.
func (p *process) resident() int {
	p.t.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(p.command.Process.Pid) + "/status")
	must(p.t, err)
	_, after, _ := bytes.Cut(status, []byte("VmRSS:"))
	fields := strings.Fields(string(after))
	kilo, err := strconv.Atoi(fields[0])
	must(p.t, err)
	return kilo << 10
}
