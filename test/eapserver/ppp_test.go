package eapserver

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/eap"
	"lnsgate/lns"
	"lnsgate/lns/datapath"
	"lnsgate/lns/datapath/datapathtest"
	"lnsgate/lns/lac"
	"lnsgate/pool"
	"lnsgate/pool/memory"
	"lnsgate/test/eapol"
	"lnsgate/test/simnet"
)

var lnsAddress = netip.MustParseAddrPort("192.0.2.1:1701")

// books keeps accounting records.
type books struct {
	mu   sync.Mutex
	last aaa.Record
}

func (b *books) Account(r aaa.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = r
}

func (b *books) read() aaa.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}

// dial logs in over PPP and L2TP, and tells what was written down. The error is why it is not in.
func (r *rig) dial(network simnet.Config, peer *eapol.Peer) (aaa.Record, error) {
	r.t.Helper()
	net, kept := simnet.New(network), &books{}
	run, err := pool.ParseRange("10.10.1.10-10.10.1.250")
	must(r.t, err)
	pools, err := memory.New(memory.Config{Pools: []pool.Pool{{Name: "pool1", Ranges: []pool.Range{run}}}})
	must(r.t, err)
	end := net.Endpoint(nil, lnsAddress)
	server, err := lns.New(&lns.Config{
		Templates: []lns.Template{{Name: "vt1", Address: netip.MustParseAddr("10.10.0.1"), MRU: 1460, Methods: []aaa.Method{aaa.EAP}}},
		Groups:    []lns.Group{{Name: "default", Template: "vt1", LocalName: "LNS", ReceiveWindow: 16}},
		Limits:    lns.DefaultLimits(),
	}, lns.Deps{Node: "node1", Sender: end, DataPath: datapathtest.NewFake(), AAA: r, Pools: pools, Accounter: kept,
		Log: slog.New(slog.NewTextHandler(r.t.Output(), nil))})
	must(r.t, err)
	receiver := server.Receiver()
	end.Handle(func(from datapath.Path, b []byte) {
		receiver.Datagram(from, b)
		receiver.Flush()
	})
	own := net.Endpoint(nil, netip.MustParseAddrPort("198.51.100.7:1701"))
	up := make(chan struct{})
	client := lac.NewClient(lac.ClientConfig{
		Config: lac.Config{HostName: "laptop", Tunnel: 7},
		Login:  lac.Login{Session: 1, User: "unused", Magic: 4711, Credentials: peer, Methods: []aaa.Method{aaa.EAP}, Timeout: time.Minute},
		Wire:   wire{own},
		Up:     func(lac.Up) error { close(up); return nil },
	})
	own.Handle(func(_ datapath.Path, b []byte) { client.Deliver(b) })
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- client.Run(ctx) }()
	select {
	case <-up:
	case err = <-ended:
		ended <- nil
	}
	record := kept.read()
	cancel()
	<-ended
	stop, done := context.WithTimeout(context.Background(), 5*time.Second)
	defer done()
	server.Close(stop)
	net.Close()
	return record, err
}

type wire struct{ end *simnet.Endpoint }

func (w wire) Send(b []byte) error { return w.end.Send(w.end.PathTo(lnsAddress), b) }

// Accounts of a file log in by EAP over PPP as well, over a good line, and over one that loses and doubles.
func TestEachMethodOverPPP(t *testing.T) {
	for line, network := range map[string]simnet.Config{
		"good": {Latency: time.Millisecond},
		"bad":  {Latency: time.Millisecond, Loss: 0.03, Duplicate: 0.1, Reorder: 0.02, Seed: 11},
	} {
		t.Run(line, func(t *testing.T) {
			r := newRig(t, func(c *eap.Config) { c.FragmentSize = 400 })
			ways := r.ways("alice@dept.example")
			for _, name := range []string{"MD5", "MSCHAPv2", "TLS 1.2", "TLS 1.3", "PEAP/MSCHAPv2", "TTLS/PAP"} {
				peer := eapol.Start(t, ways[name].lines+"\nfragment_size=200")
				record, err := r.dial(network, peer)
				if output, ok := peer.Outcome(); err != nil || !ok {
					t.Errorf("%s: %v, %v\n%s", name, err, r.last().no, output)
				}
				if record.Kind != aaa.RecordStart || record.Account != "alice@dept.example" || record.Domain != "dept.example" {
					t.Errorf("%s: %+v", name, record)
				}
			}
		})
	}
}

func TestAWrongPasswordOverPPP(t *testing.T) {
	r := newRig(t, nil)
	peer := eapol.Start(t, "eap=PEAP\nphase2=\"auth=MSCHAPV2\"\n"+words("identity", `"alice"`, "password", `"sesame"`, "ca_cert", quoted(r.ca)))
	_, err := r.dial(simnet.Config{Latency: time.Millisecond}, peer)
	if _, ok := peer.Outcome(); err == nil || ok || r.last().no.Cause != aaa.WrongPassword {
		t.Errorf("%v, %v, %v", err, ok, r.last().no)
	}
}
