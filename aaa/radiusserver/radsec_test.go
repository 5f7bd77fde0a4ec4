package radiusserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"layeh.com/radius"

	nas "lnsgate/aaa/radius/client"
	"lnsgate/aaa/radius/wire"
	"lnsgate/test/radtest"
)

// background runs a program until the test ends, and shows what it said if the test failed.
func background(t *testing.T, command *exec.Cmd) {
	t.Helper()
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
}

// radsecproxying is a radsecproxy that takes requests by UDP and hands them to us by TLS.
const radsecproxying = `
ListenUDP 127.0.0.1:%[1]d
LogLevel 3
tls default {
	CACertificateFile %[3]s
	CertificateFile %[4]s
	CertificateKeyFile %[5]s
}
client 127.0.0.1 {
	type udp
	secret testing123
}
server lnsgate {
	host 127.0.0.1
	port %[2]d
	type tls
	secret radsec
	statusserver on
}
realm * {
	server lnsgate
	accountingServer lnsgate
}
`

// radsecproxy starts one in front of a server, and returns where it listens.
func radsecproxy(t *testing.T, to netip.AddrPort, files radtest.Certificates) netip.AddrPort {
	t.Helper()
	path := "/usr/sbin/radsecproxy"
	if _, err := os.Stat(path); err != nil {
		path = program(t, "radsecproxy", "radsecproxy")
	}
	at := freePort(t)
	file := filepath.Join(t.TempDir(), "radsecproxy.conf")
	text := fmt.Sprintf(radsecproxying, at.Port(), to.Port(), files.CA, files.ClientCert, files.ClientKey)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	background(t, exec.Command(path, "-f", "-c", file))
	return at
}

// awaitLogin asks until alice gets in.
func awaitLogin(t *testing.T, at netip.AddrPort) {
	t.Helper()
	for began := time.Now(); time.Since(began) < 20*time.Second; {
		if _, ok := radtest.Radclient(t, at, "auth", "testing123", right); ok {
			return
		}
	}
	t.Fatal("nobody gets in")
}

const (
	right = "User-Name = \"alice\"\nUser-Password = \"" + password + "\"\nMessage-Authenticator = 0x00"
	wrong = "User-Name = \"alice\"\nUser-Password = \"wrong\"\nMessage-Authenticator = 0x00"
)

func TestRadsecproxy(t *testing.T) {
	s := secure(t, nil)
	at := radsecproxy(t, s.at, s.files)
	awaitLogin(t, at)
	if reply, ok := radtest.Radclient(t, at, "auth", "testing123", wrong); ok || !strings.Contains(reply, "Access-Reject") {
		t.Errorf("%s", reply)
	}
	chap := "User-Name = \"alice\"\nCHAP-Password = \"" + password + "\"\nMessage-Authenticator = 0x00"
	if reply, ok := radtest.Radclient(t, at, "auth", "testing123", chap); !ok || !strings.Contains(reply, "Access-Accept") {
		t.Errorf("%s", reply)
	}
	record := "User-Name = \"alice\"\nAcct-Session-Id = \"0001\"\nAcct-Status-Type = Start\nNAS-Identifier = \"ap-7\""
	if reply, ok := radtest.Radclient(t, at, "acct", "testing123", record); !ok {
		t.Errorf("%s", reply)
	}
	if got := s.records.last(); got.NAS.Client != "loopback" || got.NAS.Session != "0001" || got.NAS.Identifier != "ap-7" {
		t.Errorf("%+v", got.NAS)
	}
	if got := s.Stats(); got.TLS.Opened != 1 || got.TLS.Cut != 0 || got.TLS.Failed != 0 {
		t.Errorf("%+v %v", got.TLS, named(got.Total))
	}
}

// TestRadsecproxyInBursts has radclient keep 200 requests under way, half of each kind, and wants an
// answer to each. radsecproxy has 256 identifiers.
func TestRadsecproxyInBursts(t *testing.T) {
	s := secure(t, nil)
	at := radsecproxy(t, s.at, s.files)
	awaitLogin(t, at)
	before := s.Stats().Total
	const many = 2000
	var all sync.WaitGroup
	for _, kind := range []string{"auth", "acct"} {
		all.Go(func() {
			file := filepath.Join(t.TempDir(), kind)
			requests := strings.Repeat(right+"\n\n", many)
			if kind == "acct" {
				var b strings.Builder
				for i := range many {
					fmt.Fprintf(&b, "User-Name = \"alice\"\nAcct-Session-Id = \"%d\"\nAcct-Status-Type = Start\n\n", i)
				}
				requests = b.String()
			}
			if err := os.WriteFile(file, []byte(requests), 0o600); err != nil {
				t.Error(err)
				return
			}
			said, ok := run(t, program(t, "radclient", "freeradius-utils"), "-q", "-s", "-r", "3", "-t", "10", "-p", "100", "-D", "/usr/share/freeradius",
				"-f", file, at.String(), kind, "testing123")
			if !ok {
				t.Errorf("%s: %s", kind, said)
			}
		})
	}
	all.Wait()
	after := s.Stats().Total
	if accepted, recorded := after[Accepted]-before[Accepted], after[Recorded]-before[Recorded]; accepted < many || recorded < many {
		t.Errorf("%d accepted, %d recorded of %d: %v", accepted, recorded, many, named(after))
	}
}

// TestRadsecproxyOfAnother has a certificate of another authority, and gets nowhere.
func TestRadsecproxyOfAnother(t *testing.T) {
	s := secure(t, nil)
	files, _, _ := certificates(t)
	files.CA = s.files.CA // it trusts us all the same
	radsecproxy(t, s.at, files)
	eventually(t, func() bool { return s.Stats().TLS.Failed > 0 })
	if got := s.Stats().TLS.Opened; got != 0 {
		t.Errorf("%d connections", got)
	}
}

// overTLSToUs is the part of the configuration of a FreeRADIUS that asks us by TLS.
const overTLSToUs = `
home_server us {
	type = auth+acct
	ipaddr = 127.0.0.1
	port = %[1]d
	proto = tcp
	secret = radsec
	status_check = status-server
	response_window = 5
	tls {
		certificate_file = %[2]s
		private_key_file = %[3]s
		ca_file = %[4]s
		fragment_size = 8192
		tls_min_version = "1.2"
		tls_max_version = "1.2"
	}
}
`

// TestFreeRADIUSProxiesToUsOverTLS has it connect, pass on what its clients send, and bring back what we answer.
func TestFreeRADIUSProxiesToUsOverTLS(t *testing.T) {
	s := secure(t, nil)
	one, two := proxyTo(t, fmt.Sprintf(overTLSToUs, s.at.Port(), s.files.ClientCert, s.files.ClientKey, s.files.CA), "us", "us")
	awaitLogin(t, one)
	if reply, ok := radtest.Radclient(t, one, "auth", "testing123", wrong); ok || !strings.Contains(reply, "Access-Reject") {
		t.Errorf("%s", reply)
	}
	record := "User-Name = \"alice\"\nAcct-Session-Id = \"0001\"\nAcct-Status-Type = Start\nNAS-Identifier = \"ap-7\"\nNAS-IP-Address = 198.51.100.7"
	if reply, ok := radtest.Radclient(t, two, "acct", "testing123", record); !ok {
		t.Errorf("%s", reply)
	}
	if got := s.records.last(); got.NAS == nil || got.NAS.Name != "loopback/ap-7" {
		t.Errorf("%+v", got.NAS)
	}
}

// TestOurOwnClient logs in and records by TLS, a thousand at once, and again after its connection was cut.
func TestOurOwnClient(t *testing.T) {
	s := secure(t, nil)
	group, err := nas.New(nas.Config{Name: "us", Servers: []nas.Server{{
		Name: "us", Address: s.at.String(), TLS: s.tls, StatusServer: true,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	login := nas.Request{Code: radius.CodeAccessRequest, Build: func(p *radius.Packet) error {
		hidden, err := radius.NewUserPassword([]byte(password), p.Secret, p.Authenticator[:])
		p.Add(wire.TypeUserName, []byte("alice"))
		p.Add(wire.TypeUserPassword, hidden)
		return err
	}}
	record := nas.Request{Code: radius.CodeAccountingRequest, Build: func(p *radius.Packet) error {
		add(t, p, str(wire.TypeUserName, "alice"), str(wire.TypeAcctSessionID, "1"), num(wire.TypeAcctStatusType, statusStart))
		return nil
	}}
	ask := func(r nas.Request, want radius.Code) {
		if reply, err := group.Exchange(ctx, r); err != nil || reply.Packet.Code != want {
			t.Errorf("%v %v", reply, err)
		}
	}
	var all sync.WaitGroup
	for range 500 {
		all.Go(func() { ask(login, radius.CodeAccessAccept) })
		all.Go(func() { ask(record, radius.CodeAccountingResponse) })
	}
	all.Wait()
	s.want(Accepted, 500)
	s.want(Recorded, 500)

	opened := s.Stats().TLS.Opened
	s.streams.keep(newClientTable(nil, nil, 1)) // as a reload without the client does
	ask(login, radius.CodeAccessAccept)
	if got := s.Stats().TLS; got.Opened <= opened || got.Cut == 0 {
		t.Errorf("%+v", got)
	}
}

// BenchmarkLoginOverTLS keeps 200 logins under way on one connection.
func BenchmarkLoginOverTLS(b *testing.B) {
	s := secure(b, nil)
	conn, err := tls.Dial("tcp", s.at.String(), s.tls)
	if err != nil {
		b.Fatal(err)
	}
	c := &connection{conn, b}
	request, err := wire.NewKey(radSecSecret).AppendRequest(nil, pap(b, "alice", password))
	if err != nil {
		b.Fatal(err)
	}
	room := make(chan struct{}, 200)
	b.ResetTimer()
	go func() {
		for range b.N {
			room <- struct{}{}
			if _, err := c.Write(request); err != nil {
				return
			}
		}
	}()
	for range b.N {
		if c.receive() == nil {
			b.Fatal("the connection was closed")
		}
		<-room
	}
}
