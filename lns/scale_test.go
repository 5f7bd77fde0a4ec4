package lns_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
	"lnsgate/lns"
	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
	"lnsgate/lns/lac"
	"lnsgate/lns/recorder"
)

// crowd is a load generator and a server that hand each other their datagrams in memory, in real time.
type crowd struct {
	server   *lns.Server
	receiver *lns.Receiver
	load     *lac.Load
	home     datapath.Path

	want    int64 // sessions
	granted atomic.Int64
	open    chan struct{} // closed when so many have opened
}

// Log counts those that have logged in.
func (c *crowd) Log(a aaa.Attempt) {
	if a.OK && c.granted.Add(1) == c.want {
		close(c.open)
	}
}

// callers is the wire of the load.
type callers struct{ *crowd }

// SendBatch hands datagrams of the load to the server.
func (c callers) SendBatch(datagrams [][]byte) error {
	for _, d := range datagrams {
		c.receiver.Datagram(c.home, d)
	}
	c.receiver.Flush()
	return nil
}

// Send hands a datagram of the server to the load.
func (c *crowd) Send(_ datapath.Path, datagram []byte) error {
	c.load.Shard(0).Deliver(datagram)
	c.load.Shard(0).Flush()
	return nil
}

// SendBatch does so with many.
func (c *crowd) SendBatch(p datapath.Path, datagrams [][]byte) error {
	for _, d := range datagrams {
		c.Send(p, d)
	}
	return nil
}

// newCrowd makes both for that many calls by CHAP. The server has what a server has: a log, a recorder, a pool.
func newCrowd(tb testing.TB, cfg lac.LoadConfig) *crowd {
	tb.Helper()
	c := &crowd{want: int64(cfg.Count), open: make(chan struct{}), home: datapath.Path{Remote: netip.MustParseAddrPort("192.0.2.2:40000"), Local: serverAddr.Addr()}}
	config := testConfig()
	config.Templates[0].EchoInterval = 0
	config.Groups[0].Hello = 0
	config.Limits.Sessions, config.Limits.SessionsPerTunnel = 1<<20, 1<<16-1
	config.Limits.HalfOpenPerSource = 1 << 16
	var err error
	c.server, err = lns.New(config, lns.Deps{
		Node: "node1", Sender: c, Attempts: c, DataPath: datapathtest.NewFake(), AAA: newGateway(tb, account("l2tpuser", "Admin@123")),
		Pools: newPools(tb, "10.128.0.0-10.131.255.255"), Recorder: recorder.New(recorder.Config{Octets: 1 << 20}),
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		tb.Fatal(err)
	}
	c.receiver = c.server.Receiver()
	cfg.Wires = []lac.BatchWire{callers{c}}
	cfg.Tunnel = lac.Config{HostName: "lac", Timeout: time.Minute}
	cfg.Login = func(int) lac.Login {
		return lac.Login{
			User: "l2tpuser", Credentials: secret.NewAnswerer("l2tpuser", aaa.NewSecret("Admin@123"), [16]byte{}),
			Methods: []aaa.Method{aaa.CHAP}, MRU: 1460, Magic: 99, Timeout: time.Minute,
		}
	}
	if c.load, err = lac.NewLoad(cfg); err != nil {
		tb.Fatal(err)
	}
	return c
}

func (c *crowd) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c.server.Close(ctx)
}

// logIn has that many people log in and hang up, so many to a tunnel.
func logIn(tb testing.TB, count, perTunnel int) {
	tb.Helper()
	c := newCrowd(tb, lac.LoadConfig{Count: count, Concurrency: 64, SessionsPerTunnel: perTunnel})
	defer c.close()
	if report := c.load.Run(tb.Context()); report.Up != count {
		tb.Fatalf("not all have logged in: %+v", report)
	}
}

// BenchmarkLogins is what a login costs both ends together, from SCCRQ to StopCCN, without the sockets.
func BenchmarkLogins(b *testing.B) {
	for _, perTunnel := range []int{1, 100} {
		b.Run(fmt.Sprintf("%d-per-tunnel", perTunnel), func(b *testing.B) {
			b.ReportAllocs()
			logIn(b, b.N, perTunnel)
		})
	}
}

// A login may allocate so much and no more, at both ends together and without the sockets.
func TestALoginKeepsToItsAllocations(t *testing.T) {
	const logins, budget = 500, 620
	logIn(t, logins, 1) // what is allocated once
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	logIn(t, logins, 1)
	runtime.ReadMemStats(&after)
	each := float64(after.Mallocs-before.Mallocs) / logins
	t.Logf("%.0f allocations, %.0f octets", each, float64(after.TotalAlloc-before.TotalAlloc)/logins)
	if each > budget {
		t.Errorf("a login takes %.0f allocations, more than %d", each, budget)
	}
}

// cost is what so many open sessions take, each, of both ends together and without the sockets. Processor time would depend on
// who else uses it.
type cost struct {
	octets        float64 // of memory
	allocations   float64 // on the way there
	listed, looks float64 // octets that a list of all takes, and heads that are looked at for it
}

// settled has that many come up, in one tunnel or in many.
func settled(t *testing.T, count, perTunnel int) (each cost) {
	t.Helper()
	c := newCrowd(t, lac.LoadConfig{Count: count, Concurrency: 256, SessionsPerTunnel: perTunnel, KeepUp: true})
	before := heap()
	var start, end runtime.MemStats
	runtime.ReadMemStats(&start)
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan struct{})
	go func() {
		defer close(left)
		c.load.Run(ctx)
	}()
	select {
	case <-c.open:
	case <-time.After(4 * time.Minute): // of a machine with much else to do
		t.Fatalf("not all have logged in: %+v", c.load.Report())
	}
	runtime.ReadMemStats(&end)
	n := float64(count)
	each.allocations = float64(end.Mallocs-start.Mallocs) / n
	each.octets = float64(heap()-before) / n
	if open := c.server.Counters()["sessions_opened"]; open != uint64(count) {
		t.Fatalf("%d of %d sessions are open at the server", open, count)
	}
	runtime.ReadMemStats(&start)
	var refs []lns.SessionRef
	c.server.EachSession(t.Context(), func(h *lns.SessionHead) {
		each.looks += 1 / n
		refs = append(refs, h.SessionRef)
	})
	if infos := c.server.SessionInfos(t.Context(), refs); len(infos) != count {
		t.Errorf("%d of %d sessions are listed", len(infos), count)
	}
	runtime.ReadMemStats(&end)
	each.listed = float64(end.TotalAlloc-start.TotalAlloc) / n
	leave()
	<-left
	c.close()
	return each
}

// What a session takes, what its login costs, and its line in a list of all do not grow with the number of sessions, in one tunnel or
// in many.
func TestManySessionsCostNoMoreThanFew(t *testing.T) {
	const few, many = 500, 2000
	for _, inOne := range []bool{false, true} {
		less := settled(t, few, cmp.Or(few*btoi(inOne), 100))
		more := settled(t, many, cmp.Or(many*btoi(inOne), 100))
		t.Logf("one tunnel %v: %+v and %+v", inOne, less, more)
		for what, pair := range map[string][2]float64{
			"octets": {less.octets, more.octets}, "allocations": {less.allocations, more.allocations},
			"octets of a list": {less.listed, more.listed}, "looks for a list": {less.looks, more.looks},
		} {
			if pair[1] > 1.25*pair[0] {
				t.Errorf("one tunnel %v: %.0f %s for each of %d sessions, %.0f for each of %d", inOne, pair[1], what, many, pair[0], few)
			}
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
