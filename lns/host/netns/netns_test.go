package netns_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"lnsgate/lns/host/netns"
	rooms "lnsgate/test/netns"
)

// pair is two namespaces joined by a veth pair, 192.0.2.1 and 192.0.2.2.
func pair(t *testing.T) (a, b *netns.Namespace) {
	t.Helper()
	a, b = rooms.NewTest(t), rooms.NewTest(t)
	must(t, netns.Veth(a, "left", b, "right"))
	must(t, a.Address("left", "192.0.2.1/24"))
	must(t, b.Address("right", "192.0.2.2/24"))
	return a, b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestVethCarriesDatagramsBetweenNamespaces(t *testing.T) {
	a, b := pair(t)
	var server, client net.PacketConn
	must(t, b.Do(func() (err error) { server, err = net.ListenPacket("udp4", "192.0.2.2:0"); return err }))
	defer server.Close()
	must(t, a.Do(func() (err error) { client, err = net.ListenPacket("udp4", "192.0.2.1:0"); return err }))
	defer client.Close()
	if _, err := client.WriteTo([]byte("hello"), server.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	must(t, server.SetReadDeadline(time.Now().Add(5*time.Second)))
	var b5 [16]byte
	n, from, err := server.ReadFrom(b5[:])
	if err != nil || string(b5[:n]) != "hello" || from.String() != client.LocalAddr().String() {
		t.Fatalf("got %q from %v, %v", b5[:n], from, err)
	}
}

func TestBridgeJoinsThreeHosts(t *testing.T) {
	hub, a, b := rooms.NewTest(t), rooms.NewTest(t), rooms.NewTest(t)
	must(t, netns.Veth(hub, "port1", a, "eth0"))
	must(t, netns.Veth(hub, "port2", b, "eth0"))
	must(t, hub.Bridge("br0", "port1", "port2"))
	must(t, a.Address("eth0", "198.51.100.1/24"))
	must(t, b.Address("eth0", "198.51.100.2/24"))
	var listener net.Listener
	must(t, b.Do(func() (err error) { listener, err = net.Listen("tcp4", "198.51.100.2:0"); return err }))
	defer listener.Close()
	must(t, a.Do(func() error {
		c, err := net.DialTimeout("tcp4", listener.Addr().String(), 5*time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	}))
}

func TestDoLeavesTheCallerOutside(t *testing.T) {
	n := rooms.NewTest(t)
	before := currentNamespace(t)
	var inside string
	must(t, n.Do(func() (err error) { inside, err = os.Readlink("/proc/thread-self/ns/net"); return err }))
	if inside == before {
		t.Error("Do ran outside the namespace")
	}
	for range 20 {
		if now := currentNamespace(t); now != before {
			t.Fatalf("a thread of the process stayed in %s", now)
		}
	}
}

func currentNamespace(t *testing.T) string {
	t.Helper()
	name, err := os.Readlink("/proc/thread-self/ns/net")
	must(t, err)
	return name
}

func TestDoReturnsWhenTheFunctionDoesNot(t *testing.T) {
	n := rooms.NewTest(t)
	failure := errors.New("mine")
	if err := n.Do(func() error { return failure }); !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
}

func TestNamedNamespaceIsFoundByIPAndGoneAfterClose(t *testing.T) {
	rooms.RequireCommand(t, "ip")
	const name = "lnsgate-netns-test"
	must(t, netns.Remove(name))
	n, err := netns.New(name)
	must(t, err)
	defer n.Close()
	if _, err := netns.New(name); err == nil {
		t.Error("the same name was given twice")
	}
	if out, err := exec.Command("ip", "netns", "list").CombinedOutput(); err != nil || !strings.Contains(string(out), name) {
		t.Errorf("ip netns list: %s, %v", out, err)
	}
	if out, err := n.Run("ip", "-o", "link"); err != nil || !strings.Contains(string(out), "lo:") {
		t.Errorf("ip link: %s, %v", out, err)
	}
	must(t, n.Close())
	must(t, n.Close())
	if _, err := os.Stat("/run/netns/" + name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the name is still there: %v", err)
	}
	must(t, netns.Remove(name))
}

func TestRunTellsWhatTheCommandPrinted(t *testing.T) {
	n := rooms.NewTest(t)
	if _, err := n.Run("sh", "-c", "echo no such luck; exit 3"); err == nil || !strings.Contains(err.Error(), "no such luck") {
		t.Errorf("got %v", err)
	}
}

func TestStartRunsInside(t *testing.T) {
	n := rooms.NewTest(t)
	command := exec.Command("readlink", "/proc/self/ns/net")
	var out strings.Builder
	command.Stdout = &out
	must(t, n.Start(command))
	must(t, command.Wait())
	if strings.TrimSpace(out.String()) == currentNamespace(t) {
		t.Error("the command ran outside")
	}
}

func TestErrorsNameInterfaceAndNamespace(t *testing.T) {
	n := rooms.NewTest(t)
	for what, err := range map[string]error{
		"up":      n.Up("nothere"),
		"mtu":     n.SetMTU("nothere", 1400),
		"address": n.Address("nothere", "192.0.2.1/24"),
		"parse":   n.Address("lo", "192.0.2.1.1/24"),
		"route":   n.RouteLink("10.0.0.0/8", "nothere"),
		"gateway": n.Route("10.0.0.0/8", "x"),
		"prefix":  n.Route("10.0.0.0/99", "127.0.0.1"),
		"bridge":  n.Bridge("br0", "nothere"),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if _, err := n.HardwareAddr("nothere"); err == nil || !strings.Contains(err.Error(), "nothere") {
		t.Errorf("got %v", err)
	}
}
