package transport

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"lnsgate/test/netns"
)

// firewalled is a namespace with the shipped rules, except that an address stands for IPsec, which this kernel may not have.
func firewalled(t *testing.T, secure string) *netns.Namespace {
	t.Helper()
	netns.RequireCommand(t, "nft")
	shipped, err := os.ReadFile("../../configs/strongswan/lnsgate.nft")
	must(t, err)
	rules := strings.ReplaceAll(string(shipped), "meta ipsec exists", "@nh,96,32 "+secure)
	if rules == string(shipped) {
		t.Fatal("the shipped rules do not ask for IPsec")
	}
	file := filepath.Join(t.TempDir(), "rules.nft")
	must(t, os.WriteFile(file, []byte(rules), 0o600))
	host := netns.NewTest(t)
	if out, err := host.Run("nft", "-c", "-f", "../../configs/strongswan/lnsgate.nft"); err != nil {
		t.Fatalf("the shipped rules: %v\n%s", err, out)
	}
	if out, err := host.Run("nft", "-f", file); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return host
}

// What the firewall has marked is secure, and nothing else is.
func TestTheFirewallTellsWhatCameThroughIPsec(t *testing.T) {
	host, peers := firewalled(t, "0xc0000207"), netns.NewTest(t) // 192.0.2.7
	must(t, netns.Veth(host, "eth0", peers, "eth0"))
	must(t, host.Address("eth0", "192.0.2.1/24"))
	must(t, peers.Address("eth0", "192.0.2.7/24"))
	must(t, peers.Address("eth0", "192.0.2.8/24"))
	var server *Transport
	var all <-chan arrived
	must(t, host.Do(func() error {
		server = newTransport(t, Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:1701")}, SocketsPerAddress: 2})
		all = running(t, server)
		return nil
	}))
	from := func(address string) *Transport {
		var peer *Transport
		must(t, peers.Do(func() error {
			peer = newTransport(t, Config{Listen: []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr(address), 0)}, SocketsPerAddress: 1})
			return nil
		}))
		return peer
	}
	secure, clear := from("192.0.2.7"), from("192.0.2.8")
	say := func(peer *Transport, want bool) {
		t.Helper()
		path, err := peer.PathTo(netip.MustParseAddrPort("192.0.2.1:1701"))
		must(t, err)
		must(t, peer.Send(path, []byte("hello")))
		if a := next(t, all); a.from.Secure != want || a.from.Remote.Addr() != peer.Addrs()[0].Addr() || a.from.Local != netip.MustParseAddr("192.0.2.1") {
			t.Errorf("%+v, want secure %v", a.from, want)
		}
	}
	say(secure, false) // nobody has asked
	must(t, server.TellSecure(1701))
	say(secure, true)
	say(clear, false)
	must(t, server.TellSecure(1702)) // another mark than the rules set
	say(secure, false)
}

func TestRemediesOfMarks(t *testing.T) {
	if !strings.Contains(remedy(unix.ENOPROTOOPT), "6.0") || !strings.Contains(remedy(unix.EPERM), "CAP_NET_ADMIN") || remedy(errors.New("x")) != "" {
		t.Error("the wrong advice")
	}
}

// The control message with a mark in it has room beside the address and the segment size.
func TestControlHoldsAMarkToo(t *testing.T) {
	for _, local := range []string{"192.0.2.1", "2001:db8::1"} {
		var c control
		n := c.build(netip.MustParseAddr(local), 0)
		*(*int32)(record(c.bytes()[n:], unix.SOL_UDP, unix.UDP_GRO, 4)) = 1400
		n += unix.CmsgSpace(4)
		*(*uint32)(record(c.bytes()[n:], unix.SOL_SOCKET, unix.SO_MARK, 4)) = 77
		n += unix.CmsgSpace(4)
		if n > controlSize {
			t.Fatalf("%d octets", n)
		}
		if got, segment, mark := c.parse(n); got.String() != local || segment != 1400 || mark != 77 {
			t.Errorf("%v, %d, %d", got, segment, mark)
		}
	}
}
