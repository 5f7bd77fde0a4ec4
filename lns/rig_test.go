package lns_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"strings"
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
	"lnsgate/pool"
	"lnsgate/pool/memory"
	"lnsgate/test/simnet"
)

var serverAddr = netip.MustParseAddrPort("192.0.2.1:1701")

// rig is a server on a simulated network, in a bubble of virtual time.
type rig struct {
	t       *testing.T
	net     *simnet.Network
	server  *lns.Server
	end     *simnet.Endpoint
	path    *datapathtest.Fake
	pools   *memory.Allocator
	log     *logText
	clients sync.WaitGroup
	config  *lns.Config
	gateway *swapGateway
}

// run runs a test in a bubble: the server is closed at its end, and nothing of it may remain.
func run(t *testing.T, network simnet.Config, test func(*rig)) {
	runWith(t, network, nil, test)
}

func runWith(t *testing.T, network simnet.Config, change func(*lns.Config, *lns.Deps), test func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, network, change)
		test(r)
		r.close()
	})
}

func newRig(t *testing.T, network simnet.Config, change func(*lns.Config, *lns.Deps)) *rig {
	r := &rig{t: t, net: simnet.New(network), path: datapathtest.NewFake(), log: &logText{}}
	r.pools = newPools(t, "10.10.1.10-10.10.1.250")
	r.gateway = &swapGateway{now: newGateway(t, account("l2tpuser", "Admin@123"), account("bob", "secret"))}
	r.end = r.net.Endpoint(nil, serverAddr)
	r.config = testConfig()
	deps := lns.Deps{
		Sender: r.end, DataPath: r.path, AAA: r.gateway, Pools: r.pools,
		Log:  slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Rand: &lockedRand{source: rand.NewChaCha8([32]byte{7})},
	}
	if change != nil {
		change(r.config, &deps)
	}
	server, err := lns.New(r.config, deps)
	if err != nil {
		t.Fatal(err)
	}
	r.server = server
	r.listen()
	return r
}

// listen gives the server what arrives, one datagram a batch.
func (r *rig) listen() {
	receiver := r.server.Receiver()
	r.end.Handle(func(from datapath.Path, b []byte) {
		receiver.Datagram(from, b)
		receiver.Flush()
	})
}

// close ends the server, and checks that every lease came back and nothing is left in the data path.
func (r *rig) close() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r.server.Close(ctx)
	r.clients.Wait()
	r.net.Close()
	if leases, err := r.pools.Leases(ctx); err != nil || len(leases) != 0 {
		r.t.Errorf("leases left: %v %v", leases, err)
	}
	if left := r.path.Specs(); len(left) != 0 {
		r.t.Errorf("left in the data path: %v", left)
	}
	if r.t.Failed() {
		r.t.Logf("log of the server:\n%s", r.log.String())
	}
}

func testConfig() *lns.Config {
	limits := lns.DefaultLimits()
	return &lns.Config{
		Templates: []lns.Template{{Name: "vt1", Address: netip.MustParseAddr("10.10.0.1"), MRU: 1460, MSS: lns.MSSAuto,
			Methods: []aaa.Method{aaa.CHAP, aaa.MSCHAPv2, aaa.PAP}, EchoInterval: 30 * time.Second, EchoFailures: 4}},
		Groups: []lns.Group{{Name: "default", Template: "vt1", LocalName: "LNS", Hello: time.Minute, IdleTunnel: time.Minute,
			ProxyLCP: true, ReceiveWindow: 16}},
		Limits: limits,
	}
}

func newPools(t testing.TB, ranges string) *memory.Allocator {
	t.Helper()
	run, err := pool.ParseRange(ranges)
	if err != nil {
		t.Fatal(err)
	}
	m, err := memory.New(memory.Config{Pools: []pool.Pool{{Name: "pool1", Ranges: []pool.Range{run}}}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func account(name, password string) local.Account {
	return local.Account{Name: name, Credential: secret.Clear(aaa.NewSecret(password))}
}

func newGateway(t testing.TB, accounts ...local.Account) *aaa.Gateway {
	t.Helper()
	backend, err := local.New(accounts)
	if err != nil {
		t.Fatal(err)
	}
	g, err := aaa.NewGateway(aaa.Config{DefaultDomain: "default", Backends: []aaa.Backend{backend},
		Domains: []aaa.Domain{{Name: "default", Chain: []string{local.Name}, Pools: []string{"pool1"}}}})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// swapGateway is a gateway that a reload replaces.
type swapGateway struct {
	mu  sync.Mutex
	now aaa.Authenticator
}

func (s *swapGateway) set(g aaa.Authenticator) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = g
}

func (s *swapGateway) get() aaa.Authenticator {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *swapGateway) Authenticate(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	return s.get().Authenticate(ctx, r)
}

func (s *swapGateway) Authorize(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	return s.get().Authorize(ctx, r)
}

// client is one dialling peer and what it saw.
type client struct {
	ups    chan lac.Up
	ended  chan error
	cancel context.CancelFunc
	end    *simnet.Endpoint
	said   *logText
}

// dial starts a client with an endpoint of its own; the port is the last number of its address.
func (r *rig) dial(host int, user, password string, change ...func(*lac.ClientConfig)) *client {
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(host)}), 1701)
	return r.dialFrom(r.net.Endpoint(nil, addr), user, password, change...)
}

func (r *rig) dialFrom(end *simnet.Endpoint, user, password string, change ...func(*lac.ClientConfig)) *client {
	c := &client{ups: make(chan lac.Up, 8), ended: make(chan error, 1), end: end, said: &logText{}}
	cfg := lac.ClientConfig{
		Config: lac.Config{HostName: "laptop", Tunnel: 7, Talk: true, Rand: rand.NewChaCha8([32]byte{8})},
		Login: lac.Login{Session: 1, User: user, Magic: 4711, WantDNS: true,
			Credentials: secret.NewAnswerer(user, aaa.NewSecret(password), [16]byte{3}),
			Methods:     []aaa.Method{aaa.CHAP, aaa.MSCHAPv2, aaa.PAP}},
		Wire: wire{end},
		Up:   func(u lac.Up) error { c.ups <- u; return nil },
		Said: func(s lac.Said) { fmt.Fprintf(c.said, "%+v\n", s) },
	}
	for _, f := range change {
		f(&cfg)
	}
	lc := lac.NewClient(cfg)
	end.Handle(func(_ datapath.Path, b []byte) { lc.Deliver(b) })
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	r.clients.Go(func() { c.ended <- lc.Run(ctx) })
	return c
}

type wire struct{ end *simnet.Endpoint }

func (w wire) Send(b []byte) error { return w.end.Send(w.end.PathTo(serverAddr), b) }

// sleep lets virtual time pass, until everything that it set off has settled.
func (r *rig) sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// wantUp waits for the login to be complete.
func (r *rig) wantUp(c *client, within time.Duration) lac.Up {
	r.t.Helper()
	select {
	case u := <-c.ups:
		return u
	case err := <-c.ended:
		r.t.Errorf("the client ended: %v", err)
	case <-time.After(within):
		r.t.Errorf("the client is not up after %s\n%s", within, c.said.String())
	}
	return lac.Up{}
}

// wantEnd waits for the client to end.
func (r *rig) wantEnd(c *client, within time.Duration) error {
	r.t.Helper()
	select {
	case err := <-c.ended:
		return err
	case <-time.After(within):
		r.t.Errorf("the client has not ended after %s\n%s", within, c.said.String())
		return nil
	}
}

// logText is a log in memory.
type logText struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// traffic makes every session look as if its peer had sent a packet just now.
func (r *rig) traffic() {
	for _, spec := range r.path.Specs() {
		r.path.Session(spec.Key).SetCounters(datapath.Counters{RxPackets: 1, LastRx: time.Now()})
	}
}

// smallPool is a configuration with one address.
func smallPool(t *testing.T) memory.Config {
	t.Helper()
	run, err := pool.ParseRange("10.10.1.10")
	if err != nil {
		t.Fatal(err)
	}
	return memory.Config{Pools: []pool.Pool{{Name: "pool1", Ranges: []pool.Range{run}}}}
}

// lockedRand gives the same octets in every run, to many goroutines.
type lockedRand struct {
	mu     sync.Mutex
	source *rand.ChaCha8
}

func (r *lockedRand) Read(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.source.Read(b)
}
