package radproxy

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"lnsgate/aaa"
	"lnsgate/aaa/radius"
	"lnsgate/aaa/radius/client"
	"lnsgate/aaa/radius/dialect"
	"lnsgate/aaa/radiusserver"
	"lnsgate/test/radtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const nasSecret = "between the NAS and us"

const users = `alice@sales.example Cleartext-Password := "secret"
	Framed-IP-Address = 10.1.2.3,
	Session-Timeout = 3600,
	Class += 0x00ff10,
	Class += "second",
	WISPr-Bandwidth-Max-Up = 2000000,
	WISPr-Bandwidth-Max-Down = 10000000,
	Tunnel-Private-Group-Id:0 = "17"

eve@sales.example Auth-Type := Reject
	Reply-Message = "pay first"

dora@sales.example Cleartext-Password := "secret"
	User-Name = "dora-4711"

bare Cleartext-Password := "secret"
`

// telling has FreeRADIUS answer with what it was told of the NAS.
const telling = `update reply {
		&Reply-Message := "told: %{User-Name} %{NAS-Identifier} %{NAS-IP-Address} %{NAS-Port} %{NAS-Port-Type} %{Calling-Station-Id} [%{Proxy-State}]"
	}`

// chain is FreeRADIUS, and lnsgate in front of it as a NAS sees it.
type chain struct {
	behind     *radtest.Server
	auth, acct netip.AddrPort
	books      books
}

// books hand records to FreeRADIUS, and keep the last.
type books struct {
	*radius.Recorder
	last atomic.Pointer[aaa.Record]
}

func (b *books) Account(ctx context.Context, r *aaa.Record) error {
	b.last.Store(r)
	return b.Write(ctx, []aaa.Record{*r})
}

func (b *books) Restarted(context.Context, string, time.Time) error { return nil }
func (b *books) Withdrawn(context.Context, string)                  {}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newChain starts both. The realm sales.example goes to FreeRADIUS as typed, bare.example without the domain.
func newChain(t *testing.T) *chain {
	t.Helper()
	c := &chain{behind: radtest.Start(t, radtest.Options{Users: users, PostAuth: telling})}
	access, us := c.group(t, c.behind.Auth()), radius.NAS{Identifier: "lns1", Address: netip.MustParseAddr("192.0.2.1")}
	typed, err := radius.New(radius.Config{Name: "hq", Group: access, NAS: us})
	check(t, err)
	bare, err := radius.New(radius.Config{Name: "bare", Group: access, NAS: us, Names: radius.WithoutDomain})
	check(t, err)
	gateway, err := aaa.NewGateway(aaa.Config{Backends: []aaa.Backend{typed, bare}, Domains: []aaa.Domain{
		{Name: "sales.example", Chain: []string{"hq"}}, {Name: "bare.example", Chain: []string{"bare"}}}})
	check(t, err)
	recorder, err := radius.NewRecorder(radius.RecorderConfig{Group: c.group(t, c.behind.Acct()), NAS: us, Names: radius.WithoutDomain, RADIUS: []string{"hq", "bare"}})
	check(t, err)
	c.books.Recorder = recorder
	c.serve(t, gateway)
	return c
}

// group is the way to FreeRADIUS. It gives up before radclient does.
func (c *chain) group(t *testing.T, to netip.AddrPort) *client.Group {
	t.Helper()
	g, err := client.New(client.Config{Name: "hq", Retry: client.RetryConfig{Initial: time.Second, Duration: 2 * time.Second},
		Servers: []client.Server{{Name: "free", Address: to.String(), Secret: aaa.NewSecret(c.behind.Secret())}}})
	check(t, err)
	t.Cleanup(g.Close)
	return g
}

// serve starts the server half.
func (c *chain) serve(t *testing.T, who aaa.Authenticator) {
	t.Helper()
	loopback := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}
	s, err := radiusserver.Listen(radiusserver.Config{
		Listen: loopback, Accounting: loopback, AAA: who, Records: &c.books, RejectDelay: -1,
		Clients: []radiusserver.Client{{Name: "branch", Source: netip.MustParsePrefix("127.0.0.0/8"), Secret: aaa.NewSecret(nasSecret), Equipment: dialect.Mikrotik}},
	})
	check(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() { stop(); check(t, <-ended) })
	at := s.Addresses()
	c.auth, c.acct = at[0], at[1]
}
