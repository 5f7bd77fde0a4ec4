package dynauth

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/test/radtest"
)

// serve runs a server on a free port of the loopback address until the test ends.
func serve(t *testing.T, all *sessions, listen ...string) *Server {
	t.Helper()
	c := Config{Sessions: all, Identifiers: []string{"lns1"}, Clients: []Client{
		{Source: netip.MustParsePrefix("127.0.0.0/8"), Secret: aaa.NewSecret(secret)},
		{Source: netip.MustParsePrefix("::1/128"), Secret: aaa.NewSecret(secret)},
	}}
	for _, at := range listen {
		c.Listen = append(c.Listen, netip.MustParseAddrPort(at))
	}
	s, err := Listen(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestRadclientDisconnectsAndChanges(t *testing.T) {
	all := newSessions()
	at := serve(t, all, "127.0.0.1:0").Addresses()[0]

	reply, ok := radtest.Radclient(t, at, "coa", secret, `
		User-Name = "alice"
		NAS-Identifier = "lns1"
		NAS-IP-Address = 127.0.0.1
		Session-Timeout = 60
		Filter-Id = "guests"
		Mikrotik-Rate-Limit = "1M/2M"
		WISPr-Bandwidth-Max-Up = 5
		Event-Timestamp = `+itoa(time.Now()))
	if !ok || !strings.Contains(reply, "CoA-ACK") || len(all.allChanged()) != 2 || *all.allChanged()["s1"].RateUp != 1_000_000 {
		t.Errorf("%v %v\n%s", ok, all.allChanged(), reply)
	}

	reply, ok = radtest.Radclient(t, at, "disconnect", secret, `
		Acct-Session-Id = "s3"
		Message-Authenticator = 0x00`)
	if !ok || !strings.Contains(reply, "Disconnect-ACK") || all.reason("s3") == "" || !strings.Contains(reply, "Message-Authenticator") {
		t.Errorf("%v %q\n%s", ok, all.reason("s3"), reply)
	}

	for request, cause := range map[string]string{
		`Acct-Session-Id = "s9"`:                                    "Session-Context-Not-Found",
		"Acct-Session-Id = \"s1\"\nNAS-Identifier = \"other\"":      "NAS-Identification-Mismatch",
		"Acct-Session-Id = \"s1\"\nSession-Timeout = 1":             "Unsupported-Attribute",
		`NAS-Identifier = "lns1"`:                                   "Missing-Attribute",
		"Acct-Session-Id = \"s1\"\nNAS-IP-Address = 198.51.100.1\n": "NAS-Identification-Mismatch",
	} {
		reply, ok := radtest.Radclient(t, at, "disconnect", secret, request)
		if ok || !strings.Contains(reply, "Disconnect-NAK") || !strings.Contains(reply, cause) {
			t.Errorf("%q: %v\n%s", request, ok, reply)
		}
	}
}

func itoa(at time.Time) string { return `"` + at.UTC().Format("Jan _2 2006 15:04:05 UTC") + `"` }

// TestAnswersComeFromWhereTheQuestionWent has a socket on all addresses and asks it at 127.0.0.5: a connected client takes
// no answer from 127.0.0.1.
func TestAnswersComeFromWhereTheQuestionWent(t *testing.T) {
	for listen, at := range map[string]string{"0.0.0.0:0": "127.0.0.5", "[::]:0": "::1"} {
		s := serve(t, newSessions(), listen)
		conn, err := net.Dial("udp", net.JoinHostPort(at, portOf(s)))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write(datagram(t, disconnect, secret, text(44, "s1"))); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 4096)
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if n, err := conn.Read(b); err != nil || n < 20 || b[0] != 41 {
			t.Errorf("%s: %v, code %d", listen, err, b[0])
		}
	}
}

func portOf(s *Server) string {
	_, port, _ := net.SplitHostPort(s.Addresses()[0].String())
	return port
}

func TestASocketThatIsTakenIsAnError(t *testing.T) {
	s := serve(t, newSessions(), "127.0.0.1:0")
	_, err := Listen(Config{Sessions: newSessions(), Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0"), s.Addresses()[0]}})
	if err == nil {
		t.Fatal("two servers on one address")
	}
}

func TestRunEndsAfterWhatHasBegun(t *testing.T) {
	all := newSessions()
	all.hold = make(chan struct{})
	s, err := Listen(Config{Sessions: all, Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, Clients: []Client{
		{Source: netip.MustParsePrefix("127.0.0.0/8"), Secret: aaa.NewSecret(secret)}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	conn, err := net.Dial("udp", s.Addresses()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(datagram(t, disconnect, secret, text(44, "s1"))); err != nil {
		t.Fatal(err)
	}
	for len(s.slots) == 0 { // until it has begun
		select {
		case <-t.Context().Done():
			t.Fatal("it never began")
		case <-time.After(time.Millisecond):
		}
	}
	stop()
	select {
	case err := <-ended:
		t.Fatalf("ended before the answer: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	close(all.hold)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64)
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Read(b); err != nil || b[0] != 41 {
		t.Errorf("%v, code %d", err, b[0])
	}
}
