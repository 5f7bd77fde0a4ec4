package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lnsgate/lns/lac"

	"pgregory.net/rapid"
)

// dialWith runs the command with arguments and standard input.
func dialWith(t *testing.T, stdin string, args ...string) (output string, err error) {
	t.Helper()
	cmd := newDialCommand()
	var out bytes.Buffer
	cmd.SetArgs(args)
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&out)
	cmd.SetErr(io.Discard)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err = cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// silentServer is a UDP socket that nobody answers.
func silentServer(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.LocalAddr().String()
}

func TestDialSilentServerSaysWhatToCheck(t *testing.T) {
	output, err := dialWith(t, "secret\n", "--server", silentServer(t), "--user", "alice", "--password-file", "-",
		"--timeout", "200ms")
	if err == nil {
		t.Fatal("the login succeeded")
	}
	for _, want := range []string{"failed at tunnel", "did not answer", "UDP 1701", "firewall"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
	if !strings.Contains(output, "client -> server  SCCRQ") {
		t.Errorf("output: %s", output)
	}
}

func TestDialClosedPortIsToldApart(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	server := conn.LocalAddr().String()
	conn.Close()
	_, err = dialWith(t, "", "--server", server, "--user", "alice", "--password", "x", "--timeout", "200ms")
	if err == nil || !strings.Contains(err.Error(), "nothing listens") {
		t.Errorf("the error does not say that nothing listens: %v", err)
	}
}

func TestDialJSONEndsWithTheOutcome(t *testing.T) {
	output, err := dialWith(t, "", "--server", silentServer(t), "--user", "alice", "--password", "x", "--timeout", "200ms",
		"--json")
	if err == nil {
		t.Fatal("the login succeeded")
	}
	lines := strings.Split(strings.TrimSpace(output), "\n")
	if len(lines) < 2 {
		t.Fatalf("output: %s", output)
	}
	var step struct{ Event, Step, From, Message string }
	decodeLine(t, lines[0], &step)
	if step.Event != "step" || step.Step != "tunnel" || step.From != "client" || step.Message != "SCCRQ" {
		t.Errorf("first line %s", lines[0])
	}
	var end struct {
		Event, Step, Cause, Reason, Advice string
		OK                                 bool
	}
	decodeLine(t, lines[len(lines)-1], &end)
	if end.Event != "end" || end.OK || end.Step != "tunnel" || end.Cause != "no answer" || end.Advice == "" {
		t.Errorf("last line %s", lines[len(lines)-1])
	}
}

func decodeLine(t *testing.T, line string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), into); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
}

func TestDialLoadReportsFailures(t *testing.T) {
	output, err := dialWith(t, "", "--server", silentServer(t), "--user", "u%d", "--password", "x", "--timeout", "200ms",
		"--count", "5", "--json")
	if err == nil || !strings.Contains(err.Error(), "of 5 set-ups 5 failed") {
		t.Errorf("error %v", err)
	}
	var end dialLoadEnd
	decodeLine(t, output, &end)
	if end.OK || end.Asked != 5 || end.Failed != 5 || len(end.Failures) != 1 || end.Failures[0].Cause != "no answer" {
		t.Errorf("%s", output)
	}
}

func TestDialRefusesFaultyFlags(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "none")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no user":            {[]string{"--password", "x"}, "--user is missing"},
		"no password":        {[]string{"--user", "a"}, "the password is missing"},
		"two passwords":      {[]string{"--user", "a", "--password", "x", "--password-file", "-"}, "not both"},
		"no such file":       {[]string{"--user", "a", "--password-file", empty}, "no such file"},
		"two stdins":         {[]string{"--user", "a", "--password-file", "-", "--tunnel-secret-file", "-"}, "only one secret"},
		"empty file":         {[]string{"--user", "a", "--password-file", os.DevNull}, "--password-file /dev/null: its first line, which is the password, is empty"},
		"method":             {[]string{"--user", "a", "--password", "x", "--auth", "spap"}, "--auth spap"},
		"route without tun":  {[]string{"--user", "a", "--password", "x", "--route", "10.0.0.0/8"}, "--route needs --tun"},
		"route is no prefix": {[]string{"--user", "a", "--password", "x", "--tun", "v", "--route", "x"}, "--route x"},
		"no route":           {[]string{"--user", "a", "--password", "x", "--tun", "v", "--route", "2001:db8::"}, "--route 2001:db8::"},
		"address":            {[]string{"--user", "a", "--password", "x", "--address", "1.2.3"}, "1.2.3"},
		"mru":                {[]string{"--user", "a", "--password", "x", "--mru", "60"}, "--mru 60"},
		"count":              {[]string{"--user", "a", "--password", "x", "--count", "0"}, "--count 0"},
		"load with tun":      {[]string{"--user", "a", "--password", "x", "--count", "2", "--tun", "v"}, "--tun is for one"},
		"hold":               {[]string{"--user", "a", "--password", "x", "--hold", "long"}, "--hold long"},
		"sockets":            {[]string{"--user", "a", "--password", "x", "--sockets", "0"}, "--sockets 0"},
		"rate":               {[]string{"--user", "a", "--password", "x", "--rate", "-1"}, "--rate -1"},
		"sessions":           {[]string{"--user", "a", "--password", "x", "--sessions-per-tunnel", "70000"}, "70000"},
		"timeout":            {[]string{"--user", "a", "--password", "x", "--timeout", "0"}, "--timeout"},
		"port":               {[]string{"--user", "a", "--password", "x", "--server", "127.0.0.1:0"}, "not a UDP port"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := dialWith(t, "s\n", append([]string{"--server", "127.0.0.1"}, c.args...)...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "s\n") {
				t.Error("the error shows the secret")
			}
		})
	}
}

func TestDialReportsEveryFaultAtOnce(t *testing.T) {
	_, err := dialWith(t, "", "--server", "127.0.0.1", "--auth", "x", "--hold", "y", "--mru", "1")
	for _, want := range []string{"--auth x", "--hold y", "--mru 1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
}

func TestReadSecretKeepsSpacesAndCutsTheLineEnd(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pw")
	for content, want := range map[string]string{
		"plain": "plain", "line\n": "line", "dos\r\n": "dos", " spaced \nrest": " spaced ", "": "",
	} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		fromFile, err := readSecret("password", "", file, nil)
		if err != nil || fromFile.Reveal() != want {
			t.Errorf("%q: got %q, %v", content, fromFile.Reveal(), err)
		}
		fromStdin, err := readSecret("password", "", "-", strings.NewReader(content))
		if err != nil || fromStdin.Reveal() != want {
			t.Errorf("%q on standard input: got %q, %v", content, fromStdin.Reveal(), err)
		}
	}
}

func TestResolveServer(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1":           "192.0.2.1:1701",
		"192.0.2.1:17010":     "192.0.2.1:17010",
		"2001:db8::1":         "[2001:db8::1]:1701",
		"[2001:db8::1]":       "[2001:db8::1]:1701",
		"[2001:db8::1]:17010": "[2001:db8::1]:17010",
		"::ffff:192.0.2.1":    "192.0.2.1:1701",
	} {
		got, err := resolveServer(t.Context(), text)
		if err != nil || got.String() != want {
			t.Errorf("%s: got %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"192.0.2.1:0", "192.0.2.1:70000", "192.0.2.1:l2tp"} {
		if got, err := resolveServer(t.Context(), text); err == nil {
			t.Errorf("%s: got %s", text, got)
		}
	}
}

// The prefixes that are left must hold every address but the hole, each in exactly one of them.
func TestWithoutCutsOutOneAddress(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		addr := func(name string) netip.Addr {
			return netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, name)))
		}
		prefix := netip.PrefixFrom(addr("network"), rapid.IntRange(0, 32).Draw(t, "bits")).Masked()
		hole := addr("hole")
		rest := without(prefix, hole)
		probes := []netip.Addr{hole, hole.Next(), hole.Prev(), prefix.Addr(), addr("probe")}
		for _, probe := range probes {
			if !probe.IsValid() {
				continue
			}
			count := 0
			for _, p := range rest {
				if p.Contains(probe) {
					count++
				}
			}
			want := 0
			if prefix.Contains(probe) && probe != hole {
				want = 1
			}
			if count != want {
				t.Fatalf("%s without %s: %s is in %d of %v", prefix, hole, probe, count, rest)
			}
		}
	})
}

func TestRoutesNeverLeadToTheServerItself(t *testing.T) {
	p := &dialPlan{
		server: netip.MustParseAddrPort("192.0.2.1:1701"),
		routes: []netip.Prefix{everything, netip.MustParsePrefix("10.20.0.0/16")},
	}
	own := netip.MustParseAddr("10.10.1.10")
	for _, peer := range []string{"10.10.0.1", "192.0.2.1"} { // some servers give their outer address as the far end
		for _, r := range p.routesInto(netip.MustParseAddr(peer), lac.Up{Address: own}) {
			if r.Contains(p.server.Addr()) {
				t.Errorf("peer %s: %s leads to the server", peer, r)
			}
		}
	}
}

func TestDialPrinterAlignsTheDialogue(t *testing.T) {
	var out bytes.Buffer
	d := newDialPrinter(&out, &dialOptions{})
	at := d.began.Add(1500 * time.Microsecond)
	d.said(lac.Said{At: at, Sent: true, Stage: lac.StageTunnel, What: "SCCRQ", Detail: `host "laptop"`})
	d.said(lac.Said{At: at, Stage: lac.StageTunnel, What: "ZLB", Routine: true})
	d.said(lac.Said{At: at, Stage: lac.StageTunnel, What: "SCCRP", Again: true})
	d.said(lac.Said{At: at, Stage: lac.StageAuthentication, What: "CHAP Challenge", Detail: "name LNS"})
	want := `   0.0015  tunnel          client -> server  SCCRQ                   host "laptop"
   0.0015                  server -> client  SCCRP                   (again)
   0.0015  authentication  server -> client  CHAP Challenge          name LNS
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestDialFailure(t *testing.T) {
	ended := &lac.Ended{Stage: lac.StageAuthentication, Reason: "the server refused the login", Advice: "check the name"}
	if err := dialFailure(ended, nil); !errors.Is(err, ended) || !strings.HasSuffix(err.Error(), "\n  hint: check the name") {
		t.Errorf("a failed login: %v", err)
	}
	if err := dialFailure(nil, nil); err == nil {
		t.Error("an interrupted login counts as success")
	}
	if err := dialFailure(nil, &lac.Up{}); err != nil {
		t.Errorf("a session that we hung up: %v", err)
	}
	if err := dialFailure(context.Canceled, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("another error: %v", err)
	}
}
