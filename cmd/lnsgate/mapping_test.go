package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/configs"
	"lnsgate/lns"
	"lnsgate/lns/host"
	"lnsgate/pool"
	"lnsgate/pool/memory"
)

func segment(name, network string) host.Segment {
	return host.Segment{Interface: name, Network: netip.MustParsePrefix(network)}
}

func TestTheFilesOfThisRepositoryFitEveryRoom(t *testing.T) {
	for name, text := range map[string][]byte{"minimal.yaml": configs.Minimal(), "reference.yaml": configs.Reference()} {
		c, _, err := configs.Parse(text, name)
		if err != nil {
			t.Fatal(err)
		}
		if faults := tryRooms(c); len(faults) > 0 {
			t.Errorf("%s: %v", name, faults)
		}
	}
}

// What the minimal file says is what the rooms do: the account logs in, and gets the first address of the pool.
func TestMinimalFileLogsItsUserIn(t *testing.T) {
	c, _, err := configs.Parse(configs.Minimal(), "minimal.yaml")
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGateway(c)
	if err != nil {
		t.Fatal(err)
	}
	request := func(password string) *aaa.Request {
		return &aaa.Request{Name: "l2tpuser", Proof: aaatest.NewProof(aaa.CHAP, "l2tpuser", password)}
	}
	d, err := g.Authenticate(context.Background(), request("Admin@123"))
	if err != nil || d.Domain != "default" {
		t.Fatalf("decision %+v, %v", d, err)
	}
	if _, err := g.Authenticate(context.Background(), request("admin@123")); err == nil {
		t.Error("a wrong password was accepted")
	}
	pools, err := memory.New(poolConfig(c))
	if err != nil {
		t.Fatal(err)
	}
	lease, err := pools.Allocate(context.Background(), pool.Request{Pools: d.Pools, Account: d.Account, Holder: "1/1"})
	if err != nil || lease.Address != netip.MustParseAddr("10.10.1.10") {
		t.Errorf("lease %+v, %v", lease, err)
	}
}

func TestTheAddressOfATemplateIsNeverLeased(t *testing.T) {
	c := parse(t, strings.Replace(departments, "address: 10.20.0.1/32", "address: 10.20.1.4/32", 1))
	pools, err := memory.New(poolConfig(c))
	if err != nil {
		t.Fatal(err)
	}
	lease, err := pools.Allocate(context.Background(), pool.Request{Pools: []string{"sales"}, Account: "a", Holder: "1/1"})
	if err != nil || lease.Address != netip.MustParseAddr("10.20.1.5") {
		t.Errorf("lease %+v, %v", lease, err)
	}
}

func TestMSSIsMapped(t *testing.T) {
	for text, want := range map[string]int{"auto": lns.MSSAuto, "off": 0, "1300": 1300} {
		c := parse(t, strings.Replace(departments, "ppp_authentication: [chap]", "ppp_authentication: [chap], tcp_mss: "+text, 1))
		if got := engineConfig(c).Templates[0].MSS; got != want {
			t.Errorf("tcp_mss: %s became %d", text, got)
		}
	}
}

func TestReloadKeepsWhatIsDecidedAtTheStart(t *testing.T) {
	var log bytes.Buffer
	n := &node{config: parse(t, departments), log: slog.New(slog.NewTextHandler(&log, nil))}
	next := parse(t, strings.Replace(departments, "name: l2tpuser", "name: another", 1)+"listen: [127.0.0.1:1702]\n"+
		"limits: {pending_authentications: 7, new_tunnels_per_second_per_source: 8, sessions: 9}\n")
	n.keepFixed(next)
	if l := next.Limits; l.PendingAuthentications != 256 || l.NewTunnelsPerSecondPerSource != 50 || l.Sessions != 9 {
		t.Errorf("limits %+v", l)
	}
	if got := next.Listen; len(got) != 2 || got[0].Port() != 1701 {
		t.Errorf("listens on %v", got)
	}
	if next.Users[0].Name != "another" {
		t.Error("the users were not taken over")
	}
	for _, key := range []string{"key=listen", "key=limits.pending_authentications", "key=limits.new_tunnels_per_second_per_source"} {
		if text := log.String(); !strings.Contains(text, key) || strings.Count(text, "next start") != 3 {
			t.Errorf("the log says %q", text)
		}
	}
}
