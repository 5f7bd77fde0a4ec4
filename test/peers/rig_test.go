package peers_test

import (
	"context"
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
	"lnsgate/pool"
	"lnsgate/pool/memory"
	"lnsgate/test/peers"
	"lnsgate/test/simnet"
)

var serverAddr = netip.MustParseAddrPort("192.0.2.1:1701")

const (
	userName = "l2tpuser"
	password = "Admin@123"
)

// lab is a server on a simulated network, in a bubble of virtual time, as an administrator would have set it up who has
// never heard of any of these clients.
type lab struct {
	t      *testing.T
	net    *simnet.Network
	server *lns.Server
	end    *simnet.Endpoint
	path   *datapathtest.Fake
	config *lns.Config
	deps   lns.Deps
	logins *countedLogins
	log    *logText
	hosts  byte
	hangUp []func()
}

// inLab runs a test in a lab, and looks at its end that nothing is left over.
func inLab(t *testing.T, change func(*lab), test func(*lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, change)
		test(l)
		l.close()
	})
}

func newLab(t *testing.T, change func(*lab)) *lab {
	l := &lab{t: t, net: simnet.New(simnet.Config{Latency: 5 * time.Millisecond}), path: datapathtest.NewFake(), log: &logText{}}
	l.end = l.net.Endpoint(nil, serverAddr)
	l.logins = &countedLogins{Authenticator: gateway(t, userName, userName+"@default")}
	l.config = &lns.Config{
		Templates: []lns.Template{{Name: "vt1", Address: netip.MustParseAddr("10.10.0.1"), MRU: 1460, MSS: lns.MSSAuto,
			DNS:     [2]netip.Addr{netip.MustParseAddr("10.1.1.53"), netip.MustParseAddr("10.1.2.53")},
			Methods: []aaa.Method{aaa.CHAP, aaa.MSCHAPv2, aaa.PAP}, EchoInterval: 30 * time.Second, EchoFailures: 4}},
		Groups: []lns.Group{{Name: "default", Template: "vt1", LocalName: "LNS", Hello: time.Minute, IdleTunnel: time.Minute,
			ProxyLCP: true, ReceiveWindow: 16}},
		Limits: lns.DefaultLimits(),
	}
	l.deps = lns.Deps{
		Sender: l.end, DataPath: l.path, AAA: l.logins, Pools: pools(t, "10.10.1.10-10.10.1.250"),
		Log:  slog.New(slog.NewTextHandler(l.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Rand: &lockedRand{source: rand.NewChaCha8([32]byte{7})},
	}
	if change != nil {
		change(l)
	}
	server, err := lns.New(l.config, l.deps)
	if err != nil {
		t.Fatal(err)
	}
	l.server = server
	l.listen()
	return l
}

func (l *lab) listen() {
	receiver := l.server.Receiver()
	l.end.Handle(func(from datapath.Path, b []byte) {
		receiver.Datagram(from, b)
		receiver.Flush()
	})
}

func (l *lab) close() {
	l.t.Helper()
	for _, f := range l.hangUp {
		f()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	l.server.Close(ctx)
	l.net.Close()
	if left := l.path.Specs(); len(left) != 0 {
		l.t.Errorf("left in the data path: %v", left)
	}
	if l.t.Failed() {
		l.t.Logf("log of the server:\n%s", l.log.String())
	}
}

// peer puts a peer on the network that has not dialled yet.
func (l *lab) peer(p peers.Profile) *peers.Peer {
	l.hosts++
	port := p.Port
	if port == 0 {
		port = 50000 + uint16(l.hosts)
	}
	return l.peerAt(p, l.net.Endpoint(nil, netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, l.hosts}), port)))
}

func (l *lab) peerAt(p peers.Profile, end *simnet.Endpoint) *peers.Peer {
	return l.peerTo(serverAddr, p, end)
}

// peerTo puts a peer on the network that knows the server by this address.
func (l *lab) peerTo(to netip.AddrPort, p peers.Profile, end *simnet.Endpoint) *peers.Peer {
	login := peers.Login{User: userName, Answer: secret.NewAnswerer(userName, aaa.NewSecret(password), [16]byte{3})}
	peer := peers.New(p, login, func(b []byte) {
		if err := end.Send(end.PathTo(to), b); err != nil {
			l.t.Error(err)
		}
	})
	end.Handle(func(_ datapath.Path, b []byte) { peer.Deliver(b) })
	return peer
}

// connect puts a peer on the network and expects it to be up soon.
func (l *lab) connect(p peers.Profile) *peers.Peer {
	l.t.Helper()
	peer := l.peer(p)
	l.dial(peer)
	return peer
}

func (l *lab) dial(peer *peers.Peer) {
	l.t.Helper()
	if err := peer.Connect(20 * time.Second); err != nil {
		l.t.Fatalf("%v\nlog of the server:\n%s", err, l.log.String())
	}
	l.understood(peer)
}

// understood says that the real peer would have understood all that the server said.
func (l *lab) understood(peer *peers.Peer) {
	l.t.Helper()
	for _, fault := range peer.Faults() {
		l.t.Errorf("%s: %s\n%s", peer.Profile.Name, fault, peer.Transcript())
	}
}

// wantTunnels says how many tunnels the server should have.
func (l *lab) wantTunnels(n int) {
	l.t.Helper()
	synctest.Wait()
	if got := l.server.Tunnels(); len(got) != n {
		l.t.Errorf("%d tunnels, want %d: %+v", len(got), n, got)
	}
}

func (l *lab) wantSessions(n int) []lns.SessionInfo {
	l.t.Helper()
	synctest.Wait()
	got := l.server.Sessions()
	if len(got) != n {
		l.t.Fatalf("%d sessions, want %d: %+v", len(got), n, got)
	}
	return got
}

// wantCount says how often the server has counted something.
func (l *lab) wantCount(name string, n uint64) {
	l.t.Helper()
	synctest.Wait()
	if got := l.server.Counters()[name]; got != n {
		l.t.Errorf("%s: %d, want %d", name, got, n)
	}
}

// countedLogins counts what back ends are asked, and may be slow.
type countedLogins struct {
	aaa.Authenticator
	mu    sync.Mutex
	names []string
	delay time.Duration
}

func (c *countedLogins) Authenticate(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	c.mu.Lock()
	c.names = append(c.names, r.Name)
	c.mu.Unlock()
	if c.delay > 0 {
		select {
		case <-time.After(c.delay):
		case <-ctx.Done():
			return aaa.Decision{}, ctx.Err()
		}
	}
	return c.Authenticator.Authenticate(ctx, r)
}

func (c *countedLogins) asked() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.names...)
}

func gateway(t *testing.T, names ...string) *aaa.Gateway {
	t.Helper()
	var accounts []local.Account
	for _, n := range names {
		accounts = append(accounts, local.Account{Name: n, Credential: secret.Clear(aaa.NewSecret(password))})
	}
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

func pools(t *testing.T, ranges string) *memory.Allocator {
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

type lockedRand struct {
	mu     sync.Mutex
	source *rand.ChaCha8
}

func (r *lockedRand) Read(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.source.Read(b)
}
