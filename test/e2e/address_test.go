package e2e

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"lnsgate/test/netns"
)

// A PC that lost power comes back while its old session still stands. Its own address is not kept from it.
func TestOwnAddressComesBackAfterALostConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(limited("address: 10.10.1.77"))
	c, up := w.online("l2tpuser", "Admin@123")
	if up.Address.String() != "10.10.1.77" {
		t.Fatalf("the address is %s, not the account's own", up.Address)
	}
	w.ping(w.hq, "10.10.1.77")
	c.signal(syscall.SIGKILL)
	c.ended()
	c, up = w.online("l2tpuser", "Admin@123")
	if up.Address.String() != "10.10.1.77" {
		t.Errorf("the second time the address is %s", up.Address)
	}
	w.ping(w.hq, "10.10.1.77")
	s.says("session closed", "user", "l2tpuser", "cause", "a newer login")
	c.hangUp()
	if list := s.sessions(); len(list) > 1 {
		t.Errorf("%d sessions of one account with an address of its own", len(list))
	}
}

// A domain whose pools are used up says so to the peer and to the administrator, and serves again when one has left.
func TestFullPoolIsToldAndRecovers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(strings.Replace(usual, "[10.10.1.10-10.10.1.250]", "[10.10.1.10-10.10.1.11], quarantine: 0s", 1))
	first, second := w.dial(w.client, "l2tpuser", "Admin@123"), w.dial(w.client, "l2tpuser", "Admin@123")
	first.up()
	second.up()
	end, code := w.dial(w.client, "l2tpuser", "Admin@123").gone()
	if code == 0 || !end.ByServer || !strings.Contains(end.Reason, "address") {
		t.Errorf("with a full pool dial ends with code %d, %+v", code, end)
	}
	s.says("session not opened", "user", "l2tpuser", "cause", "pool1")
	first.hangUp()
	eventually(t, "an address is free", func() bool { return s.pools()[0].Free == 1 })
	w.dial(w.client, "l2tpuser", "Admin@123").up()
}

// Packets larger than the tunnel cross it in fragments; those that must not be fragmented are reported to their sender.
func TestLargePackets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(usual)
	_, up := w.online("l2tpuser", "Admin@123")
	address := up.Address.String()
	w.ping(w.client, hqAddress, "-s", "4000")
	w.ping(w.hq, address, "-s", "4000")
	w.ping(w.hq, address, "-s", "1432", "-M", "do") // with the headers 1460, the MRU
	_, received, output := w.tryPing(w.hq, address, "-s", "1433", "-M", "do", "-W", "1")
	if received != 0 || !strings.Contains(output, "mtu") || !strings.Contains(output, "1460") {
		t.Errorf("a packet of 1461 octets that must not be fragmented:\n%s", output)
	}
	if n := s.session("l2tpuser").RxOctets; n < 5*4000 {
		t.Errorf("only %d octets counted", n)
	}
}

// The dialler does not give up because the server is a moment late.
func TestServerComesUpWhileAClientDials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.dial(w.client, "l2tpuser", "Admin@123", "--tun", "vpn0", "--route", "10.20.0.0/24")
	eventually(t, "the first SCCRQ is repeated", func() bool {
		last, _ := c.find("step")
		return last.Message == "SCCRQ" && strings.Count(c.out.String(), "SCCRQ") >= 2
	})
	w.serve(usual)
	c.up()
	w.ping(w.client, hqAddress)
	c.hangUp()
}

// Pools that a reload brings are routed and answered for like those of the start.
func TestReloadOpensANewPool(t *testing.T) {
	for name, pool := range map[string]string{
		"behind a route":     "10.10.7.0/24",
		"inside the segment": "10.20.0.200-10.20.0.220",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			clean := w.snapshot()
			s := w.serve(usual)
			s.write(strings.Replace(usual, "10.10.1.10-10.10.1.250", pool, 1))
			if output, code := s.command("reload"); code != 0 {
				t.Fatalf("reload: exit code %d: %s", code, output)
			}
			c, up := w.online("l2tpuser", "Admin@123")
			w.ping(w.client, hqAddress)
			w.ping(w.hq, up.Address.String())
			c.hangUp()
			s.stop()
			checkSnapshot(t, clean, w.snapshot())
		})
	}
}

// A range that a reload takes away is drained, not cut off: whoever has an address of it keeps it until the logout.
func TestReloadDrainsARemovedRange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	clean := w.snapshot()
	s := w.serve(usual)
	c, up := w.online("l2tpuser", "Admin@123")
	s.write(strings.Replace(usual, "10.10.1.10-10.10.1.250", "10.10.7.0/24", 1))
	if output, code := s.command("reload"); code != 0 {
		t.Fatalf("reload: exit code %d: %s", code, output)
	}
	w.ping(w.client, hqAddress)
	w.ping(w.hq, up.Address.String())
	second := w.dial(w.client, "l2tpuser", "Admin@123")
	if got := second.up().Address.String(); !strings.HasPrefix(got, "10.10.7.") {
		t.Errorf("after the reload an address is %s, not of the new range", got)
	}
	c.hangUp()
	s.stop()
	checkSnapshot(t, clean, w.snapshot())
}

// An account's own address need not be of any pool.
func TestOwnAddressInsideTheSegmentIsAnsweredFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(limited("address: 10.20.0.150"))
	c, _ := w.online("l2tpuser", "Admin@123")
	w.ping(w.client, hqAddress)
	w.ping(w.hq, "10.20.0.150")
	c.hangUp()
	s.empty()
	if got := w.proxies(); len(got) != 0 {
		t.Errorf("proxy ARP entries %v are left after the logout", got)
	}
}

// The server needs one privilege and is no root: this is what the example unit of systemd gives it.
func TestServesWithOnePrivilege(t *testing.T) {
	t.Parallel()
	netns.RequireCommand(t, "unshare")
	netns.RequireCommand(t, "setpriv")
	w := newWorld(t)
	clean := w.snapshot()
	nobody := []string{"--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs",
		"--inh-caps=-all,+net_admin", "--ambient-caps=-all,+net_admin", "--bounding-set=-all,+net_admin"}
	// Debian lets everybody open /dev/net/tun; a smaller system may not. The mount namespace keeps the change inside.
	script := `mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200 && exec setpriv "$@"`
	s := w.prepare(inSegment)
	w.in(w.lns, "chown", "-R", "65534:65534", w.folder)
	args := append([]string{"-m", "sh", "-c", script, "setpriv"}, nobody...)
	s.launch(exec.Command("unshare", append(args, program, "serve", "-c", s.config)...))
	c, up := w.online("l2tpuser", "Admin@123")
	w.ping(w.client, hqAddress)
	w.ping(w.hq, up.Address.String())
	c.hangUp()
	s.stop()
	checkSnapshot(t, clean, w.snapshot())
}
