package lns_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"lnsgate/lns/datapath"
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
