package eapol_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"lnsgate/aaa"
	"lnsgate/aaa/radius"
	"lnsgate/aaa/radius/client"
	"lnsgate/lns"
	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
	"lnsgate/lns/lac"
	"lnsgate/pool"
	"lnsgate/pool/memory"
	"lnsgate/test/eapol"
	"lnsgate/test/radtest"
	"lnsgate/test/simnet"
)

const users = `alice@sales.example Cleartext-Password := "secret"
	Class = "red",
	Session-Timeout = 3600,
	User-Name = "alice-4711"
`

var serverAddress = netip.MustParseAddrPort("192.0.2.1:1701")

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// books keeps accounting records.
type books struct {
	mu      sync.Mutex
	records []aaa.Record
}

func (b *books) Account(r aaa.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records = append(b.records, r)
}

func (b *books) last() aaa.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.records) == 0 {
		return aaa.Record{}
	}
	return b.records[len(b.records)-1]
}

// world is the engine on a network in memory, with a real RADIUS server behind it.
type world struct {
	t      *testing.T
	net    *simnet.Network
	server *lns.Server
	books  *books
}

func newWorld(t *testing.T, network simnet.Config, s *radtest.Server) *world {
	t.Helper()
	w := &world{t: t, net: simnet.New(network), books: &books{}}
	group, err := client.New(client.Config{Name: "hq", Servers: []client.Server{
		{Name: "free", Address: s.Auth().String(), Secret: aaa.NewSecret(s.Secret())},
	}})
	must(t, err)
	t.Cleanup(group.Close)
	backend, err := radius.New(radius.Config{Name: "hq", Group: group, NAS: radius.NAS{Identifier: "lns1"}})
	must(t, err)
	gateway, err := aaa.NewGateway(aaa.Config{Backends: []aaa.Backend{backend},
		Domains: []aaa.Domain{{Name: "sales.example", Chain: []string{"hq"}, Pools: []string{"pool1"}}}})
	must(t, err)
	run, err := pool.ParseRange("10.10.1.10-10.10.1.250")
	must(t, err)
	pools, err := memory.New(memory.Config{Pools: []pool.Pool{{Name: "pool1", Ranges: []pool.Range{run}}}})
	must(t, err)
	end := w.net.Endpoint(nil, serverAddress)
	w.server, err = lns.New(&lns.Config{
		Templates: []lns.Template{{Name: "vt1", Address: netip.MustParseAddr("10.10.0.1"), MRU: 1460, Methods: []aaa.Method{aaa.EAP}}},
		Groups:    []lns.Group{{Name: "default", Template: "vt1", LocalName: "LNS", ReceiveWindow: 16}},
		Limits:    lns.DefaultLimits(),
	}, lns.Deps{Node: "node1", Sender: end, DataPath: datapathtest.NewFake(), AAA: gateway, Pools: pools, Accounter: w.books,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	must(t, err)
	receiver := w.server.Receiver()
	end.Handle(func(from datapath.Path, b []byte) {
		receiver.Datagram(from, b)
		receiver.Flush()
	})
	return w
}

// dial logs in over a link of its own, and stays until the test ends.
func (w *world) dial(peer *eapol.Peer) error {
	w.t.Helper()
	end := w.net.Endpoint(nil, netip.MustParseAddrPort("198.51.100.7:1701"))
	up := make(chan lac.Up, 1)
	c := lac.NewClient(lac.ClientConfig{
		Config: lac.Config{HostName: "laptop", Tunnel: 7},
		Login: lac.Login{Session: 1, User: "unused", Magic: 4711, Credentials: peer, Methods: []aaa.Method{aaa.EAP},
			Timeout: time.Minute},
		Wire: wire{end},
		Up:   func(u lac.Up) error { up <- u; return nil },
	})
	end.Handle(func(_ datapath.Path, b []byte) { c.Deliver(b) })
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		<-ended
		stop, done := context.WithTimeout(context.Background(), 5*time.Second)
		defer done()
		w.server.Close(stop)
		w.net.Close()
	})
	select {
	case <-up:
		return nil
	case err := <-ended:
		ended <- err
		return err
	}
}

type wire struct{ end *simnet.Endpoint }

func (w wire) Send(b []byte) error { return w.end.Send(w.end.PathTo(serverAddress), b) }

// networks are the methods as eapol_test is told of them. What it sends is cut into fragments as well as what it gets.
func networks(s *radtest.Server) map[string]string {
	c := s.Certificates()
	const who = "\nidentity=\"alice@sales.example\"\npassword=\"secret\"\nfragment_size=200"
	return map[string]string{
		"MD5":      "eap=MD5" + who,
		"MSCHAPv2": "eap=MSCHAPV2" + who,
		"PEAP":     fmt.Sprintf("eap=PEAP\nphase2=\"auth=MSCHAPV2\"\nca_cert=%q", c.CA) + who,
		"TTLS":     fmt.Sprintf("eap=TTLS\nphase2=\"auth=PAP\"\nca_cert=%q", c.CA) + who,
		"TLS":      fmt.Sprintf("eap=TLS\nca_cert=%q\nclient_cert=%q\nprivate_key=%q", c.CA, c.ClientCert, c.ClientKey) + who,
	}
}

// Real supplicant, real PPP over L2TP, real RADIUS server: over a good line, and over one that loses and doubles.
func TestTheFiveMethods(t *testing.T) {
	defer goleak.VerifyNone(t)
	s := radtest.Start(t, radtest.Options{Users: users, Fragment: 400})
	for line, network := range map[string]simnet.Config{
		"good": {Latency: time.Millisecond},
		"bad":  {Latency: time.Millisecond, Loss: 0.03, Duplicate: 0.1, Reorder: 0.02, Seed: 11},
	} {
		for method, settings := range networks(s) {
			t.Run(line+"/"+method, func(t *testing.T) {
				w := newWorld(t, network, s)
				peer := eapol.Start(t, settings)
				must(t, w.dial(peer))
				if output, ok := peer.Outcome(); !ok || !strings.Contains(output, "SUCCESS") {
					t.Errorf("the supplicant does not believe it:\n%s", output)
				}
				// What FreeRADIUS grants inside of PEAP and TTLS stays inside unless it is told otherwise.
				inside, start := method == "PEAP" || method == "TTLS", w.books.last()
				if start.Kind != aaa.RecordStart || !inside && (start.UserName != "alice-4711" || len(start.Class) != 1 || string(start.Class[0]) != "red") {
					t.Errorf("%+v", start)
				}
				if (inside || method == "TLS") && peer.Turns() < 6 {
					t.Errorf("only %d turns: nothing came in fragments", peer.Turns())
				}
			})
		}
	}
}

func TestAWrongPasswordIsRefusedToTheSupplicant(t *testing.T) {
	s := radtest.Start(t, radtest.Options{Users: users})
	for method, settings := range networks(s) {
		if method == "TLS" {
			continue // it has none
		}
		t.Run(method, func(t *testing.T) {
			w := newWorld(t, simnet.Config{Latency: time.Millisecond}, s)
			peer := eapol.Start(t, strings.Replace(settings, `"secret"`, `"sesame"`, 1))
			if err := w.dial(peer); err == nil {
				t.Error("it got in")
			}
			if output, ok := peer.Outcome(); ok {
				t.Errorf("the supplicant believes that it got in:\n%s", output)
			}
		})
	}
}
