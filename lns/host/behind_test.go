package host

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"lnsgate/test/netns"
)

// shown is what `ip route` says of our routes to networks behind peers, a line each.
func shown(t *testing.T, n *netns.Namespace) string {
	t.Helper()
	out, err := n.Run("ip", "-4", "route", "show", "root", "10.20.0.0/16", "proto", "170")
	must(t, err)
	var lines []string
	for line := range strings.Lines(string(out)) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.Join(lines, "; ")
}

func behindPeer(text string, metric int) []Route {
	return []Route{{Prefix: netip.MustParsePrefix(text), Metric: metric}}
}

func TestRoutesBehindPeersComeAndGo(t *testing.T) {
	netns.RequireTUN(t)
	netns.RequireCommand(t, "ip")
	n, h := room(t, "")
	pool := VirtualTemplate{Name: "vt1", Routes: prefixes("10.20.0.0/24")}
	must(t, h.Configure(pool))
	five, same := behindPeer("10.20.5.0/24", 0), behindPeer("10.20.0.0/24", 0)
	const (
		ofPool  = "10.20.0.0/24 dev vt1 scope link"
		ofFive  = "10.20.5.0/24 dev vt1 scope link"
		ofSeven = "10.20.5.0/24 dev vt1 scope link metric 7"
	)
	for _, c := range []struct {
		what string
		do   func() error
		want string
	}{
		{"one", func() error { return h.AddRoutes("vt1", five) }, ofPool + "; " + ofFive},
		{"again, by another peer", func() error { return h.AddRoutes("vt1", five) }, ofPool + "; " + ofFive},
		{"with a metric", func() error { return h.AddRoutes("vt1", behindPeer("10.20.5.0/24", 7)) }, ofPool + "; " + ofFive + "; " + ofSeven},
		{"the pool's", func() error { return h.AddRoutes("vt1", same) }, ofPool + "; " + ofFive + "; " + ofSeven},
		{"the pool's goes", func() error { return h.RemoveRoutes("vt1", same) }, ofPool + "; " + ofFive + "; " + ofSeven},
		{"the first goes", func() error { return h.RemoveRoutes("vt1", five) }, ofPool + "; " + ofFive + "; " + ofSeven},
		{"both are gone", func() error { return h.RemoveRoutes("vt1", five) }, ofPool + "; " + ofSeven},
		{"once more", func() error { return h.RemoveRoutes("vt1", five) }, ofPool + "; " + ofSeven},
		{"the pool's is a peer's, too", func() error { return h.AddRoutes("vt1", same) }, ofPool + "; " + ofSeven},
		{"the pool goes", func() error { return h.Configure(VirtualTemplate{Name: "vt1"}) }, ofPool + "; " + ofSeven},
		{"and the peer", func() error { return h.RemoveRoutes("vt1", same) }, ofSeven},
		{"on Close", func() error { return n.Do(h.Close) }, ""},
	} {
		if err := c.do(); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
		if got := shown(t, n); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
	if err := h.AddRoutes("vt1", five); err == nil {
		t.Error("a closed Host adds routes")
	}
}

func TestRoutesBehindPeersAreAddedAllOrNone(t *testing.T) {
	netns.RequireTUN(t)
	netns.RequireCommand(t, "ip")
	n, h := room(t, "")
	must(t, h.Configure(VirtualTemplate{Name: "vt1"}))
	device(t, n, "other")
	must(t, n.Up("other"))
	must(t, n.RouteLink("10.20.9.0/24", "other"))
	good := behindPeer("10.20.5.0/24", 0)[0]
	for _, bad := range []string{"10.20.9.0/24", "10.20.5.1/24", "0.0.0.0/0", "::/0", "2001:db8::1/32"} {
		err := h.AddRoutes("vt1", []Route{good, {Prefix: netip.MustParsePrefix(bad)}})
		var conflict *RouteConflictError
		if err == nil || errors.As(err, &conflict) != (bad == "10.20.9.0/24") {
			t.Errorf("%s: %v", bad, err)
		}
		if got := shown(t, n); got != "" {
			t.Errorf("after %s there is %q", bad, got)
		}
	}
	must(t, h.AddRoutes("vt1", behindPeer("10.20.9.0/24", 5))) // another metric is another route
	if got := shown(t, n); got != "10.20.9.0/24 dev vt1 scope link metric 5" {
		t.Errorf("there is %q", got)
	}
	if err := h.AddRoutes("vt9", []Route{good}); !errors.Is(err, ErrNoInterface) {
		t.Errorf("without the interface: %v", err)
	}
	must(t, h.RemoveRoutes("vt9", []Route{good}))
}

func TestRoutesBehindPeersOfAnInterfaceThatWentAway(t *testing.T) {
	netns.RequireTUN(t)
	netns.RequireCommand(t, "ip")
	n, h := room(t, "")
	must(t, h.Configure(VirtualTemplate{Name: "vt1"}))
	must(t, h.AddRoutes("vt1", behindPeer("10.20.5.0/24", 0)))
	_, err := n.Run("ip", "link", "del", "vt1")
	must(t, err)
	must(t, h.RemoveRoutes("vt1", behindPeer("10.20.5.0/24", 0)))
}
