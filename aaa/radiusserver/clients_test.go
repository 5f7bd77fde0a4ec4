package radiusserver

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"layeh.com/radius"
	"layeh.com/radius/vendors/microsoft"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/aaa/radius/dialect"
	"lnsgate/aaa/radius/wire"
	"lnsgate/test/radtest"
)

// serve runs a server on free ports of the loopback address until the test ends.
func serve(t testing.TB, change func(*Config)) (*rig, netip.AddrPort, netip.AddrPort) {
	t.Helper()
	r := newRig(t, func(c *Config) {
		c.Accounting = c.Listen
		c.Clients[0] = Client{Name: "loopback", Source: netip.MustParsePrefix("127.0.0.0/8"), Secret: aaa.NewSecret(clientSecret), Equipment: dialect.Mikrotik}
		if change != nil {
			change(c)
		}
	})
	s, err := Listen(r.config)
	if err != nil {
		t.Fatal(err)
	}
	r.Server = s
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	at := s.Addresses()
	return r, at[0], at[len(at)-1]
}

// program finds a program of Debian, or skips where there is none.
func program(t testing.TB, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("LNSGATE_TEST_ALL") == "1" {
		t.Fatalf("there is no %s: install the package %s", name, debian)
	}
	if err != nil {
		t.Skipf("there is no %s: install the package %s", name, debian)
	}
	return path
}

// run runs a program to its end.
func run(t testing.TB, name string, arguments ...string) (said string, ok bool) {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	out, err := exec.CommandContext(ctx, name, arguments...).CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", name, err)
	}
	return string(out), err == nil
}

func TestRadclientGetsTheRepliesThatAreExpected(t *testing.T) {
	radclient := program(t, "radclient", "freeradius-utils")
	r, auth, acct := serve(t, nil)
	r.backend.Set("alice", aaatest.Answer{Password: aaa.NewSecret(password), Grant: aaa.Grant{
		Account: "alice", Address: netip.MustParseAddr("10.1.2.3"), SessionTimeout: time.Hour, RateUp: 2e6, RateDown: 10e6,
		DNS: [2]netip.Addr{netip.MustParseAddr("10.0.0.53")}, Routes: []aaa.Route{{Prefix: netip.MustParsePrefix("192.168.7.0/24"), Metric: 1}},
	}})
	said, ok := run(t, radclient, "-x", "-s", "-r", "2", "-t", "3", "-f", "testdata/login.request:testdata/login.reply", auth.String(), "auth", clientSecret)
	if !ok || strings.Contains(said, "did not") || strings.Contains(said, "fail") || !strings.Contains(said, "Passed filter : 9") {
		t.Errorf("%s", said)
	}
	said, ok = run(t, radclient, "-x", "-r", "2", "-t", "3", "-f", "testdata/accounting.request", acct.String(), "acct", clientSecret)
	if !ok || strings.Count(said, "Received Accounting-Response") != 5 {
		t.Errorf("%s", said)
	}
	if taken, restarts := r.records.count(); taken != 3 || restarts != 2 {
		t.Errorf("%d records, %d restarts", taken, restarts)
	}
	for _, at := range []netip.AddrPort{auth, acct} {
		if said, ok := radtest.Radclient(t, at, "status", clientSecret, "Message-Authenticator = 0x00"); !ok {
			t.Errorf("%s", said)
		}
	}
}

// Many at once lose nothing.
func TestRadclientInParallel(t *testing.T) {
	radclient := program(t, "radclient", "freeradius-utils")
	_, auth, _ := serve(t, nil)
	file := filepath.Join(t.TempDir(), "request")
	request := "User-Name = \"alice\"\nUser-Password = \"" + password + "\"\nMessage-Authenticator = 0x00\n"
	if err := os.WriteFile(file, []byte(request), 0o600); err != nil {
		t.Fatal(err)
	}
	said, ok := run(t, radclient, "-q", "-s", "-c", "1000", "-p", "256", "-r", "1", "-t", "10", "-f", file, auth.String(), "auth", clientSecret)
	if !ok || !strings.Contains(said, "Accepted      : 1000") {
		t.Errorf("%s", said)
	}
}

// EAP is refused as EAP until somebody leads it.
func TestEAPOLTestGetsACleanReject(t *testing.T) {
	eapol := program(t, "eapol_test", "eapoltest")
	r, auth, _ := serve(t, nil)
	file := filepath.Join(t.TempDir(), "network")
	network := "network={\nkey_mgmt=IEEE8021X\neapol_flags=0\neap=MD5\nidentity=\"alice\"\npassword=\"" + password + "\"\n}\n"
	if err := os.WriteFile(file, []byte(network), 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(auth.String())
	said, ok := run(t, eapol, "-n", "-c", file, "-a", "127.0.0.1", "-p", port, "-s", clientSecret, "-t", "10")
	if ok || !strings.Contains(said, "code=3 (Access-Reject)") || !strings.Contains(said, "decapsulated EAP packet (code=4") || strings.Contains(said, "invalid") {
		t.Errorf("%s", said)
	}
	r.want(Rejected, 1)
}

// TestFreeRADIUSMakesTheSameKeys asks both the same, with the same proof.
func TestFreeRADIUSMakesTheSameKeys(t *testing.T) {
	other := radtest.Start(t, radtest.Options{Users: `alice Cleartext-Password := "` + password + `"`, Secret: clientSecret})
	_, auth, _ := serve(t, nil)
	for name, p := range map[string]*radius.Packet{
		"MS-CHAPv1": mschapv1(t, packet(t, radius.CodeAccessRequest), "alice", password),
		"MS-CHAPv2": proven(t, packet(t, radius.CodeAccessRequest), aaa.MSCHAPv2, "alice", password),
	} {
		octets := octetsOf(t, p)
		ours, theirs := exchanged(t, auth, octets), exchanged(t, other.Auth(), octets)
		if a, b := mppe(ours), mppe(theirs); a != b || len(a) < 50 {
			t.Errorf("%s: ours\n%s\ntheirs\n%s", name, a, b)
		}
	}
}

// exchanged sends a datagram and returns the reply. Keys in it can be decrypted.
func exchanged(t testing.TB, at netip.AddrPort, request []byte) *radius.Packet {
	t.Helper()
	conn, err := net.Dial("udp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(request); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	n, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	p, err := radius.Parse(b[:n], []byte(clientSecret))
	if err != nil {
		t.Fatal(err)
	}
	copy(p.Authenticator[:], request[4:20])
	return p
}

func TestAnswersComeFromWhereTheQuestionWent(t *testing.T) {
	for listen, at := range map[string]string{"0.0.0.0:0": "127.0.0.5", "[::]:0": "::1"} {
		_, auth, _ := serve(t, func(c *Config) {
			c.Listen, c.Accounting = []netip.AddrPort{netip.MustParseAddrPort(listen)}, nil
			c.Clients = append(c.Clients, Client{Name: "six", Source: netip.MustParsePrefix("::1/128"), Secret: aaa.NewSecret(clientSecret)})
		})
		octets := octetsOf(t, login(t, "alice", password))
		if reply := exchanged(t, netip.AddrPortFrom(netip.MustParseAddr(at), auth.Port()), octets); reply.Code != radius.CodeAccessAccept {
			t.Errorf("%s: %s", at, reply.Code)
		}
	}
}

func TestRunEndsWhileANoWaits(t *testing.T) {
	r, auth, _ := serve(t, func(c *Config) { c.RejectDelay = time.Hour })
	conn, err := net.Dial("udp", auth.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(octetsOf(t, login(t, "alice", "wrong"))); err != nil {
		t.Fatal(err)
	}
	look, late := time.NewTicker(time.Millisecond), time.After(10*time.Second)
	defer look.Stop()
	for r.Stats().Delayed == 0 {
		select {
		case <-look.C:
		case <-late:
			t.Fatal("the no never waits")
		}
	}
}

func TestASocketThatIsTakenIsAnError(t *testing.T) {
	r, auth, _ := serve(t, nil)
	c := r.config
	c.Listen = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0"), auth}
	if s, err := Listen(c); err == nil {
		t.Error("two servers on one address", s.Close())
	}
}

// mppe shows what a reply says of MPPE, decrypted.
func mppe(p *radius.Packet) string {
	nt, _ := wire.LookupVendor(p, wire.Microsoft, wire.MSCHAPMPPEKeys)
	success, _ := wire.LookupVendor(p, wire.Microsoft, wire.MSCHAP2Success)
	return fmt.Sprintf("%s success %q send %x receive %x nt %s policy %d types %d", p.Code, success, microsoft.MSMPPESendKey_Get(p, p), microsoft.MSMPPERecvKey_Get(p, p),
		hex.EncodeToString(nt), microsoft.MSMPPEEncryptionPolicy_Get(p), microsoft.MSMPPEEncryptionTypes_Get(p))
}
