package e2e

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"lnsgate/lns/admin"

	"github.com/google/go-cmp/cmp"
)

// usual is the table of the README: one user, one pool, one virtual template.
const usual = `
	listen: [0.0.0.0:1701, "[::]:1701"]
	virtual_templates:
	  - {name: vt1, address: 10.10.0.1/32, mru: 1460}
	l2tp_groups:
	  - {name: default, virtual_template: vt1, tunnel_name: LNS}
	domains:
	  - {name: default, authentication: [local], pools: [pool1], dns: [10.20.0.2, 10.20.0.3]}
	pools:
	  - {name: pool1, ranges: [10.10.1.10-10.10.1.250]}
	users:
	  - {name: l2tpuser, password: "Admin@123"}
	`

func TestLoginReachesHeadquarters(t *testing.T) {
	for _, method := range []string{"chap", "pap", "mschapv2"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := w.serve(usual)
			c, up := w.online("l2tpuser", "Admin@123", "--auth", method)

			if pool := netip.MustParsePrefix("10.10.1.0/24"); !pool.Contains(up.Address) {
				t.Errorf("the address %s is not from the pool", up.Address)
			}
			if up.Seconds <= 0 {
				t.Errorf("dial says that the login took %v s", up.Seconds)
			}
			wanted := event{Event: "up", Seconds: up.Seconds, Address: up.Address, Peer: netip.MustParseAddr("10.10.0.1"), MRU: 1460, Method: method,
				DNS: []netip.Addr{netip.MustParseAddr("10.20.0.2"), netip.MustParseAddr("10.20.0.3")}, Interface: "vpn0",
				Server: "LNS", Message: up.Message}
			if diff := cmp.Diff(wanted, up, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("what dial reports (-want +got):\n%s", diff)
			}
			before := s.session("l2tpuser")
			pings := w.ping(w.client, hqAddress, "-s", "1000")
			checkShow(t, s, up, method)
			checkCounters(t, pings, before, s.session("l2tpuser"))

			c.hangUp()
			s.empty()
			if leased := s.pools()[0].Leased; leased != 0 {
				t.Errorf("%d addresses are still leased", leased)
			}
			s.says("session closed", "user", "l2tpuser", "cause", "the peer")
			s.stop()
		})
	}
}

// checkShow compares what the operator's commands say with what the client knows.
func checkShow(t *testing.T, s *server, up event, method string) {
	t.Helper()
	var tunnels []admin.Tunnel
	var sessions []admin.Session
	var pools []admin.Pool
	var domains []admin.Domain
	s.show("tunnels", &tunnels)
	s.show("sessions", &sessions)
	s.show("pools", &pools)
	s.show("domains", &domains)
	if len(tunnels) != 1 || len(sessions) != 1 || len(pools) != 1 || len(domains) != 1 {
		t.Fatalf("%d tunnels, %d sessions, %d pools, %d domains; want one of each",
			len(tunnels), len(sessions), len(pools), len(domains))
	}
	tunnel, session, pool, domain := tunnels[0], sessions[0], pools[0], domains[0]
	check := func(what string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	check("tunnel's remote address", tunnel.RemoteAddress.String(), clientAddress)
	check("tunnel's state", tunnel.State, "established")
	check("tunnel's group", tunnel.Group, "default")
	check("tunnel's sessions", tunnel.Sessions, 1)
	check("session", session.Session, fmt.Sprintf("%d/%d", tunnel.LocalID, session.LocalID))
	check("session's remote port", session.RemotePort, tunnel.RemotePort)
	check("session's user", session.User, "l2tpuser")
	check("session's domain", session.Domain, "default")
	check("session's address", session.Address, up.Address)
	check("session's pool", session.Pool, "pool1")
	check("session's method", session.Method, method)
	check("session's MRU", session.MRU, 1460)
	check("session's template", session.VirtualTemplate, "vt1")
	check("session has an age", session.UpSince.IsZero(), false)
	check("pool's size", pool.Size, uint64(241))
	check("pool's leased", pool.Leased, uint64(1))
	check("pool's free", pool.Free, uint64(240))
	check("domain's name", domain.Name, "default")
	check("domain is the default", domain.Default, true)
	check("domain's sessions", domain.Sessions, 1)
	for _, list := range []string{"tunnels", "sessions", "pools", "domains", "counters"} {
		output, code := s.command("show", list)
		lines := strings.Split(strings.TrimSpace(output), "\n")
		if code != 0 || len(lines) < 2 || slices.Contains(lines, "") {
			t.Errorf("show %s: exit code %d\n%s", list, code, output)
		}
	}
}

// checkCounters knows what pings of 1000 octets add each way; a little noise of the system may come on top.
func checkCounters(t *testing.T, pings int, before, after admin.Session) {
	t.Helper()
	packets, octets := uint64(pings), uint64(pings*(20+8+1000))
	for way, n := range map[string][2]uint64{
		"in":  {after.RxPackets - before.RxPackets, after.RxOctets - before.RxOctets},
		"out": {after.TxPackets - before.TxPackets, after.TxOctets - before.TxOctets},
	} {
		if n[0] < packets || n[0] > packets+10 || n[1] < octets || n[1] > octets+1000 {
			t.Errorf("%d packets with %d octets count as %d packets with %d octets %s", packets, octets, n[0], n[1], way)
		}
	}
	if after.Drops != 0 {
		t.Errorf("%d packets were dropped", after.Drops)
	}
}
