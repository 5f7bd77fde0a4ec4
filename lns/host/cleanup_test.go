package host

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"lnsgate/test/netns"
)

// crash drops a Host as a killed process does: the kernel closes its sockets, and nothing is taken back.
func crash(h *Host) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.undo = nil
	h.claimed.release()
}

func TestCleanUpAfterACrash(t *testing.T) {
	netns.RequireCommand(t, "ip")
	state := t.TempDir()
	n, h := room(t, state)
	hq := netns.NewTest(t)
	must(t, netns.Veth(n, "hq0", hq, "eth0"))
	before := snapshot(t, n)
	_, err := n.Run("ip", "neigh", "add", "proxy", "10.99.0.1", "dev", "hq0")
	must(t, err)
	must(t, n.Do(func() error {
		if _, err := h.CleanUp("vt1"); err == nil {
			return errors.New("a foreign vt1 was accepted")
		}
		proxy, err := h.NewProxy("hq0")
		return errors.Join(err,
			h.EnableForwarding(),
			h.Configure(VirtualTemplate{Name: "vt1", Address: netip.MustParsePrefix("10.10.0.1/32"), Routes: prefixes("10.1.0.0/24")}),
			proxy.AddProxy(netip.MustParseAddr("10.1.0.7")))
	}))
	crash(h)
	_, err = n.Run("ip", "link", "del", "vt1") // as the kernel does with a device that nobody holds
	must(t, err)

	next := newHost(t, n, state)
	var left Leftovers
	must(t, n.Do(func() (err error) { left, err = next.CleanUp("vt1"); return err }))
	if !slices.Equal(left.Proxies, []netip.Addr{netip.MustParseAddr("10.1.0.7")}) {
		t.Errorf("proxies: %v", left.Proxies)
	}
	if !slices.Equal(left.Sysctls, []string{"net.ipv4.ip_forward", "net.ipv4.neigh.hq0.proxy_delay"}) {
		t.Errorf("sysctls: %v", left.Sysctls)
	}
	_, err = n.Run("ip", "neigh", "del", "proxy", "10.99.0.1", "dev", "hq0") // fails if it is gone
	must(t, err)
	device(t, n, "vt1")
	if after := snapshot(t, n); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	if _, err := os.Stat(filepath.Join(state, journalName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("journal left: %v", err)
	}
	must(t, n.Do(func() (err error) { left, err = next.CleanUp(); return err }))
	if left.Any() {
		t.Errorf("the second time there was still %v", left)
	}
}

func TestCleanUpRemovesRoutesOfOursOnly(t *testing.T) {
	netns.RequireCommand(t, "ip")
	n, h := room(t, "")
	must(t, n.Up("vt1"))
	for _, args := range [][]string{
		{"route", "add", "10.1.0.0/24", "dev", "vt1", "proto", "170"},
		{"route", "add", "10.2.0.0/24", "dev", "vt1"},
		{"tuntap", "add", "dial0", "mode", "tun"},
		{"link", "set", "dial0", "up"},
		{"route", "add", "10.3.0.0/24", "dev", "dial0", "proto", "170"},
	} {
		_, err := n.Run("ip", args...)
		must(t, err)
	}
	var left Leftovers
	must(t, n.Do(func() error {
		var err error
		if left, err = h.CleanUp("vt1"); err == nil {
			return errors.New("vt1, which is in use, was accepted")
		}
		return nil
	}))
	if !slices.Equal(left.Routes, prefixes("10.1.0.0/24")) {
		t.Errorf("removed %v", left.Routes)
	}
	if got := routesOf(t, n); !slices.Equal(got, []string{"10.2.0.0/24", "10.3.0.0/24"}) {
		t.Errorf("left: %v", got)
	}
}

func TestCleanUpRemovesADeviceThatNobodyHolds(t *testing.T) {
	n, h := room(t, "")
	must(t, n.Do(func() error {
		attributes := netlink.NewLinkAttrs()
		attributes.Name = "vt2"
		links, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer links.Close()
		tun := &netlink.Tuntap{LinkAttrs: attributes, Mode: netlink.TUNTAP_MODE_TUN}
		if err := links.LinkAdd(tun); err != nil {
			return err
		}
		for _, f := range tun.Fds {
			f.Close()
		}
		if _, err := h.CleanUp("vt2"); err == nil {
			return errors.New("a device without our mark was removed")
		}
		return links.LinkSetAlias(tun, Alias)
	}))
	var left Leftovers
	must(t, n.Do(func() (err error) { left, err = h.CleanUp("vt2", "vt3"); return err }))
	if !slices.Equal(left.Interfaces, []string{"vt2"}) || n.HasLink("vt2") {
		t.Errorf("got %v, vt2 there: %v", left.Interfaces, n.HasLink("vt2"))
	}
}

func TestCleanUpDistrustsTheJournal(t *testing.T) {
	state := t.TempDir()
	n, h := room(t, state)
	for _, content := range []string{
		`[{"sysctl":"kernel/core_pattern","old":"|/bin/evil","new":"core"}]`,
		`[{"sysctl":"net/ipv4/../../kernel/x","old":"1","new":"0"}]`,
		`nonsense`,
	} {
		must(t, os.WriteFile(filepath.Join(state, journalName), []byte(content), 0o600))
		if err := n.Do(func() error { _, err := h.CleanUp(); return err }); err == nil {
			t.Errorf("no error for %s", content)
		}
	}
}

func TestARestoredSysctlKeepsALaterChange(t *testing.T) {
	n, h := room(t, "")
	must(t, n.Do(func() error {
		// Somebody chose yet another value in the meantime.
		return errors.Join(writeSysctl("net/ipv4/ip_default_ttl", "65"),
			h.restore(change{Sysctl: "net/ipv4/ip_default_ttl", Old: "64", New: "66"}))
	}))
	must(t, n.Do(func() error {
		if v, err := readSysctl("net/ipv4/ip_default_ttl"); err != nil || v != "65" {
			return errors.Join(err, errors.New("got "+v))
		}
		return nil
	}))
}
