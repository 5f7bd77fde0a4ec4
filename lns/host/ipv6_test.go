package host

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"lnsgate/test/netns"
)

func sysctls(t *testing.T, n *netns.Namespace, names ...string) string {
	t.Helper()
	var all []string
	must(t, n.Do(func() error {
		for _, name := range names {
			v, err := readSysctl(name)
			if err != nil {
				return err
			}
			all = append(all, fmt.Sprintf("%s=%s", name[strings.LastIndexByte(name, '/')+1:], v))
		}
		return nil
	}))
	return strings.Join(all, " ")
}

func TestIPv6OnAVirtualTemplate(t *testing.T) {
	netns.RequireTUN(t)
	netns.RequireCommand(t, "ip")
	n, h := room(t, "")
	before := snapshot(t, n)
	template := VirtualTemplate{
		Name: "vt1", Address: netip.MustParsePrefix("10.10.0.1/32"), IPv6: true, Address6: netip.MustParsePrefix("2001:db8::1/128"),
		Routes: prefixes("10.10.1.0/24", "2001:db8:100::/40"),
	}
	for range 2 {
		must(t, n.Do(func() error { return h.Configure(template) }))
	}
	own, err := n.Run("ip", "-6", "-o", "address", "show", "dev", "vt1")
	must(t, err)
	routes, err := n.Run("ip", "-6", "route", "show", "proto", "170")
	must(t, err)
	if s := string(own); !strings.Contains(s, "2001:db8::1/128") || strings.Contains(s, "fe80") {
		t.Errorf("addresses: %s", s)
	}
	if s := string(routes); !strings.HasPrefix(s, "2001:db8:100::/40 dev vt1") {
		t.Errorf("routes: %s", s)
	}
	must(t, n.Do(func() error {
		return errors.Join(h.AddRoutes("vt1", []Route{{Prefix: netip.MustParsePrefix("2001:db8:f00::/56")}}), h.Configure(template))
	}))
	if s, _ := n.Run("ip", "-6", "route", "show", "2001:db8:f00::/56"); !strings.Contains(string(s), "dev vt1") {
		t.Errorf("the route of a peer: %s", s)
	}
	must(t, n.Do(func() error {
		return h.RemoveRoutes("vt1", []Route{{Prefix: netip.MustParsePrefix("2001:db8:f00::/56")}})
	}))
	template.Address6, template.Routes = netip.MustParsePrefix("2001:db8::2/128"), prefixes("10.10.1.0/24")
	must(t, n.Do(func() error { return h.Configure(template) }))
	own, _ = n.Run("ip", "-6", "-o", "address", "show", "dev", "vt1")
	routes, _ = n.Run("ip", "-6", "route", "show", "proto", "170")
	if strings.Contains(string(own), "::1/128") || !strings.Contains(string(own), "::2/128") || len(routes) != 0 {
		t.Errorf("after a change: %s, %s", own, routes)
	}
	must(t, n.Do(h.Close))
	if after := snapshot(t, n); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func TestIPv6ForwardingKeepsTheWayOut(t *testing.T) {
	netns.RequireTUN(t)
	n, h := room(t, "")
	names := []string{"net/ipv6/conf/all/forwarding", "net/ipv6/conf/vt1/accept_ra"}
	must(t, n.Do(func() error {
		return errors.Join(writeSysctl("net/ipv6/conf/all/forwarding", "0"), writeSysctl("net/ipv6/conf/vt1/accept_ra", "1"))
	}))
	before := sysctls(t, n, names...)
	must(t, n.Do(h.EnableIPv6Forwarding))
	if got := sysctls(t, n, names...); got != "forwarding=1 accept_ra=2" {
		t.Errorf("switched on: %s", got)
	}
	must(t, n.Do(h.Close))
	if got := sysctls(t, n, names...); got != before {
		t.Errorf("switched back: %s, before %s", got, before)
	}
}
