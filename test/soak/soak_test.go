//go:build !race

package soak

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/local"
	"lnsgate/aaa/secret"
	"lnsgate/lns"
	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
	"lnsgate/lns/lac"
	"lnsgate/lns/recorder"
	"lnsgate/pool"
	"lnsgate/pool/memory"
	"lnsgate/test/simnet"
)

const (
	people     = 200 // accounts; each dials again and again
	password   = "Admin@123"
	usualCount = 6000 // logins, where nobody asks for more
	waves      = 10
	recorded   = 2 << 20 // octets that the recorder may keep
	vanishing  = 997     // one login in so many is of somebody who then goes without a word
)

var serverAddr = netip.MustParseAddrPort("192.0.2.1:1701")

// host is the server with all that it holds.
type host struct {
	t      *testing.T
	net    *simnet.Network
	end    *simnet.Endpoint
	server *lns.Server
	path   *datapathtest.Fake
	pools  *memory.Allocator
	books  *books
	record *recorder.Recorder
	foes   *foes
	sites  int // addresses given to the loads so far
}

// state is what has to return to where it was.
type state struct {
	heap, stacks                                    uint64 // octets
	kept                                            uint64 // octets of the heap that the recorder keeps, as it should: a ring fills slowly
	goroutines                                      int
	tunnels, sessions, leases, specs, held, stories int
}

// returned says whether nothing is more than it was, but for what memory does not give back octet by octet.
func (s state) returned(before state) bool {
	const slack = 2 << 20
	const staying = 4 * 32 // goroutines, at most, that wait for the next thing to do: as many as have once been needed at once
	return s.goroutines <= before.goroutines+staying && s.heap-s.kept <= before.heap-before.kept+slack && s.stacks <= before.stacks+slack &&
		s.tunnels+s.sessions+s.leases+s.specs+s.held+s.stories == 0 && s.kept <= recorded
}

func newHost(t *testing.T) *host {
	h := &host{t: t, net: simnet.New(simnet.Config{Latency: time.Millisecond}), path: datapathtest.NewFake(), books: newBooks(),
		record: recorder.New(recorder.Config{Prefix: "x", Octets: recorded})}
	h.path.Forgetful = true
	h.end = h.net.Endpoint(nil, serverAddr)
	addresses, err := pool.ParseRange("10.64.0.10-10.64.9.250")
	h.must(err)
	h.pools, err = memory.New(memory.Config{Pools: []pool.Pool{{Name: "pool1", Ranges: []pool.Range{addresses}}}})
	h.must(err)
	h.server, err = lns.New(&lns.Config{
		Templates: []lns.Template{{Name: "vt1", Address: netip.MustParseAddr("10.10.0.1"), MRU: 1460, MSS: lns.MSSAuto,
			Methods: []aaa.Method{aaa.CHAP, aaa.PAP}, EchoInterval: 30 * time.Second, EchoFailures: 4}},
		Groups: []lns.Group{{Name: "default", Template: "vt1", LocalName: "LNS", Hello: time.Minute, IdleTunnel: time.Minute, ReceiveWindow: 16}},
		Limits: lns.DefaultLimits(),
	}, lns.Deps{Node: "n", Sender: h.end, DataPath: h.path, AAA: h.gateway(), Pools: h.pools, Accounter: h.books, Attempts: h.books,
		Registry: h.books, Host: h.books, Router: h.books, Recorder: h.record, Log: slog.New(slog.DiscardHandler)})
	h.must(err)
	receiver := h.server.Receiver()
	h.end.Handle(func(from datapath.Path, b []byte) {
		receiver.Datagram(from, b)
		receiver.Flush()
	})
	h.foes = newFoes(h)
	return h
}

func (h *host) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// gateway knows the people; one in ten has a network behind it.
func (h *host) gateway() aaa.Authenticator {
	var accounts []local.Account
	for n := range people {
		a := local.Account{Name: "user" + strconv.Itoa(n), Credential: secret.Clear(aaa.NewSecret(password))}
		if n%10 == 0 {
			a.Routes = []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, byte(n), 0}), 24)}
		}
		accounts = append(accounts, a)
	}
	backend, err := local.New(accounts)
	h.must(err)
	g, err := aaa.NewGateway(aaa.Config{DefaultDomain: "default", Backends: []aaa.Backend{backend},
		Domains: []aaa.Domain{{Name: "default", Chain: []string{local.Name}, Pools: []string{"pool1"}}}})
	h.must(err)
	return g
}

// wire is the way of a load to the server.
type wire struct{ end *simnet.Endpoint }

func (w wire) SendBatch(b [][]byte) error { return w.end.SendBatch(w.end.PathTo(serverAddr), b) }

// wave has that many people log in and out, of whom some vanish, while strangers speak.
func (h *host) wave(count int) {
	h.t.Helper()
	cfg := lac.LoadConfig{Count: count, Concurrency: 64, Tunnel: lac.Config{HostName: "laptop", Rand: &dice{source: rand.NewChaCha8([32]byte{5})}},
		Login: func(n int) lac.Login {
			name := "user" + strconv.Itoa(n%people)
			return lac.Login{User: name, Credentials: secret.NewAnswerer(name, aaa.NewSecret(password), [16]byte{3}),
				Methods: []aaa.Method{aaa.CHAP, aaa.PAP}, Magic: 99}
		}}
	var ends []*simnet.Endpoint
	for range 2 {
		h.sites++
		site := netip.AddrFrom4([4]byte{198, 51, byte(h.sites >> 8), byte(h.sites)})
		end := h.net.Endpoint(nil, netip.AddrPortFrom(site, 1701))
		ends, cfg.Wires = append(ends, end), append(cfg.Wires, wire{end})
	}
	load, err := lac.NewLoad(cfg)
	h.must(err)
	for i, end := range ends {
		s := load.Shard(i)
		end.Handle(func(_ datapath.Path, b []byte) { s.Deliver(b); s.Flush() })
	}
	if r := load.Run(h.t.Context()); r.Up != count {
		h.t.Errorf("of %d logins %d succeeded: %+v", count, r.Up, r.Failures)
	}
	for _, end := range ends {
		end.Close()
	}
}

// look waits until all that has a time limit is over, and tells what there is.
func (h *host) look() (s state) {
	time.Sleep(30 * time.Minute)
	synctest.Wait()
	s.tunnels, s.sessions, s.specs = len(h.server.Tunnels()), len(h.server.Sessions()), len(h.path.Specs())
	leases, err := h.pools.Leases(context.Background())
	h.must(err)
	record := h.record.Stats()
	s.leases, s.held, s.stories, s.kept = len(leases), h.books.held(), record.Live, uint64(record.Octets)
	h.foes.forget()
	var m runtime.MemStats
	for range 3 { // what sync.Pool holds is given up by the second
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	s.heap, s.stacks, s.goroutines = m.HeapAlloc, m.StackInuse, runtime.NumGoroutine()
	return s
}

func TestAllReturnsToWhereItWas(t *testing.T) {
	count := usualCount
	if text := os.Getenv("LNSGATE_SOAK"); text != "" {
		var err error
		if count, err = strconv.Atoi(text); err != nil {
			t.Fatalf("LNSGATE_SOAK: %v", err)
		}
	}
	began := time.Now()
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t)
		size := count / waves
		h.wave(size) // tables and rings grow once
		before := h.look()
		t.Logf("before: %+v", before)
		for n := range waves {
			h.wave(size)
			s := h.look()
			t.Logf("after %d logins: %+v", (n+1)*size, s)
			if !s.returned(before) {
				t.Errorf("after %d logins it is %+v, and was %+v", (n+1)*size, s, before)
			}
		}
		h.judge(uint64(count))
		h.server.Close(context.Background())
		h.net.Close()
	})
	t.Logf("%d logins in %s", count, time.Since(began).Round(time.Millisecond))
}

// judge compares what was counted by all who count.
func (h *host) judge(count uint64) {
	n, b := h.server.Counters(), h.books
	if b.starts != b.stops || b.starts != n["sessions_opened"] || n["sessions_opened"] != n["sessions_closed"] || n["tunnels_opened"] != n["tunnels_closed"] {
		h.t.Errorf("%d starts, %d stops, counters %v", b.starts, b.stops, n)
	}
	if b.starts < count || h.foes.said == 0 || h.foes.vanished == 0 {
		h.t.Errorf("%d sessions, %d datagrams of strangers, %d vanished", b.starts, h.foes.said, h.foes.vanished)
	}
	for _, f := range b.faults {
		h.t.Error(f)
	}
	h.t.Logf("%d sessions, %d attempts of which %d good, %d hostile datagrams, %d vanished; %v", b.starts, b.attempts, b.good, h.foes.said,
		h.foes.vanished, fmt.Sprint(n))
}

// dice give the same octets in every run, to many goroutines.
type dice struct {
	mu     sync.Mutex
	source *rand.ChaCha8
}

func (d *dice) Read(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.source.Read(b)
}
