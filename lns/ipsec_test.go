package lns_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"lnsgate/lns"
	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/recorder"
	"lnsgate/lns/trace"
)

func wantsIPsec(c *lns.Config, _ *lns.Deps) { c.Groups[0].RequireIPsec = true }

// A peer that comes in the clear is refused, told so, and explained.
func TestAPeerWithoutIPsecIsRefused(t *testing.T) {
	var rec *recorder.Recorder
	runWith(t, fast, recording(&rec, wantsIPsec), func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123")
		if err := r.wantEnd(c, 20*time.Second); err == nil {
			t.Error("it got in")
		}
		synctest.Wait()
		if a := the(t, rec, trace.Filter{Failed: true}); a.Verdict.Cause != trace.IPsecRequired {
			t.Errorf("%+v", a.Verdict)
		}
		if n := r.server.Counters()["drop_without_ipsec"]; n == 0 {
			t.Error("not counted")
		}
		if n := len(r.server.Tunnels()); n != 0 {
			t.Errorf("%d tunnels", n)
		}
	})
}

// secureRig has everything arrive through IPsec, as long as the switch is on.
func secureRig(r *rig, through *bool) {
	receiver := r.server.Receiver()
	r.end.Handle(func(from datapath.Path, b []byte) {
		from.Secure = *through
		receiver.Datagram(from, b)
		receiver.Flush()
	})
}

// Through IPsec the same peer logs in, also while a sketch is all that is kept of it; what comes past it is dropped.
func TestAPeerThroughIPsecGetsIn(t *testing.T) {
	for _, tunnels := range []int{0, 1} {
		runWith(t, fast, func(c *lns.Config, d *lns.Deps) {
			wantsIPsec(c, d)
			c.Limits.HalfOpenTunnels = tunnels
		}, func(r *rig) {
			r.server.Receiver().Datagram(datapath.Path{Remote: netip.MustParseAddrPort("203.0.113.250:1701"), Secure: true}, sccrq(1))
			through := true
			secureRig(r, &through)
			c := r.dial(1, "l2tpuser", "Admin@123")
			r.wantUp(c, 3*time.Second)
			r.wantCounters(map[string]uint64{"drop_without_ipsec": 0, "half_open_sketches_completed": uint64(tunnels)})

			id := l2tp.TunnelID(r.server.Sessions()[0].LocalTunnel)
			rx, from := r.server.Receiver(), datapath.Path{Remote: c.end.Addr()}
			rx.Datagram(from, l2tp.AppendControl(nil, id, 0, 9, 9, nil))
			rx.Datagram(from, append(l2tp.AppendDataHeader(nil, l2tp.Header{Tunnel: id, Session: 1}, 5), 0xff, 3, 0, 0x21, 0x45))
			r.wantCounters(map[string]uint64{"drop_without_ipsec": 2})
			c.cancel()
			r.wantEnd(c, 10*time.Second)
		})
	}
}

// A server where nobody wants IPsec does not ask.
func TestWithoutRequireIPsecNobodyIsAsked(t *testing.T) {
	run(t, fast, func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123")
		r.wantUp(c, 3*time.Second)
		r.wantCounters(map[string]uint64{"drop_without_ipsec": 0})
		c.cancel()
		r.wantEnd(c, 10*time.Second)
	})
}

// What names no tunnel is the peer's by its address alone: said past IPsec, an SCCRQ that is repeated or new does not reach its tunnel.
func TestPastIPsecNoSCCRQReachesATunnel(t *testing.T) {
	runWith(t, fast, wantsIPsec, func(r *rig) {
		l := r.listenAt("198.51.100.9:40000")
		secure := l.from
		secure.Secure = true
		rx := r.server.Receiver()
		rx.Datagram(secure, sccrq(1))
		synctest.Wait()
		if n := len(r.server.Tunnels()); n != 1 {
			t.Fatalf("%d tunnels", n)
		}
		other := l2tp.Append(nil, l2tp.SCCRQ{HostName: "another", Framing: l2tp.FramingSync, AssignedTunnel: 1}, l2tp.AppendOptions{})
		for _, said := range [][]byte{sccrq(1), l2tp.AppendControl(nil, 0, 0, 0, 1, other)} {
			rx.Datagram(l.from, said)
		}
		synctest.Wait()
		r.wantCounters(map[string]uint64{"drop_without_ipsec": 2})
		rx.Datagram(secure, sccrq(1))
		synctest.Wait()
		r.wantCounters(map[string]uint64{"drop_without_ipsec": 2})
	})
}
