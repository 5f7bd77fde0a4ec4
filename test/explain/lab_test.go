package explain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/aaa/local"
	"lnsgate/aaa/secret"
	"lnsgate/lns"
	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
	"lnsgate/lns/quirk"
	"lnsgate/lns/recorder"
	"lnsgate/lns/trace"
	"lnsgate/pool"
	"lnsgate/pool/memory"
	"lnsgate/test/peers"
	"lnsgate/test/simnet"
)

var serverAddr = netip.MustParseAddrPort("192.0.2.1:1701")

// What must never be in a record or a log.
const (
	password     = "Sesam-7f3a9c"
	wrong        = "Sesam-wr0ng-11"
	tunnelSecret = "Tunnel-5ecret-22"
	radiusSecret = "Radius-5ecret-33"
)

// row is one way to provoke a cause.
type row struct {
	cause trace.Cause
	how   string       // in words
	set   func(l *lab) // changes the usual configuration; nil: it will do
	play  func(l *lab)
	says  []string // that the detail has to have
}

// lab is a real server on a simulated network, with a recorder.
type lab struct {
	t        *testing.T
	net      *simnet.Network
	server   *lns.Server
	end      *simnet.Endpoint
	path     *faultyPath
	config   *lns.Config
	deps     lns.Deps
	domain   aaa.Domain // the default one
	accounts []local.Account
	pools    []pool.Pool
	fake     *aaatest.Fake // asked behind the accounts, in place of a server that misbehaves
	gateway  *swapped
	recorder *recorder.Recorder
	log      *logText
	hosts    byte
}

func newLab(t *testing.T, set func(*lab)) *lab {
	t.Helper()
	l := &lab{t: t, net: simnet.New(simnet.Config{Latency: 5 * time.Millisecond}), path: &faultyPath{Fake: datapathtest.NewFake()}, log: &logText{}}
	l.end = l.net.Endpoint(nil, serverAddr)
	l.recorder = recorder.New(recorder.Config{Node: "hq1", Prefix: "hq1-"})
	l.fake = aaatest.NewFake("elsewhere")
	l.accounts = []local.Account{account("alice"), account("bob@default")}
	l.pools = []pool.Pool{{Name: "pool1", Ranges: []pool.Range{mustRange("10.10.1.10-10.10.1.250")}}}
	l.domain = aaa.Domain{Name: "default", Chain: []string{local.Name, "elsewhere"}, Pools: []string{"pool1"}}
	l.config = &lns.Config{
		Templates: []lns.Template{{Name: "vt1", Address: netip.MustParseAddr("10.10.0.1"), MRU: 1460,
			Methods: []aaa.Method{aaa.CHAP}, EchoInterval: 30 * time.Second, EchoFailures: 4}},
		Groups: []lns.Group{{Name: "default", Template: "vt1", LocalName: "LNS", Hello: time.Minute, IdleTunnel: time.Minute, ReceiveWindow: 16,
			Profile: quirk.Off}},
		Limits: lns.DefaultLimits(),
	}
	l.deps = lns.Deps{Node: "hq1", Sender: l.end, DataPath: l.path, Recorder: l.recorder,
		Log: slog.New(slog.NewTextHandler(l.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if set != nil {
		set(l)
	}
	l.start()
	return l
}

// start makes what was not set, and serves.
func (l *lab) start() {
	l.t.Helper()
	l.gateway = &swapped{}
	if l.deps.AAA == nil {
		l.regate()
		l.deps.AAA = l.gateway
	}
	if l.deps.Pools == nil {
		m, err := memory.New(memory.Config{Pools: l.pools})
		l.must(err)
		l.deps.Pools = m
	}
	server, err := lns.New(l.config, l.deps)
	l.must(err)
	l.server = server
	receiver := server.Receiver()
	l.end.Handle(func(from datapath.Path, b []byte) {
		receiver.Datagram(from, b)
		receiver.Flush()
	})
}

// regate has logins be decided by the accounts and the domain as they are now.
func (l *lab) regate() {
	l.t.Helper()
	backend, err := local.New(l.accounts)
	l.must(err)
	off := aaa.Domain{Name: "off", Chain: []string{local.Name}, Blocked: true}
	g, err := aaa.NewGateway(aaa.Config{DefaultDomain: "default", Backends: []aaa.Backend{backend, l.fake}, Domains: []aaa.Domain{l.domain, off},
		Possible: ours})
	l.must(err)
	l.gateway.set(g)
}

// ours refuses what would give a peer the address of our end.
func ours(d *aaa.Decision) error {
	if d.Address == netip.MustParseAddr("10.10.0.1") {
		return errors.New("no peer can have the address of a virtual template")
	}
	return nil
}

func (l *lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// close ends the server, for whose goodbyes nobody listens.
func (l *lab) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	l.server.Close(ctx)
	l.net.Close()
}

// plain is a peer without peculiarities.
func plain() peers.Profile {
	return peers.Profile{
		Name:   "plain",
		Start:  []peers.AVP{peers.Number(2, 0x0100), peers.Text(7, "laptop"), peers.Long(3, 3), peers.AssignedTunnel, peers.Number(10, 4)},
		Window: 4, Resend: time.Second, Tries: 6,
		Call:    []peers.AVP{peers.Long(18, 0)},
		Link:    []peers.Option{peers.Opt(5, 0x39, 0x5a, 0x11, 0x7c)},
		Methods: []peers.Method{peers.MethodCHAP},
		Network: []peers.Proposal{{Protocol: peers.IPCP, Options: []peers.Option{peers.Opt(3, 0, 0, 0, 0)}}},
	}
}

// peer puts a peer on the network that knows this name and password.
func (l *lab) peer(user, password string, change ...func(*peers.Profile)) *peers.Peer {
	l.hosts++
	return l.peerAt(l.net.Endpoint(nil, netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, l.hosts}), 1701)), user, password, change...)
}

func (l *lab) peerAt(end *simnet.Endpoint, user, password string, change ...func(*peers.Profile)) *peers.Peer {
	profile := plain()
	for _, c := range change {
		c(&profile)
	}
	login := peers.Login{User: user, Answer: secret.NewAnswerer(user, aaa.NewSecret(password), [16]byte{3})}
	peer := peers.New(profile, login, func(b []byte) { _ = end.Send(end.PathTo(serverAddr), b) })
	end.Handle(func(_ datapath.Path, b []byte) { peer.Deliver(b) })
	return peer
}

// alice is a peer that logs in well.
func (l *lab) alice(change ...func(*peers.Profile)) *peers.Peer {
	return l.peer("alice", password, change...)
}

// up has a peer log in, which has to work.
func (l *lab) up(p *peers.Peer) *peers.Peer {
	l.t.Helper()
	l.must(p.Connect(20 * time.Second))
	p.Run(100 * time.Millisecond)
	return p
}

// fails has a peer dial and live on until it is over, at most for a while.
func (l *lab) fails(p *peers.Peer, within time.Duration) {
	p.Dial()
	p.Until(within, func() bool { return p.Closed() != nil })
	p.Run(100 * time.Millisecond)
}

// attempts are those with this verdict.
func (l *lab) attempts(c trace.Cause) []trace.Attempt {
	found, err := l.recorder.Find(context.Background(), trace.Filter{Causes: []trace.Cause{c}})
	l.must(err)
	return found
}

// verdicts lists what was recorded, for whoever looks for a fault.
func (l *lab) verdicts() string {
	var b strings.Builder
	found, _ := l.recorder.Find(context.Background(), trace.Filter{})
	for _, a := range found {
		fmt.Fprintf(&b, "\n  %s: %s %v", a.ID, a.Verdict.Cause.Name(), a.Verdict)
	}
	return b.String()
}

// judge checks that the row was explained.
func (l *lab) judge(r row) {
	l.t.Helper()
	found := l.attempts(r.cause)
	if len(found) == 0 {
		l.t.Fatalf("not explained as %s, but:%s", r.cause.Name(), l.verdicts())
	}
	a := found[0]
	for _, words := range r.says {
		if !strings.Contains(a.Verdict.Detail, words) {
			l.t.Errorf("the detail %q does not say %q", a.Verdict.Detail, words)
		}
	}
	if a.Peer.Addr().Unmap().As4()[0] != 198 {
		l.t.Errorf("the peer is %s", a.Peer)
	}
	if lost := l.attempts(trace.Unknown); len(lost) > 0 {
		l.t.Errorf("%d attempts have no verdict", len(lost))
	}
	l.t.Logf("%v", a.Verdict)
	l.noSecrets()
}

// noSecrets looks for secrets in all that was recorded and logged.
func (l *lab) noSecrets() {
	l.t.Helper()
	found, err := l.recorder.Find(context.Background(), trace.Filter{Limit: recorder.MaxLimit})
	l.must(err)
	record, err := json.Marshal(found)
	l.must(err)
	for _, s := range []string{password, wrong, tunnelSecret, radiusSecret} {
		if strings.Contains(string(record), s) || strings.Contains(l.log.String(), s) {
			l.t.Errorf("the secret %q is in the record or the log", s)
		}
	}
}

func account(name string) local.Account {
	return local.Account{Name: name, Credential: secret.Clear(aaa.NewSecret(password))}
}

func mustRange(text string) pool.Range {
	r, err := pool.ParseRange(text)
	if err != nil {
		panic(err)
	}
	return r
}

// swapped is a gateway that an administrator changes.
type swapped struct {
	mu  sync.Mutex
	now aaa.Authenticator
}

func (s *swapped) set(g aaa.Authenticator) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = g
}

func (s *swapped) get() aaa.Authenticator {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Authenticate asks the gateway of this moment.
func (s *swapped) Authenticate(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	return s.get().Authenticate(ctx, r)
}

// Authorize does the same.
func (s *swapped) Authorize(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	return s.get().Authorize(ctx, r)
}

// faultyPath is a data path that takes no sessions when it is told so.
type faultyPath struct {
	*datapathtest.Fake
	fault error
}

// Add fails with the fault.
func (p *faultyPath) Add(s datapath.Spec) (datapath.Session, error) {
	if p.fault != nil {
		return nil, p.fault
	}
	return p.Fake.Add(s)
}

// faultyPools are pools that cannot be asked.
type faultyPools struct {
	pool.Allocator
	fault error
}

// Allocate fails with the fault.
func (p *faultyPools) Allocate(context.Context, pool.Request) (pool.Lease, error) {
	return pool.Lease{}, p.fault
}

// logText gathers the log.
type logText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// names tells causes apart in a list.
func names(causes []trace.Cause) string {
	var all []string
	for _, c := range causes {
		all = append(all, c.Name())
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
