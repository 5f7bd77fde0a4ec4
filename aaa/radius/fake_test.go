package radius

import (
	"context"
	"net/netip"
	"sync"
	"testing"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/client"
	"lnsgate/aaa/radius/wire"
)

const testSecret = "a secret of the tests"

// fake is a group of one server that answers as the test wants. It keeps what it was asked.
type fake struct {
	mu      sync.Mutex
	asked   []*radius.Packet
	servers []string
	answer  func(request *radius.Packet) (*radius.Packet, error)
}

func (f *fake) Exchange(ctx context.Context, r client.Request) (client.Reply, error) {
	p := radius.New(r.Code, []byte(testSecret))
	if err := r.Build(p); err != nil {
		return client.Reply{}, err
	}
	key := wire.NewKey(testSecret)
	octets, err := key.AppendRequest(nil, p)
	if err != nil {
		return client.Reply{}, err
	}
	verified, err := key.VerifyRequest(octets)
	if err != nil {
		return client.Reply{}, err
	}
	request := key.Parse(verified)
	f.mu.Lock()
	f.asked, f.servers = append(f.asked, request), append(f.servers, r.Server)
	f.mu.Unlock()
	reply, err := f.answer(request)
	if err != nil {
		return client.Reply{}, err
	}
	return client.Reply{Packet: reply, Server: "one", Took: 2 * time.Second, Sendings: 3}, ctx.Err()
}

// last is what was asked last.
func (f *fake) last() *radius.Packet {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[len(f.asked)-1]
}

// answers makes a server that gives the same answer to all.
func answers(code radius.Code, add func(*radius.Packet)) *fake {
	return &fake{answer: func(request *radius.Packet) (*radius.Packet, error) {
		p := request.Response(code)
		if add != nil {
			add(p)
		}
		return p, nil
	}}
}

func newBackend(t testing.TB, group Exchanger, change func(*Config)) *Backend {
	t.Helper()
	c := Config{Name: "hq", Group: group, NAS: NAS{Identifier: "lns1"}}
	if change != nil {
		change(&c)
	}
	b, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// query is a login of alice@sales over a tunnel that knows everything.
func query(t testing.TB, name string, proof aaa.Proof) *aaa.Query {
	t.Helper()
	id, err := aaa.ParseIdentity(name)
	if err != nil {
		t.Fatal(err)
	}
	domain := id.Domain
	if domain == "" {
		domain = "default"
	}
	return &aaa.Query{Identity: id, Domain: domain, Request: &aaa.Request{
		Session: "0123456789abcdef", Name: name, Proof: proof,
		Peer: netip.MustParseAddrPort("198.51.100.7:1701"), Local: netip.MustParseAddr("192.0.2.1"),
		TunnelName: "lac7", LocalName: "LNS", LocalTunnel: 17, RemoteTunnel: 4, LocalSession: 33, RemoteSession: 9,
		CallingNumber: "0441", CalledNumber: "0800", CallSerial: 5, TxSpeed: 50_000_000, RxSpeed: 10_000_000, MTU: 1400,
	}}
}

func pap(password string) aaa.Proof {
	return aaa.Proof{Method: aaa.PAP, Password: aaa.NewSecret(password)}
}
