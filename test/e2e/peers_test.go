package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// The server notices that a peer is gone, although nothing on the network says so, and takes its address back.
func TestVanishedClientIsNoticed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(strings.Replace(usual, "mru: 1460", "mru: 1460, echo_interval: 1s, echo_failures: 1", 1))
	c, _ := w.online("l2tpuser", "Admin@123")
	busy := time.Now()
	within(t, patience, "the session has outlived some echoes", func() bool { return time.Since(busy) > 2*time.Second })
	if len(s.sessions()) != 1 {
		t.Fatal("a session that answers was ended")
	}
	c.signal(syscall.SIGKILL)
	c.ended()
	s.says("session closed", "user", "l2tpuser", "cause", "Echo-Request")
	eventually(t, "the address is back", func() bool { return s.pools()[0].Leased == 0 })
}

// The client notices that the server is gone, and says so instead of staying up with a dead interface.
func TestVanishedServerIsNoticed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(usual)
	c, _ := w.online("l2tpuser", "Admin@123", "--echo", "300ms")
	s.signal(syscall.SIGKILL)
	s.ended()
	if end, code := c.gone(); code == 0 || end.OK || end.Reason == "" {
		t.Errorf("dial ends with code %d, %+v", code, end)
	}
}

// With a route for everything the datagrams to the server still go around the tunnel that they carry, and afterwards the
// client's host is as it was.
func TestDefaultRouteThroughTheTunnel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	clean := snapshot(w.t, w.client)
	w.serve(usual)
	c := w.dial(w.client, "l2tpuser", "Admin@123", "--tun", "vpn0", "--route", "default")
	c.up()
	w.ping(w.client, hqAddress)
	w.ping(w.client, serverAddress)
	transfer(t, w.hq, w.client, c.events()[len(c.events())-1].Address.String(), 1<<20)
	c.hangUp()
	checkSnapshot(t, clean, snapshot(w.t, w.client))
}

// Two clients reach each other through the server.
func TestClientsReachEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(usual)
	bob := w.secondClient()
	first := w.dial(w.client, "l2tpuser", "Admin@123", "--tun", "vpn0", "--route", "10.10.0.0/16").up()
	second := w.dialTo(bob, "192.0.3.1", "l2tpuser", "Admin@123", "--tun", "vpn0", "--route", "10.10.0.0/16").up()
	w.ping(w.client, second.Address.String())
	w.ping(bob, first.Address.String())
	transfer(t, w.client, bob, second.Address.String(), 4<<20)
	if n := len(s.sessions()); n != 2 {
		t.Errorf("%d sessions of an account that may have two", n)
	}
}

// An operator's LAC carries many calls in one tunnel.
func TestManyCallsInOneTunnel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(usual)
	c := w.dial(w.client, "l2tpuser", "Admin@123", "--count", "60", "--sessions-per-tunnel", "20", "--hold", "forever")
	eventually(t, "60 sessions are open", func() bool { return countOpen(s) == 60 })
	for _, v := range s.tunnels() {
		if v.Sessions != 20 {
			t.Errorf("a tunnel with %d sessions, want 20", v.Sessions)
		}
	}
	kicked := s.sessions()[7]
	if output, code := s.command("kick", kicked.Session); code != 0 {
		t.Errorf("kick: %s", output)
	}
	eventually(t, "59 sessions are open", func() bool { return countOpen(s) == 59 })
	c.signal(syscall.SIGINT)
	c.ended() // one call was lost, so this is no success
	s.empty()
}
