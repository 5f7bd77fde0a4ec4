package admin

import (
	"context"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns"
	"lnsgate/pool"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is what the server's clock says in every test.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fakeEngine tells what it is given and remembers what was kicked.
type fakeEngine struct {
	tunnels  []lns.TunnelInfo
	sessions []lns.SessionInfo
	err      error

	mu     sync.Mutex
	kicked []string
	at     map[lns.SessionRef]int // where sessions stand
	asked  []int                  // how many sessions all was asked about at once
}

func (e *fakeEngine) Tunnels() []lns.TunnelInfo { return append([]lns.TunnelInfo(nil), e.tunnels...) }

func (e *fakeEngine) EachSession(_ context.Context, show func(*lns.SessionHead)) {
	for i := range e.sessions {
		head := e.sessions[i].Head()
		show(&head)
	}
}

func (e *fakeEngine) SessionInfos(_ context.Context, refs []lns.SessionRef) (list []lns.SessionInfo) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.at) != len(e.sessions) {
		e.at = make(map[lns.SessionRef]int, len(e.sessions))
	}
	for i := range e.sessions {
		if len(e.at) == len(e.sessions) {
			break
		}
		e.at[lns.SessionRef{Tunnel: e.sessions[i].LocalTunnel, Session: e.sessions[i].LocalID}] = i
	}
	e.asked = append(e.asked, len(refs))
	for _, ref := range refs {
		if i, open := e.at[ref]; open {
			list = append(list, e.sessions[i])
		}
	}
	return list
}

func (e *fakeEngine) Counters() map[string]uint64 {
	return map[string]uint64{"logins": 3, "drop_version": 1}
}

func (e *fakeEngine) Kick(_ context.Context, who, reason string) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.kicked = append(e.kicked, who+" because "+reason)
	n := 0
	for _, s := range e.sessions {
		if s.Name == who || s.User == who {
			n++
		}
	}
	return n, e.err
}

type fakePools struct {
	usage []pool.Usage
	err   error
}

func (p fakePools) Usage(context.Context) ([]pool.Usage, error) { return p.usage, p.err }

func twoTunnels() *fakeEngine {
	return &fakeEngine{
		tunnels: []lns.TunnelInfo{
			{LocalID: 900, RemoteID: 2, Remote: netip.MustParseAddrPort("[2001:db8::1]:1701"), HostName: "lac2", State: "wait-ctl-conn"},
			{LocalID: 12, RemoteID: 1, Remote: netip.MustParseAddrPort("[::ffff:192.0.2.9]:50123"), Local: netip.MustParseAddr("198.51.100.1"),
				HostName: "anna-pc", Vendor: "Microsoft", Group: "default", State: "established", Sessions: 2,
				Since: noon.Add(-90 * time.Second), LastHeard: noon.Add(-time.Second)},
		},
		sessions: []lns.SessionInfo{
			{Name: "12/300", LocalTunnel: 12, LocalID: 300, User: "bert@sales", Account: "bert", Domain: "sales", Phase: "authenticating"},
			{Name: "12/7", LocalTunnel: 12, LocalID: 7, RemoteTunnel: 1, RemoteID: 1, Remote: netip.MustParseAddrPort("192.0.2.9:50123"),
				HostName: "anna-pc", User: "l2tpuser", Account: "l2tpuser", Domain: "default", VirtualTemplate: "vt1",
				Address: netip.MustParseAddr("10.10.1.10"), Pool: "pool1", Phase: "open", Method: "chap", MRU: 1460, PeerMRU: 1400,
				Since: noon.Add(-80 * time.Second), OpenSince: noon.Add(-79500 * time.Millisecond), SessionTimeout: 8 * time.Hour,
				IdleTimeout: 1500 * time.Millisecond},
		},
	}
}

func twoDomains() ([]aaa.Domain, string) {
	return []aaa.Domain{
		{Name: "sales", Aliases: []string{"vertrieb"}, Chain: []string{"local"}, Pools: []string{"pool2", "pool1"},
			Methods: []aaa.Method{aaa.CHAP, aaa.MSCHAPv2}, DNS: [2]netip.Addr{netip.MustParseAddr("10.0.0.53")},
			SessionTimeout: time.Hour, MTU: 1400, VirtualTemplate: "vt2"},
		{Name: "default"},
	}, "default"
}

// start runs a server on a socket of its own and returns a client of it. Both end with the test.
func start(t *testing.T, cfg Config) *Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lnsgate.sock")
	listener, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Now = func() time.Time { return noon }
	server := New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	client := NewClient(path)
	t.Cleanup(func() {
		client.Close()
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return client
}
