package capture_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/local"
	"lnsgate/aaa/secret"
	"lnsgate/lns"
	"lnsgate/lns/capture"
	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/lac"
	"lnsgate/lns/recorder"
	"lnsgate/pool"
	"lnsgate/pool/memory"
	"lnsgate/test/simnet"

	"go.uber.org/goleak"
	"lnsgate/test/netns"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	password     = "Pa55word-of-the-tests"
	tunnelSecret = "tunnel secret"
)

var serverAddr = netip.MustParseAddrPort("192.0.2.1:1701")

// rig is a real engine on a simulated network with the hub at the edge, in virtual time.
type rig struct {
	t       *testing.T
	net     *simnet.Network
	end     *simnet.Endpoint
	path    *datapathtest.Fake
	hub     *capture.Hub
	server  *lns.Server
	sender  datapath.Sender // at whose edge the hub is
	clients sync.WaitGroup
}

func run(t *testing.T, change func(*lns.Config), test func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, change)
		defer r.close()
		test(r)
	})
}

func (r *rig) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r.server.Close(ctx)
	must(r.t, r.hub.Close())
	r.clients.Wait()
	r.net.Close()
}

func newRig(t *testing.T, change func(*lns.Config)) *rig {
	r := &rig{t: t, net: simnet.New(simnet.Config{Latency: 5 * time.Millisecond}), path: datapathtest.NewFake()}
	r.end = r.net.Endpoint(nil, serverAddr)
	log := recorder.New(recorder.Config{Node: "hq-1", Prefix: "x"})
	r.hub = capture.New(capture.Config{Program: "lnsgate test", Node: "hq-1", Watch: log.Watch, Known: r.known,
		Local: func(uint8) netip.AddrPort { return serverAddr }})
	r.sender = r.hub.Sender(r.end)
	config := &lns.Config{
		Templates: []lns.Template{{Name: "vt1", Address: netip.MustParseAddr("10.10.0.1"), MRU: 1460, MSS: lns.MSSAuto,
			Methods: []aaa.Method{aaa.CHAP, aaa.MSCHAPv2, aaa.PAP}, EchoInterval: 30 * time.Second, EchoFailures: 4}},
		Groups: []lns.Group{{Name: "default", Template: "vt1", LocalName: "LNS", Hello: time.Minute, IdleTunnel: time.Minute, ReceiveWindow: 16,
			Secret: aaa.NewSecret(tunnelSecret)}},
		Limits: lns.DefaultLimits(),
	}
	if change != nil {
		change(config)
	}
	var err error
	r.server, err = lns.New(config, lns.Deps{Node: "hq-1", Sender: r.sender, DataPath: r.path, AAA: gateway(t), Pools: pools(t),
		Recorder: log, Log: slog.New(slog.DiscardHandler), Rand: &lockedRand{source: rand.NewChaCha8([32]byte{7})}})
	must(t, err)
	receiver := r.hub.Receiver(r.server.Receiver())
	r.end.Handle(func(from datapath.Path, b []byte) {
		receiver.Datagram(from, b)
		receiver.Flush()
	})
	return r
}

func gateway(t *testing.T) *aaa.Gateway {
	t.Helper()
	var accounts []local.Account
	for _, name := range []string{"alice", "bob", "carol@sales"} {
		accounts = append(accounts, local.Account{Name: name, Credential: secret.Clear(aaa.NewSecret(password))})
	}
	backend, err := local.New(accounts)
	must(t, err)
	g, err := aaa.NewGateway(aaa.Config{DefaultDomain: "default", Backends: []aaa.Backend{backend}, Domains: []aaa.Domain{
		{Name: "default", Chain: []string{local.Name}, Pools: []string{"pool1"}},
		{Name: "sales", Chain: []string{local.Name}, Pools: []string{"pool1"}},
	}})
	must(t, err)
	return g
}

func pools(t *testing.T) *memory.Allocator {
	t.Helper()
	addresses, err := pool.ParseRange("10.10.1.10-10.10.1.250")
	must(t, err)
	m, err := memory.New(memory.Config{Pools: []pool.Pool{{Name: "pool1", Ranges: []pool.Range{addresses}}}})
	must(t, err)
	return m
}

func (r *rig) known() []capture.Known {
	var all []capture.Known
	for _, t := range r.server.Tunnels() {
		all = append(all, capture.Known{Peer: t.Remote, Tunnel: t.LocalID, PeerTunnel: t.RemoteID})
	}
	for _, s := range r.server.Sessions() {
		all = append(all, capture.Known{Peer: s.Remote, Tunnel: s.LocalTunnel, PeerTunnel: s.RemoteTunnel, Session: s.LocalID, PeerSession: s.RemoteID,
			ID: s.UID, Name: s.User, Account: s.Account, Domain: s.Domain, Open: !s.OpenSince.IsZero()})
	}
	return all
}

// client is somebody who dials in.
type client struct {
	up     chan lac.Up
	ended  chan error
	hangUp context.CancelFunc
}

func (r *rig) dial(host byte, user, password string, methods ...aaa.Method) *client {
	return r.dialFrom(r.endpoint(host), user, password, methods...)
}

func (r *rig) endpoint(host byte) *simnet.Endpoint {
	return r.net.Endpoint(nil, netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, host}), 1701))
}

func (r *rig) dialFrom(end *simnet.Endpoint, user, password string, methods ...aaa.Method) *client {
	if len(methods) == 0 {
		methods = []aaa.Method{aaa.CHAP}
	}
	c := &client{up: make(chan lac.Up, 1), ended: make(chan error, 1)}
	dialler := lac.NewClient(lac.ClientConfig{
		Config: lac.Config{HostName: "laptop", Tunnel: 7, Secret: l2tp.Secret(tunnelSecret), Rand: rand.NewChaCha8([32]byte{8})},
		Login: lac.Login{Session: 1, User: user, Magic: 4711, WantDNS: true,
			Credentials: secret.NewAnswerer(user, aaa.NewSecret(password), [16]byte{3}), Methods: methods},
		Wire: wire{end},
		Up:   func(u lac.Up) error { c.up <- u; return nil },
	})
	end.Handle(func(_ datapath.Path, b []byte) { dialler.Deliver(b) })
	ctx, hangUp := context.WithCancel(context.Background())
	c.hangUp = hangUp
	r.clients.Go(func() { c.ended <- dialler.Run(ctx) })
	return c
}

type wire struct{ end *simnet.Endpoint }

func (w wire) Send(b []byte) error { return w.end.Send(w.end.PathTo(serverAddr), b) }

// login waits until the client is in.
func (r *rig) login(c *client) {
	r.t.Helper()
	select {
	case <-c.up:
		synctest.Wait()
	case err := <-c.ended:
		r.t.Fatalf("not logged in: %v", err)
	case <-time.After(20 * time.Second):
		r.t.Fatal("not logged in")
	}
}

// logout has the client hang up, and waits until all has been said.
func (r *rig) logout(c *client) {
	c.hangUp()
	<-c.ended
	r.pause(5 * time.Second)
}

func (r *rig) pause(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (r *rig) arm(request capture.Request) *capture.Capture {
	r.t.Helper()
	c, err := r.hub.Arm(request)
	must(r.t, err)
	return c
}

// finish ends a capture and returns the file.
func finish(t *testing.T, c *capture.Capture) []byte {
	t.Helper()
	c.Close()
	var file bytes.Buffer
	for {
		b, err := c.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return file.Bytes()
		}
		must(t, err)
		file.Write(b)
	}
}

// tshark reads a file and returns the fields of its packets, one line for each.
func tshark(t *testing.T, file []byte, fields ...string) []string {
	t.Helper()
	netns.RequireProgram(t, "tshark")
	name := filepath.Join(t.TempDir(), "capture.pcapng")
	must(t, os.WriteFile(name, file, 0o600))
	args := []string{"-n", "-r", name, "-T", "fields", "-E", "separator=|", "-E", "occurrence=a"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	var complaints strings.Builder
	command := exec.Command("tshark", args...)
	command.Stderr = &complaints
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &complaints)
	}
	text := strings.TrimRight(string(output), "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
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

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
