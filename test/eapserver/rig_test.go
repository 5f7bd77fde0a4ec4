package eapserver

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"lnsgate/aaa"
	"lnsgate/aaa/eap"
	"lnsgate/aaa/local"
	"lnsgate/aaa/radiusserver"
	"lnsgate/aaa/secret"
	"lnsgate/test/netns"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	clientSecret = "a secret of some length"
	password     = "Admin@123"
	serverName   = "radius.example"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rig is a RADIUS server with EAP, on a port of its own.
type rig struct {
	t      *testing.T
	eap    *eap.Server
	port   string
	ca     string // the file of the CA of the server's certificate
	people *authority

	environment []string // of eapol_test
	mu          sync.Mutex
	logins      []login
}

// login is how a login ended.
type login struct {
	decision aaa.Decision
	no       *aaa.Rejection
}

// newRig starts one. The people of the domains are alice, and carol, who is switched off; dept also knows bob by his short name.
func newRig(t *testing.T, change func(*eap.Config)) *rig {
	t.Helper()
	r := &rig{t: t, people: newAuthority(t)}
	var accounts []local.Account
	for _, name := range []string{"alice", "alice@dept.example", "bob", "alice@noeap.example", "alice@onlyeap.example", "long" + strings.Repeat("g", 100)} {
		accounts = append(accounts, local.Account{Name: name, Credential: secret.Clear(aaa.NewSecret(password))})
	}
	accounts = append(accounts, local.Account{Name: "carol", Credential: secret.Clear(aaa.NewSecret(password)), Disabled: true})
	backend, err := local.New(accounts)
	must(t, err)
	chain := []string{local.Name}
	gateway, err := aaa.NewGateway(aaa.Config{DefaultDomain: "default", Backends: []aaa.Backend{backend}, Domains: []aaa.Domain{
		{Name: "default", Chain: chain}, {Name: "dept.example", Chain: chain, Pools: []string{"pool1"}},
		{Name: "noeap.example", Chain: chain, Methods: []aaa.Method{aaa.PAP, aaa.CHAP, aaa.MSCHAPv2}},
		{Name: "onlyeap.example", Chain: chain, Methods: []aaa.Method{aaa.EAP}},
	}})
	must(t, err)
	own, err := eap.SelfSigned(t.TempDir(), []string{serverName})
	must(t, err)
	r.ca = own.CAFile()
	roots := x509.NewCertPool()
	roots.AddCert(r.people.certificate)
	config := eap.Config{AAA: gateway, Certificate: own.Certificate, ClientCAs: roots, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if change != nil {
		change(&config)
	}
	r.eap, err = eap.New(config)
	must(t, err)
	t.Cleanup(r.eap.Close)
	r.serve()
	return r
}

// Authenticate implements aaa.Authenticator: the RADIUS server asks EAP by way of the rig, which notes how it ended.
func (r *rig) Authenticate(ctx context.Context, q *aaa.Request) (aaa.Decision, error) {
	d, err := r.eap.Authenticate(ctx, q)
	no, refused := err.(*aaa.Rejection) //nolint:errorlint // it is never wrapped
	if err == nil || refused {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.logins = append(r.logins, login{d, no})
	}
	return d, err
}

// Authorize implements aaa.Authenticator.
func (r *rig) Authorize(ctx context.Context, q *aaa.Request) (aaa.Decision, error) {
	return r.eap.Authorize(ctx, q)
}

func (r *rig) last() login {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.logins) == 0 {
		return login{}
	}
	return r.logins[len(r.logins)-1]
}

func (r *rig) serve() {
	r.t.Helper()
	s, err := radiusserver.Listen(radiusserver.Config{
		AAA: r, RejectDelay: -1, Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")},
		Clients: []radiusserver.Client{{Name: "loopback", Source: netip.MustParsePrefix("127.0.0.0/8"), Secret: aaa.NewSecret(clientSecret)}},
	})
	must(r.t, err)
	r.port = strconv.Itoa(int(s.Addresses()[0].Port()))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	r.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			r.t.Error(err)
		}
	})
}

// try logs in with the lines of a network block, and tells what the program said and whether it is in. It checks the keys.
func (r *rig) try(network string, arguments ...string) (said string, in bool) {
	r.t.Helper()
	file := filepath.Join(r.t.TempDir(), "network")
	text := "network={\nkey_mgmt=WPA-EAP\neapol_flags=0\n" + network + "\n}\n"
	must(r.t, os.WriteFile(file, []byte(text), 0o600))
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	arguments = append([]string{"-c", file, "-a", "127.0.0.1", "-p", r.port, "-s", clientSecret, "-t", "20"}, arguments...)
	command := exec.CommandContext(ctx, netns.RequireProgram(r.t, "eapol_test"), arguments...)
	command.Env = append(os.Environ(), r.environment...)
	octets, err := command.CombinedOutput()
	return string(octets), err == nil
}

// words are the lines of a network block.
func words(pairs ...string) string {
	var lines []string
	for i := 0; i+1 < len(pairs); i += 2 {
		lines = append(lines, pairs[i]+"="+pairs[i+1])
	}
	return strings.Join(lines, "\n")
}

func quoted(s string) string { return fmt.Sprintf("%q", s) }
