package transport

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"lnsgate/lns/datapath"
)

// sized makes datagrams of these sizes, all different.
func sized(sizes ...int) (all [][]byte) {
	for i, size := range sizes {
		all = append(all, bytes.Repeat([]byte{byte(i)}, size))
	}
	return all
}

func repeated(n, size int) (sizes []int) {
	for range n {
		sizes = append(sizes, size)
	}
	return sizes
}

// mixture has runs, last ones that are smaller, ones that grow, and more than fit into one system call.
var mixture = func() (sizes []int) {
	sizes = append(sizes, repeated(150, 1000)...)
	sizes = append(sizes, 400, 400, 1400, 1400, 7, 0, 0, 12)
	sizes = append(sizes, repeated(100, 1400)...)
	sizes = append(sizes, 30000, 30000, 30000, 5)
	return append(sizes, repeated(200, 40)...)
}()

func TestBatchesArriveWholeAndInOrder(t *testing.T) {
	for _, c := range []struct {
		name     string
		listen   netip.AddrPort
		gso, gro Switch
	}{
		{"IPv4", loopback4, On, On}, {"IPv6", loopback6, On, On}, {"no GRO", loopback4, On, Off},
		{"no GSO", loopback4, Off, On}, {"neither", loopback6, Off, Off}, {"any address", any4, On, On},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := newTransport(t, Config{Listen: []netip.AddrPort{c.listen}, SocketsPerAddress: 1, GSO: c.gso, GRO: c.gro})
			all := running(t, server)
			client := newTransport(t, Config{Listen: []netip.AddrPort{c.listen}, SocketsPerAddress: 1, GSO: c.gso, GRO: c.gro})
			p := datapath.Path{Remote: server.Addrs()[0]}
			if c.listen == any4 {
				p.Remote = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.3"), p.Remote.Port())
				p.Local = netip.MustParseAddr("127.0.0.5")
			}
			batch := sized(mixture...)
			if err := client.SendBatch(p, batch); err != nil {
				t.Fatal(err)
			}
			for i, want := range batch {
				got := next(t, all)
				if got.text != string(want) {
					t.Fatalf("datagram %d: got %d octets, want %d", i, len(got.text), len(want))
				}
				if c.listen == any4 && (got.from.Remote.Addr() != p.Local || got.from.Local != p.Remote.Addr()) {
					t.Fatalf("datagram %d came by %v", i, got.from)
				}
			}
			sent, received := client.Stats().Sockets[0], server.Stats().Sockets[0]
			if sent.GSO != (c.gso == On) || (sent.TxSegmented != 0) != (c.gso == On) || sent.GSORefused != 0 {
				t.Errorf("sent: %+v", sent)
			}
			if received.GRO != (c.gro == On) || (received.RxCoalesced != 0) != (c.gro == On && c.gso == On) {
				t.Errorf("received: %+v", received)
			}
			if int(sent.TxDatagrams) != len(batch) || sent.TxCalls > 12 || len(sent.Drops) != 0 {
				t.Errorf("sent: %+v", sent)
			}
		})
	}
}

// The kernel refuses UDP_SEGMENT on a socket without checksums, which stands here for all its reasons.
func TestRefusedRunsGoOneByOne(t *testing.T) {
	var log bytes.Buffer
	server := newTransport(t, Config{Listen: []netip.AddrPort{loopback4}, SocketsPerAddress: 1})
	all := running(t, server)
	client := newTransport(t, Config{Listen: []netip.AddrPort{loopback4}, SocketsPerAddress: 1, GSO: On,
		Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err := client.sockets[0].setOption(unix.SOL_SOCKET, unix.SO_NO_CHECK, 1); err != nil {
		t.Fatal(err)
	}
	p := datapath.Path{Remote: server.Addrs()[0]}
	send := func(sizes ...int) {
		t.Helper()
		batch := sized(sizes...)
		if err := client.SendBatch(p, batch); err != nil {
			t.Fatal(err)
		}
		for i, want := range batch {
			if got := next(t, all); got.text != string(want) {
				t.Fatalf("datagram %d: got %d octets, want %d", i, len(got.text), len(want))
			}
		}
	}
	refused := func() uint64 { return client.Stats().Sockets[0].GSORefused }

	send(500, 1000, 1000, 1000, 200, 900, 900)
	if refused() != 1 {
		t.Fatalf("%d runs refused, want 1", refused())
	}
	send(1000, 1000) // the peer is known not to take this size
	if refused() != 1 {
		t.Errorf("a size that was refused was tried again")
	}
	for i := range refusalsUntilOff - 1 {
		if !client.Stats().Sockets[0].GSO {
			t.Fatalf("GSO is off after %d refusals", refused())
		}
		send(900-i, 900-i)
	}
	send(100, 100)
	if stats := client.Stats().Sockets[0]; stats.GSO || stats.GSORefused != refusalsUntilOff || len(stats.Drops) != 0 {
		t.Errorf("after %d refusals: %+v", refusalsUntilOff, stats)
	}
	if lines := strings.Count(log.String(), "\n"); lines != 2 || !strings.Contains(log.String(), "level=WARN") {
		t.Errorf("want one line for the first refusal and one for switching off, got:\n%s", log.String())
	}
}

// A datagram that the kernel refuses for its own sake does not take the rest of the batch with it.
func TestADatagramThatFailsIsSkipped(t *testing.T) {
	server := newTransport(t, Config{Listen: []netip.AddrPort{loopback4}, SocketsPerAddress: 1})
	all := running(t, server)
	client := newTransport(t, Config{Listen: []netip.AddrPort{loopback4}, SocketsPerAddress: 1})
	p := datapath.Path{Remote: server.Addrs()[0]}
	batch := sized(100, 100, maxRunOctets+1, 90, maxRunOctets+1, 80)
	err := client.SendBatch(p, batch)
	lost, ok := errors.AsType[*datapath.BatchError](err)
	if !ok || lost.Err != unix.EMSGSIZE {
		t.Fatalf("got %v, want EMSGSIZE of a datagram", err)
	}
	for i, want := range batch {
		if long := len(want) > maxRunOctets; lost.Lost(i) != long {
			t.Errorf("datagram %d: lost is %v", i, lost.Lost(i))
		} else if !long && next(t, all).text != string(want) {
			t.Errorf("datagram %d did not arrive", i)
		}
	}
	if stats := client.Stats().Sockets[0]; stats.TxDatagrams != 4 || stats.Drops["tx_too_long"] != 2 || stats.GSORefused != 0 {
		t.Errorf("stats: %+v", stats)
	}
	if err := client.SendBatch(p, nil); err != nil {
		t.Errorf("an empty batch: %v", err)
	}
}

// What concerns the peer and not a datagram ends the batch: trying every datagram would only cost system calls.
func TestABatchStopsAtAPeerThatCannotBeReached(t *testing.T) {
	inNamespace(t, 1500) // which has no route to anywhere
	client := newTransport(t, Config{Listen: []netip.AddrPort{any4}, SocketsPerAddress: 1})
	err := client.SendBatch(datapath.Path{Remote: netip.MustParseAddrPort("192.0.2.1:1701")}, sized(100, 90, 80))
	if err != unix.ENETUNREACH {
		t.Errorf("got %v", err)
	}
	if stats := client.Stats().Sockets[0]; stats.Drops["tx_unreachable"] != 3 || stats.TxCalls != 1 {
		t.Errorf("stats: %+v", stats)
	}
}

func TestRunLength(t *testing.T) {
	for _, c := range []struct {
		name  string
		sizes []int
		limit int
		want  int
	}{
		{"one", []int{100}, noLimit, 1},
		{"equal", []int{100, 100, 100}, noLimit, 3},
		{"smaller last", []int{100, 100, 50, 100}, noLimit, 3},
		{"smaller second", []int{100, 50, 50}, noLimit, 2},
		{"larger", []int{100, 101}, noLimit, 1},
		{"empty first", []int{0, 0}, noLimit, 1},
		{"empty later", []int{100, 100, 0}, noLimit, 2},
		{"64 segments", repeated(100, 10), noLimit, 64},
		{"64 segments, the last one smaller", append(repeated(63, 10), 5, 5), noLimit, 64},
		{"65507 octets", repeated(100, 2000), noLimit, 32},
		{"exactly 65507 octets", []int{32754, 32753}, noLimit, 2},
		{"65508 octets", []int{32754, 32754}, noLimit, 1},
		{"below the limit", []int{99, 99}, 100, 2},
		{"at the limit", []int{100, 100}, 100, 1},
		{"off", []int{1, 1}, 0, 1},
	} {
		if got := runLength(sized(c.sizes...), c.limit); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func TestRunsAreWhatTheKernelTakes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{0, 1, 2, 700, 1400, 9000, 40000})
		datagrams := sized(rapid.SliceOfN(size, 1, 100).Draw(t, "sizes")...)
		for len(datagrams) > 0 {
			run := datagrams[:runLength(datagrams, noLimit)]
			total := 0
			for i, d := range run {
				total += len(d)
				if len(run) > 1 && len(d) == 0 || len(d) > len(run[0]) || len(d) < len(run[0]) && i != len(run)-1 {
					t.Fatalf("datagram %d of a run of %d has %d octets, the first has %d", i, len(run), len(d), len(run[0]))
				}
			}
			if len(run) > maxSegments || len(run) > 1 && total > maxRunOctets {
				t.Fatalf("a run of %d datagrams has %d octets", len(run), total)
			}
			datagrams = datagrams[len(run):]
		}
	})
}

func TestRefusalsAreRememberedForThePeer(t *testing.T) {
	g := newSegmenting()
	narrow, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	if g.limit(narrow) != 0 {
		t.Error("it is off, but has a limit")
	}
	g.on.Store(true)
	g.refused(narrow, 1400, unix.EMSGSIZE)
	if g.limit(narrow) != 1400 || g.limit(other) != noLimit {
		t.Errorf("limits %d and %d, want 1400 and none", g.limit(narrow), g.limit(other))
	}
	g.refused(narrow, 1400, unix.EIO)
	if g.limit(narrow) != 0 {
		t.Errorf("limit %d, but EIO does not depend on the size", g.limit(narrow))
	}
	for range refusalsUntilOff - 1 {
		g.worked()
		if g.refused(narrow, 1000, unix.EINVAL) {
			t.Error("switched off although runs work in between")
		}
	}
}

// A small path MTU is the peer's own affair, and anybody can forge the ICMPv6 message that says so.
func TestSmallPathsDoNotSwitchTheSocketOff(t *testing.T) {
	g := newSegmenting()
	g.on.Store(true)
	for i := range 100 {
		peer := netip.AddrFrom16([16]byte{0x20, 0x01, 15: byte(i)})
		if g.refused(peer, 1300, unix.EMSGSIZE) || g.refused(peer, smallestMTU+1, unix.EINVAL) {
			t.Fatalf("switched off after %d peers", i+1)
		}
	}
}

func TestSegmentingIsTriedAgainAfterAnHour(t *testing.T) {
	g := newSegmenting()
	g.on.Store(true)
	peer := netip.MustParseAddr("192.0.2.1")
	for range refusalsUntilOff {
		g.refused(peer, 1000, unix.EINVAL)
	}
	off := time.Since(g.started)
	if g.limit(peer) != 0 || g.retry(off+offFor-time.Minute) {
		t.Error("it is on before the hour is over")
	}
	if !g.retry(off+offFor) || g.limit(peer) != noLimit {
		t.Error("it is off after the hour")
	}
	if g.retry(off + 3*offFor) {
		t.Error("tried again, although it is on")
	}
	fresh := newSegmenting()
	if fresh.retry(2 * offFor) {
		t.Error("switched on although the kernel or the configuration forbids it")
	}
}
