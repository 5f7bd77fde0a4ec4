package lns_test

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"lnsgate/lns/datapath"
	"lnsgate/lns/lac"
	"lnsgate/test/simnet"
)

// The HELLO of a tunnel with a session is answered before strangers are; a tunnel that is only begun waits like the others.
func TestATunnelWithASessionGoesFirst(t *testing.T) {
	run(t, fast, func(r *rig) {
		r.server.Receiver().Datagram(datapath.Path{Remote: netip.MustParseAddrPort("203.0.113.9:1701")}, sccrq(9))
		synctest.Wait()
		begun := r.server.Tunnels()[0].LocalID
		c := r.dial(1, "l2tpuser", "Admin@123")
		r.wantUp(c, 3*time.Second)
		r.sleep(time.Second)
		if live := r.server.Sessions()[0].LocalTunnel; r.server.Hurries(begun) || !r.server.Hurries(live) {
			t.Errorf("begun: %v, with a session: %v", r.server.Hurries(begun), r.server.Hurries(live))
		}
		c.cancel()
		r.wantEnd(c, 10*time.Second)
	})
}

// A HELLO needs nobody's turn: who asks whether the server is there is told so while all tunnels that act at once do.
func TestHelloIsAnsweredWhileAllAreBusy(t *testing.T) {
	run(t, fast, func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123", func(c *lac.ClientConfig) {
			c.Config.HelloInterval, c.Login.EchoInterval = 3*time.Second, 0
		})
		r.wantUp(c, 3*time.Second)
		r.sleep(time.Second)
		over := r.server.Occupy()
		var asked, answered atomic.Int32
		r.net.Tap(func(d simnet.Datagram) {
			if d.From == serverAddr {
				answered.Add(1)
			} else {
				asked.Add(1)
			}
		})
		r.sleep(20 * time.Second) // for longer the server has nothing to say of its own accord
		over()
		if asked.Load() != 6 || answered.Load() != 6 {
			t.Errorf("%d questions, of which there are 6, and %d answers", asked.Load(), answered.Load())
		}
		r.sleep(time.Second)
		c.cancel()
		r.wantEnd(c, 10*time.Second)
	})
}

// Who asks again and again is answered in its turn, like all others.
func TestHelloAgainAndAgainHasItsTurn(t *testing.T) {
	run(t, fast, func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123", func(c *lac.ClientConfig) {
			c.Config.HelloInterval, c.Login.EchoInterval = 30*time.Millisecond, 0
		})
		r.wantUp(c, 3*time.Second)
		over := r.server.Occupy()
		r.sleep(time.Second)
		if n := r.server.LongestMailbox(); n == 0 {
			t.Error("every HELLO was answered out of its turn")
		}
		over()
		r.sleep(time.Second)
		c.cancel()
		r.wantEnd(c, 10*time.Second)
	})
}
