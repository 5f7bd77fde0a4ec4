package host

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"lnsgate/test/netns"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// room is a namespace with a Host in it and a TUN device vt1.
func room(t *testing.T, stateDir string) (*netns.Namespace, *Host) {
	t.Helper()
	n := netns.NewTest(t)
	device(t, n, "vt1")
	return n, newHost(t, n, stateDir)
}

// device makes a TUN device that the test holds open, as lnsgate does.
func device(t *testing.T, n *netns.Namespace, name string) {
	t.Helper()
	attributes := netlink.NewLinkAttrs()
	attributes.Name = name
	tun := &netlink.Tuntap{LinkAttrs: attributes, Mode: netlink.TUNTAP_MODE_TUN, NonPersist: true, Queues: 1,
		Flags: netlink.TUNTAP_NO_PI}
	must(t, n.Do(func() error {
		h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer h.Close()
		return h.LinkAdd(tun)
	}))
	t.Cleanup(func() {
		for _, f := range tun.Fds {
			f.Close()
		}
	})
}

func newHost(t *testing.T, n *netns.Namespace, stateDir string) *Host {
	t.Helper()
	var h *Host
	must(t, n.Do(func() (err error) { h, err = New(Config{StateDir: stateDir}); return err }))
	t.Cleanup(func() { must(t, n.Do(h.Close)) })
	return h
}

func prefixes(list ...string) (out []netip.Prefix) {
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// snapshot is what `ip` and the sysctls say, for comparing before and after.
func snapshot(t *testing.T, n *netns.Namespace) string {
	t.Helper()
	var all strings.Builder
	for _, args := range [][]string{
		{"-o", "-4", "addr"}, {"-4", "route", "show", "table", "all"}, {"neigh", "show", "proxy"},
	} {
		out, err := n.Run("ip", args...)
		must(t, err)
		all.Write(out)
	}
	must(t, n.Do(func() error {
		for _, name := range []string{forwarding} {
			value, err := readSysctl(name)
			if err != nil {
				return err
			}
			fmt.Fprintln(&all, name, value)
		}
		return nil
	}))
	return all.String()
}

func routesOf(t *testing.T, n *netns.Namespace, args ...string) []string {
	t.Helper()
	out, err := n.Run("ip", append([]string{"-4", "route", "show"}, args...)...)
	must(t, err)
	var routes []string
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) > 0 {
			routes = append(routes, fields[0])
		}
	}
	slices.Sort(routes)
	return routes
}

func TestConfigureAndCloseLeaveNothing(t *testing.T) {
	netns.RequireCommand(t, "ip")
	n, h := room(t, "")
	before := snapshot(t, n)
	template := VirtualTemplate{
		Name: "vt1", Address: netip.MustParsePrefix("10.10.0.1/32"), MTU: 1460,
		Routes: Aggregate(netip.MustParseAddr("10.10.1.10"), netip.MustParseAddr("10.10.1.13")),
	}
	for range 2 { // the second time changes nothing
		must(t, n.Do(func() error { return errors.Join(h.Configure(template), h.EnableForwarding()) }))
	}
	out, err := n.Run("sh", "-c", "ip addr show dev vt1; ip link show dev vt1")
	must(t, err)
	for _, want := range []string{"10.10.0.1/32", "mtu 1460", "UP", "alias " + Alias} {
		if !strings.Contains(string(out), want) {
			t.Errorf("vt1 lacks %q: %s", want, out)
		}
	}
	if got := routesOf(t, n, "proto", "170"); !slices.Equal(got, []string{"10.10.1.10/31", "10.10.1.12/31"}) {
		t.Errorf("routes of ours: %v", got)
	}
	must(t, n.Do(func() error {
		if v, _ := readSysctl(forwarding); v != "1" {
			return fmt.Errorf("forwarding is %s", v)
		}
		return nil
	}))
	must(t, n.Do(h.Close))
	must(t, n.Do(h.Close))
	if after := snapshot(t, n); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	if err := n.Do(func() error { return h.Configure(template) }); err == nil {
		t.Error("a closed Host configures")
	}
}

func TestConfigureAgainChangesWhatDiffers(t *testing.T) {
	netns.RequireCommand(t, "ip")
	n, h := room(t, "")
	configure := func(address string, routes ...string) {
		t.Helper()
		must(t, n.Do(func() error {
			return h.Configure(VirtualTemplate{Name: "vt1", Address: netip.MustParsePrefix(address), Routes: prefixes(routes...)})
		}))
	}
	configure("10.10.0.1/32", "10.1.0.0/24", "10.2.0.0/24")
	configure("10.10.0.2/32", "10.2.0.0/24", "10.3.0.0/24")
	if got := routesOf(t, n, "proto", "170"); !slices.Equal(got, []string{"10.2.0.0/24", "10.3.0.0/24"}) {
		t.Errorf("routes: %v", got)
	}
	out, err := n.Run("ip", "-4", "-o", "addr", "show", "dev", "vt1")
	must(t, err)
	if s := string(out); strings.Contains(s, "10.10.0.1/32") || !strings.Contains(s, "10.10.0.2/32") {
		t.Errorf("addresses: %s", s)
	}
}

func TestRoutesOfOthersAreLeftAlone(t *testing.T) {
	netns.RequireCommand(t, "ip")
	n, h := room(t, "")
	device(t, n, "other")
	must(t, n.Up("other"))
	must(t, n.RouteLink("10.1.0.0/24", "other"))
	err := n.Do(func() error {
		return h.Configure(VirtualTemplate{Name: "vt1", Routes: prefixes("10.1.0.0/24")})
	})
	var conflict *RouteConflictError
	if !errors.As(err, &conflict) || conflict.Interface != "other" {
		t.Fatalf("got %v", err)
	}
	must(t, n.Do(h.Close))
	if got := routesOf(t, n); !slices.Equal(got, []string{"10.1.0.0/24"}) {
		t.Errorf("routes: %v", got)
	}
}

func TestForwardingThatWasOnStaysOn(t *testing.T) {
	n, h := room(t, "")
	must(t, n.Do(func() error { return errors.Join(writeSysctl(forwarding, "1"), h.EnableForwarding(), h.Close()) }))
	must(t, n.Do(func() error {
		if v, _ := readSysctl(forwarding); v != "1" {
			return errors.New("forwarding was switched off")
		}
		return nil
	}))
}

func TestCloseAfterTheInterfaceIsGone(t *testing.T) {
	netns.RequireCommand(t, "ip")
	n, h := room(t, "")
	must(t, n.Do(func() error {
		return h.Configure(VirtualTemplate{Name: "vt1", Address: netip.MustParsePrefix("10.10.0.1/32"), Routes: prefixes("10.1.0.0/24")})
	}))
	_, err := n.Run("ip", "link", "del", "vt1")
	must(t, err)
	must(t, n.Do(h.Close))
}

func TestConfigureNamesTheMissingInterface(t *testing.T) {
	n, h := room(t, "")
	err := n.Do(func() error { return h.Configure(VirtualTemplate{Name: "vt9"}) })
	if !errors.Is(err, ErrNoInterface) || !strings.Contains(err.Error(), "vt9") {
		t.Errorf("got %v", err)
	}
}

func TestSegments(t *testing.T) {
	n := netns.NewTest(t)
	other := netns.NewTest(t)
	must(t, netns.Veth(n, "hq0", other, "eth0"))
	must(t, netns.Veth(n, "hq1", other, "eth1"))
	must(t, n.Address("hq0", "192.168.1.1/24"))
	must(t, n.Address("hq1", "192.168.2.1/24"))
	device(t, n, "vt1")
	must(t, n.Address("vt1", "192.168.1.200/26"))
	h := newHost(t, n, "")
	for _, c := range []struct {
		pool string
		want []Segment
	}{
		{"192.168.1.128/25", []Segment{{"hq0", netip.MustParsePrefix("192.168.1.0/24")}}},
		{"192.168.0.0/16", []Segment{{"hq0", netip.MustParsePrefix("192.168.1.0/24")}, {"hq1", netip.MustParsePrefix("192.168.2.0/24")}}},
		{"10.10.1.0/24", nil},
		{"127.0.0.0/8", nil},
	} {
		got, err := h.Segments(netip.MustParsePrefix(c.pool))
		must(t, err)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.pool, got, c.want)
		}
	}
	got, err := h.Segments(netip.MustParsePrefix("192.168.1.0/24"), "hq0")
	must(t, err)
	if len(got) != 0 {
		t.Errorf("excepted, still found: %v", got)
	}
}

func TestErrorsNameTheMissingPrivilege(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{unix.EPERM, "CAP_NET_ADMIN"}, {unix.EACCES, "CAP_NET_ADMIN"}, {unix.EROFS, "read-only"}, {unix.EINVAL, "set up vt1: invalid"},
	} {
		if got := failure("set up vt1", c.err).Error(); !strings.Contains(got, c.want) || !strings.HasPrefix(got, "set up vt1") {
			t.Errorf("%v: got %q", c.err, got)
		}
	}
}

func TestJournalKeepsTheFirstValueAndEndsEmpty(t *testing.T) {
	directory := t.TempDir()
	j := newJournal(directory)
	must(t, j.add(change{"a", "0", "1"}))
	must(t, j.add(change{"a", "1", "2"}))
	must(t, j.add(change{"b", "x", "y"}))
	got, err := newJournal(directory).read()
	must(t, err)
	if want := []change{{"a", "0", "1"}, {"b", "x", "y"}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	must(t, j.remove("a"))
	must(t, j.remove("nothing"))
	must(t, j.remove("b"))
	if files, _ := filepath.Glob(directory + "/*"); len(files) != 0 {
		t.Errorf("left: %v", files)
	}
	must(t, os.WriteFile(filepath.Join(directory, journalName), []byte("{"), 0o600))
	if _, err := j.read(); err == nil {
		t.Error("nonsense was read")
	}
	none := newJournal("")
	must(t, none.add(change{"a", "0", "1"}))
	if got, err := none.read(); err != nil || got != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestDottedNames(t *testing.T) {
	if got := dotted("net/ipv4/neigh/eth0.100/proxy_delay"); got != "net.ipv4.neigh.eth0/100.proxy_delay" {
		t.Error(got)
	}
}
