package radtest_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"lnsgate/lns/host/netns"
	testns "lnsgate/test/netns"
	"lnsgate/test/pgtest"
	"lnsgate/test/radtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const alice = `alice@sales.example Cleartext-Password := "secret"
	Framed-IP-Address = 10.1.2.3,
	Reply-Message = "welcome"
`

const (
	right = `User-Name = "alice@sales.example"
		User-Password = "secret"`
	wrong = `User-Name = "alice@sales.example"
		User-Password = "sesame"`
)

func TestPAPIsAcceptedOrRejected(t *testing.T) {
	defer goleak.VerifyNone(t)
	s := radtest.Start(t, radtest.Options{Users: alice})
	reply, ok := radtest.Radclient(t, s.Auth(), "auth", s.Secret(), right)
	if !ok || !strings.Contains(reply, "Framed-IP-Address = 10.1.2.3") || !strings.Contains(reply, `Reply-Message = "welcome"`) {
		t.Errorf("%v\n%s", ok, reply)
	}
	for name, attrs := range map[string]string{"wrong password": wrong, "no dot in the realm": `User-Name = "alice@sales"
		User-Password = "secret"`} {
		if reply, ok := radtest.Radclient(t, s.Auth(), "auth", s.Secret(), attrs); ok || !strings.Contains(reply, "Access-Reject") {
			t.Errorf("%s: %v\n%s", name, ok, reply)
		}
	}
	if reply, ok := radtest.Radclient(t, s.Acct(), "status", s.Secret(), "Message-Authenticator = 0x00"); !ok {
		t.Errorf("Status-Server at the accounting port\n%s", reply)
	}
}

func TestRejectIsDelayed(t *testing.T) {
	s := radtest.Start(t, radtest.Options{Users: alice, RejectDelay: 300 * time.Millisecond})
	begin := time.Now()
	radtest.Radclient(t, s.Auth(), "auth", s.Secret(), wrong)
	if took := time.Since(begin); took < 300*time.Millisecond {
		t.Errorf("rejected after %v", took)
	}
}

func TestClientsHaveTheirOwnSecrets(t *testing.T) {
	s := radtest.Start(t, radtest.Options{Users: alice, Clients: []radtest.Client{
		{Network: netip.MustParsePrefix("127.0.0.1/32"), Secret: "other", Signed: true},
	}})
	if s.Secret() != "other" {
		t.Errorf("secret %q", s.Secret())
	}
	if reply, ok := radtest.Radclient(t, s.Auth(), "auth", "other", right+"\nMessage-Authenticator = 0x00"); !ok {
		t.Error(reply)
	}
}

func TestUnlangChangesTheReply(t *testing.T) {
	s := radtest.Start(t, radtest.Options{Users: alice, PostAuth: `update reply { &Session-Timeout := 77 }`})
	if reply, ok := radtest.Radclient(t, s.Auth(), "auth", s.Secret(), right); !ok || !strings.Contains(reply, "Session-Timeout = 77") {
		t.Error(reply)
	}
}

const session = `User-Name = "alice@sales.example"
	Acct-Session-Id = "0001"
	NAS-IP-Address = 192.0.2.1
	NAS-Port = 7
	Framed-IP-Address = 10.1.2.3
	Acct-Status-Type = `

func TestAccountingReachesFileAndDatabase(t *testing.T) {
	dsn := pgtest.Empty(t)
	s := radtest.Start(t, radtest.Options{Users: alice, Database: dsn})
	for _, what := range []string{"Start", "Stop\nAcct-Input-Octets = 4711\nAcct-Output-Octets = 42"} {
		if reply, ok := radtest.Radclient(t, s.Acct(), "acct", s.Secret(), session+what); !ok {
			t.Fatal(reply)
		}
	}
	if d := s.Detail(); strings.Count(d, `Acct-Session-Id = "0001"`) != 2 || !strings.Contains(d, "Acct-Input-Octets = 4711") {
		t.Errorf("detail:\n%s", d)
	}
	var rows, octets int
	var stopped bool
	query := `SELECT count(*), sum(acctinputoctets), bool_and(acctstoptime IS NOT NULL) FROM radacct WHERE username = 'alice@sales.example'`
	if err := connect(t, dsn).QueryRow(t.Context(), query).Scan(&rows, &octets, &stopped); err != nil {
		t.Fatal(err)
	}
	if rows != 1 || octets != 4711 || !stopped {
		t.Errorf("%d rows, %d octets, stopped %v", rows, octets, stopped)
	}
}

func TestPoolGivesAddresses(t *testing.T) {
	for _, skip := range []bool{false, true} {
		t.Run(fmt.Sprint("skip locked ", skip), func(t *testing.T) {
			s := radtest.Start(t, radtest.Options{
				Users:    `bob@sales.example Cleartext-Password := "secret", Pool-Name := "main"`,
				Database: pgtest.Empty(t), SkipLocked: skip,
				Pools: []radtest.Pool{{Name: "main", First: netip.MustParseAddr("10.9.0.254"), Size: 4}},
			})
			seen := map[string]bool{}
			for nasPort := range 4 {
				reply, ok := radtest.Radclient(t, s.Auth(), "auth", s.Secret(), fmt.Sprintf(`User-Name = "bob@sales.example"
					User-Password = "secret"
					NAS-IP-Address = 192.0.2.1
					NAS-Port = %d`, nasPort))
				_, address, _ := strings.Cut(reply, "Framed-IP-Address = ")
				address, _, _ = strings.Cut(address, "\n")
				if a, err := netip.ParseAddr(address); !ok || err != nil || seen[address] {
					t.Errorf("%d: %v %v\n%s", nasPort, a, err, reply)
				}
				seen[address] = true
			}
		})
	}
}

func TestAccountsInTheDatabase(t *testing.T) {
	dsn := pgtest.Empty(t)
	s := radtest.Start(t, radtest.Options{Database: dsn})
	if _, err := connect(t, dsn).Exec(t.Context(), `INSERT INTO radcheck (username, attribute, op, value)
		VALUES ('alice@sales.example', 'Cleartext-Password', ':=', 'secret')`); err != nil {
		t.Fatal(err)
	}
	if reply, ok := radtest.Radclient(t, s.Auth(), "auth", s.Secret(), right); !ok {
		t.Error(reply)
	}
}

func TestEAPMethods(t *testing.T) {
	s := radtest.Start(t, radtest.Options{Users: alice, Fragment: 400})
	c := s.Certificates()
	for name, network := range map[string]string{
		"MD5":      "eap=MD5",
		"MSCHAPv2": "eap=MSCHAPV2",
		"PEAP":     "eap=PEAP\nphase2=\"auth=MSCHAPV2\"\nca_cert=\"" + c.CA + "\"",
		"TTLS":     "eap=TTLS\nphase2=\"auth=PAP\"\nca_cert=\"" + c.CA + "\"",
		"TLS": fmt.Sprintf("eap=TLS\nca_cert=%q\nclient_cert=%q\nprivate_key=%q",
			c.CA, c.ClientCert, c.ClientKey),
	} {
		t.Run(name, func(t *testing.T) {
			output, ok := radtest.EAPOLTest(t, s, network+"\nidentity=\"alice@sales.example\"\npassword=\"secret\"")
			if !ok || !strings.Contains(output, "SUCCESS") {
				t.Error(output)
			}
		})
	}
	if output, ok := radtest.EAPOLTest(t, s, "eap=MD5\nidentity=\"alice@sales.example\"\npassword=\"sesame\""); ok {
		t.Error("a wrong password got in", output)
	}
}

func TestStopAndStartAgain(t *testing.T) {
	s := radtest.Start(t, radtest.Options{Users: alice})
	before := s.Auth()
	for name, end := range map[string]func(){"stop": s.Stop, "kill": s.Kill} {
		end()
		if s.PID() != 0 {
			t.Errorf("%s: process %d", name, s.PID())
		}
		if nobody, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(before)); err != nil {
			t.Errorf("%s: %v", name, err)
		} else {
			nobody.Close()
		}
		s.Restart()
		if reply, ok := radtest.Radclient(t, before, "auth", s.Secret(), right); !ok {
			t.Errorf("after %s: %s", name, reply)
		}
	}
	s.Pause()
	s.Resume()
	if reply, ok := radtest.Radclient(t, before, "auth", s.Secret(), right); !ok {
		t.Error(reply)
	}
}

func TestRadSecWantsACertificate(t *testing.T) {
	s := radtest.Start(t, radtest.Options{Users: alice, RadSec: true})
	conn, err := tls.Dial("tcp", s.RadSec().String(), s.TLS())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if state := conn.ConnectionState(); !state.HandshakeComplete || state.Version < tls.VersionTLS12 {
		t.Errorf("%+v", state)
	}
	nobody := s.TLS()
	nobody.Certificates = nil
	if stranger, err := tls.Dial("tcp", s.RadSec().String(), nobody); err == nil {
		defer stranger.Close()
		stranger.SetReadDeadline(time.Now().Add(5 * time.Second))
		if n, err := stranger.Read(make([]byte, 1)); err == nil {
			t.Errorf("a client without a certificate reads %d octets", n)
		}
	}
}

func TestInsideANamespace(t *testing.T) {
	testns.Require(t)
	n, err := netns.New("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	if err := n.Address("lo", "192.0.2.9/32"); err != nil {
		t.Fatal(err)
	}
	s := radtest.Start(t, radtest.Options{Users: alice, Namespace: n, Address: netip.MustParseAddr("192.0.2.9"), Clients: []radtest.Client{
		{Network: netip.MustParsePrefix("192.0.2.0/24"), Secret: "far"},
	}})
	if reply, ok := radtest.RadclientIn(t, n, s.Auth(), "auth", "far", right); !ok {
		t.Error(reply)
	}
}

func connect(t *testing.T, dsn string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}
