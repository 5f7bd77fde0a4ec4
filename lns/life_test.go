package lns_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns"
	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/lac"
	"lnsgate/test/simnet"
)

var fast = simnet.Config{Latency: 5 * time.Millisecond}

func TestTwoClientsBehindOneNATWithEqualIDs(t *testing.T) {
	run(t, fast, func(r *rig) {
		nat := r.net.NAT(netip.MustParseAddr("203.0.113.9"))
		inner := func(i byte) *simnet.Endpoint {
			return nat.Endpoint(nil, netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, 0, i}), 1701))
		}
		a, b := r.dialFrom(inner(1), "l2tpuser", "Admin@123"), r.dialFrom(inner(2), "bob", "secret")
		first, second := r.wantUp(a, time.Second), r.wantUp(b, time.Second)
		if first.Address == second.Address {
			t.Errorf("both have %s", first.Address)
		}
		if n := len(r.server.Sessions()); n != 2 {
			t.Errorf("%d sessions", n)
		}
		a.cancel()
		b.cancel()
		r.wantEnd(a, 5*time.Second)
		r.wantEnd(b, 5*time.Second)
	})
}

// a client that was restarted dials again from the same port with the same ids, and may say the very same words.
func TestQ42RestartedClientTakesItsPlace(t *testing.T) {
	t.Run("other words at once", func(t *testing.T) { testRestart(t, "laptop after reboot", 0) })
	t.Run("same words later", func(t *testing.T) { testRestart(t, "laptop", time.Minute) })
}

func testRestart(t *testing.T, host string, wait time.Duration) {
	run(t, fast, func(r *rig) {
		a := r.dial(1, "l2tpuser", "Admin@123")
		r.wantUp(a, time.Second)
		a.end.Handle(nil) // the machine is switched off, and its next program dials from the same port with the same ids
		r.sleep(wait)
		b := r.dialFrom(a.end, "l2tpuser", "Admin@123", func(c *lac.ClientConfig) { c.Config.HostName = host })
		r.wantUp(b, time.Second)
		r.sleep(time.Second)
		if ts := r.server.Tunnels(); len(ts) != 1 || ts[0].HostName != host {
			t.Errorf("tunnels %+v", ts)
		}
		a.cancel()
		b.cancel()
		r.wantEnd(b, 5*time.Second)
	})
}

func TestVanishedClientIsNoticed(t *testing.T) {
	run(t, fast, func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123")
		r.wantUp(c, time.Second)
		r.net.DropIf(func(simnet.Datagram) bool { return true })
		r.sleep(5 * time.Minute)
		if len(r.server.Sessions()) != 0 || len(r.server.Tunnels()) != 0 {
			t.Errorf("still there: %+v", r.server.Sessions())
		}
		c.cancel()
	})
}

func TestClientWithTrafficIsNotAsked(t *testing.T) {
	run(t, fast, func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123")
		r.wantUp(c, time.Second)
		r.sleep(time.Second)
		before := r.net.Sent()
		for range 60 {
			r.sleep(10 * time.Second)
			r.traffic()
		}
		if n := r.net.Sent() - before; n > 2 {
			t.Errorf("%d datagrams in ten minutes of traffic", n)
		}
		c.cancel()
		r.wantEnd(c, 5*time.Second)
	})
}

func TestKick(t *testing.T) {
	for _, by := range []string{"user", "session"} {
		t.Run(by, func(t *testing.T) {
			run(t, fast, func(r *rig) {
				c := r.dial(1, "l2tpuser", "Admin@123")
				r.wantUp(c, time.Second)
				r.sleep(time.Second)
				who := "l2tpuser"
				if by == "session" {
					who = r.server.Sessions()[0].Name
				}
				if n, err := r.server.Kick(context.Background(), who, "maintenance"); n != 1 || err != nil {
					t.Errorf("kicked %d, %v", n, err)
				}
				var ended *lac.Ended
				if err := r.wantEnd(c, 5*time.Second); !errors.As(err, &ended) || !ended.ByServer {
					t.Errorf("the client ended: %v", err)
				}
				if !strings.Contains(r.log.String(), "maintenance") {
					t.Error("the log does not tell the reason")
				}
				if n, err := r.server.Kick(context.Background(), "nobody", ""); n != 0 || err != nil {
					t.Errorf("kicked %d nobodies, %v", n, err)
				}
			})
		})
	}
}

func TestShutdownSaysStopCCN(t *testing.T) {
	run(t, fast, func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123")
		r.wantUp(c, time.Second)
		began := time.Now()
		r.server.Close(context.Background())
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("the goodbye took %s", took)
		}
		var ended *lac.Ended
		if err := r.wantEnd(c, 5*time.Second); !errors.As(err, &ended) || ended.Cause != lac.CauseTunnelClosed {
			t.Errorf("the client ended: %v", err)
		}
	})
}

func TestShutdownDoesNotWaitForTunnelsThatLinger(t *testing.T) {
	run(t, fast, func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123")
		r.wantUp(c, time.Second)
		c.cancel()
		r.wantEnd(c, 5*time.Second)
		began := time.Now()
		r.server.Close(context.Background())
		if took := time.Since(began); took > time.Second {
			t.Errorf("the goodbye took %s", took)
		}
	})
}

func TestShutdownDoesNotWaitForTheDead(t *testing.T) {
	run(t, fast, func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123")
		r.wantUp(c, time.Second)
		r.net.DropIf(func(simnet.Datagram) bool { return true })
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		began := time.Now()
		r.server.Close(ctx)
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("the goodbye took %s", took)
		}
		c.cancel()
	})
}

func TestExhaustedPoolIsToldToThePeer(t *testing.T) {
	one := func(c *lns.Config, d *lns.Deps) {}
	runWith(t, fast, one, func(r *rig) {
		r.pools.Reconfigure(smallPool(t))
		a := r.dial(1, "l2tpuser", "Admin@123")
		r.wantUp(a, time.Second)
		r.sleep(3 * time.Hour)
		b := r.dial(2, "bob", "secret")
		var ended *lac.Ended
		if err := r.wantEnd(b, 5*time.Second); !errors.As(err, &ended) || !strings.Contains(err.Error(), "no free address") {
			t.Errorf("the client ended: %v", err)
		}
		if !strings.Contains(r.log.String(), "1 of 1 leased") || !strings.Contains(r.log.String(), "idle the longest is l2tpuser (session ") || !strings.Contains(r.log.String(), ", 3h0m") {
			t.Error("the log does not tell the usage, and who does not use an address")
		}
		if strings.Contains(ended.Error(), "l2tpuser") {
			t.Errorf("the peer is told who else there is: %v", ended)
		}
		a.cancel()
		r.wantEnd(a, 5*time.Second)
	})
}

func TestStaticAddressIsTakenFromTheRemnantOfTheSameAccount(t *testing.T) {
	run(t, fast, func(r *rig) {
		static := account("l2tpuser", "Admin@123")
		static.Address = netip.MustParseAddr("10.10.1.77")
		r.gateway.set(newGateway(t, static))
		a := r.dial(1, "l2tpuser", "Admin@123")
		if up := r.wantUp(a, time.Second); up.Address != static.Address {
			t.Errorf("the address is %s", up.Address)
		}
		a.end.Handle(nil)
		b := r.dial(2, "l2tpuser", "Admin@123")
		if up := r.wantUp(b, 2*time.Second); up.Address != static.Address {
			t.Errorf("the second address is %s", up.Address)
		}
		if s := r.server.Sessions(); len(s) != 1 {
			t.Errorf("%d sessions", len(s))
		}
		a.cancel()
		b.cancel()
		r.wantEnd(b, 5*time.Second)
	})
}

// hanging is an AAA layer that answers nothing until its context ends.
type hanging struct{}

func (hanging) Authenticate(ctx context.Context, _ *aaa.Request) (aaa.Decision, error) {
	<-ctx.Done()
	return aaa.Decision{}, ctx.Err()
}

func (hanging) Authorize(ctx context.Context, _ *aaa.Request) (aaa.Decision, error) {
	<-ctx.Done()
	return aaa.Decision{}, ctx.Err()
}

func TestHangingAAAEndsWithATimeout(t *testing.T) {
	hang := func(_ *lns.Config, d *lns.Deps) { d.AAA = hanging{} }
	runWith(t, fast, hang, func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123", func(c *lac.ClientConfig) { c.Login.Timeout = 2 * time.Minute })
		r.wantEnd(c, 2*time.Minute)
		if !strings.Contains(r.log.String(), "could not be checked in time") {
			t.Error("the log does not tell that the check timed out")
		}
	})
}

func TestShutdownDoesNotWaitForAHangingAAA(t *testing.T) {
	hang := func(_ *lns.Config, d *lns.Deps) { d.AAA = hanging{} }
	runWith(t, fast, hang, func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123")
		r.sleep(time.Second)
		began := time.Now()
		r.server.Close(context.Background())
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the goodbye took %s", took)
		}
		c.cancel()
	})
}

func TestDataPathFaultEndsTheSessionWithItsCause(t *testing.T) {
	run(t, fast, func(r *rig) {
		r.path.Refuse = func(datapath.Spec) error { return datapath.ErrNotSupported }
		c := r.dial(1, "l2tpuser", "Admin@123")
		r.sleep(10 * time.Second)
		if !strings.Contains(r.log.String(), "the data path could not be set up: not supported") {
			t.Error("the log does not tell why")
		}
		if len(r.server.Sessions()) != 0 {
			t.Error("the session is still there")
		}
		c.cancel()
	})
}

func TestTunnelWithoutSessionIsClosed(t *testing.T) {
	run(t, fast, func(r *rig) {
		c := r.dial(1, "l2tpuser", "wrong") // the client stays on the tunnel only until its call ends
		r.wantEnd(c, 10*time.Second)
		r.sleep(2 * time.Minute)
		if n := len(r.server.Tunnels()); n != 0 {
			t.Errorf("%d tunnels", n)
		}
	})
}

// Other networks behind a peer end its session, so that its next login has them; the same ones in other words do not.
func TestChangedRoutesEndTheSession(t *testing.T) {
	run(t, fast, func(r *rig) {
		behind := func(networks ...string) {
			branch := account("l2tpuser", "Admin@123")
			for _, n := range networks {
				branch.Routes = append(branch.Routes, netip.MustParsePrefix(n))
			}
			r.gateway.set(newGateway(t, branch, account("bob", "secret")))
			if err := r.server.Reload(context.Background(), r.config); err != nil {
				t.Fatal(err)
			}
			r.sleep(time.Second)
		}
		behind("192.168.50.0/24", "172.20.0.0/16")
		a, b := r.dial(1, "l2tpuser", "Admin@123"), r.dial(2, "bob", "secret")
		r.wantUp(a, time.Second)
		r.wantUp(b, time.Second)
		behind("172.20.0.0/16", "172.20.7.0/24", "192.168.50.0/24")
		if n := len(r.server.Sessions()); n != 2 {
			t.Errorf("%d sessions are left, of 2 with the networks that they had", n)
		}
		for i, networks := range [][]string{{"192.168.50.0/24"}, {"192.168.50.0/24", "192.168.51.0/24"}, {"192.168.52.0/24"}, nil} {
			behind(networks...)
			r.wantEnd(a, 5*time.Second)
			a = r.dial(3+i, "l2tpuser", "Admin@123")
			r.wantUp(a, time.Second)
			for _, s := range r.server.Sessions() {
				if s.User == "l2tpuser" && len(s.Routes) != len(networks) {
					t.Errorf("%v are behind it, want %v", s.Routes, networks)
				}
			}
		}
		if !strings.Contains(r.log.String(), "the networks behind it are others now") {
			t.Error("the log does not tell why")
		}
		a.cancel()
		b.cancel()
		r.wantEnd(a, 5*time.Second)
		r.wantEnd(b, 5*time.Second)
	})
}

func TestReloadTouchesOnlyWhomItConcerns(t *testing.T) {
	run(t, fast, func(r *rig) {
		a, b := r.dial(1, "l2tpuser", "Admin@123"), r.dial(2, "bob", "secret")
		r.wantUp(a, time.Second)
		r.wantUp(b, time.Second)
		r.gateway.set(newGateway(t, account("l2tpuser", "Admin@123")))
		if err := r.server.Reload(context.Background(), r.config); err != nil {
			t.Fatal(err)
		}
		r.wantEnd(b, 5*time.Second)
		synctest.Wait()
		if s := r.server.Sessions(); len(s) != 1 || s[0].User != "l2tpuser" {
			t.Errorf("sessions %+v", s)
		}
		if !strings.Contains(r.log.String(), "deleted, disabled or changed") {
			t.Error("the log does not tell why bob was ended")
		}
		a.cancel()
		r.wantEnd(a, 5*time.Second)
	})
}

func TestWrongReloadIsRefusedWhole(t *testing.T) {
	run(t, fast, func(r *rig) {
		wrong := &lns.Config{Groups: []lns.Group{{Name: "default", Template: "vt9"}}}
		if err := r.server.Reload(context.Background(), wrong); err == nil {
			t.Error("a group without its virtual template was taken")
		}
		c := r.dial(1, "l2tpuser", "Admin@123")
		r.wantUp(c, time.Second)
		c.cancel()
		r.wantEnd(c, 5*time.Second)
	})
}

func TestNobodyIsServedWithoutAGroup(t *testing.T) {
	only := func(c *lns.Config, _ *lns.Deps) { c.Groups[0].HostNames = []string{"branch"} }
	runWith(t, fast, only, func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123")
		var ended *lac.Ended
		if err := r.wantEnd(c, 5*time.Second); !errors.As(err, &ended) || !strings.Contains(err.Error(), "no group for this peer") {
			t.Errorf("the client ended: %v", err)
		}
	})
}

// sccrq is the first message of a stranger.
func sccrq(id l2tp.TunnelID) []byte {
	body := l2tp.Append(nil, l2tp.SCCRQ{HostName: "flood", Framing: l2tp.FramingSync, AssignedTunnel: id}, l2tp.AppendOptions{})
	return l2tp.AppendControl(nil, 0, 0, 0, 0, body)
}

func TestFloodFromManySourcesLetsALoginThrough(t *testing.T) {
	limits := func(c *lns.Config, _ *lns.Deps) { c.Limits.HalfOpen = 100 }
	runWith(t, fast, limits, func(r *rig) {
		receiver := r.server.Receiver()
		flood := func() {
			for i := range 1000 {
				source := netip.AddrFrom4([4]byte{203, byte(i >> 8), byte(i), 1})
				receiver.Datagram(datapath.Path{Remote: netip.AddrPortFrom(source, 1701)}, sccrq(1))
			}
		}
		flood()
		synctest.Wait()
		if n := len(r.server.Tunnels()); n > 100 {
			t.Errorf("%d half-open tunnels", n)
		}
		c := r.dial(1, "l2tpuser", "Admin@123")
		r.wantUp(c, time.Second)
		flood()
		synctest.Wait()
		if s := r.server.Sessions(); len(s) != 1 || s[0].Phase != "open" {
			t.Errorf("the flood touched the open session: %+v", s)
		}
		c.cancel()
		r.wantEnd(c, 5*time.Second)
	})
}

func TestFloodFromOneSourceIsCapped(t *testing.T) {
	limits := func(c *lns.Config, _ *lns.Deps) { c.Limits.HalfOpenPerSource = 10 }
	runWith(t, fast, limits, func(r *rig) {
		receiver := r.server.Receiver()
		from := datapath.Path{Remote: netip.MustParseAddrPort("203.0.113.1:1701")}
		for i := range 1000 {
			receiver.Datagram(from, sccrq(l2tp.TunnelID(i+1)))
		}
		synctest.Wait()
		if n := len(r.server.Tunnels()); n != 10 {
			t.Errorf("%d tunnels", n)
		}
		if n := r.server.Counters()["drop_source_half_open_limit"]; n != 990 {
			t.Errorf("%d counted", n)
		}
		r.sleep(2 * time.Minute)
		if n := len(r.server.Tunnels()); n != 0 {
			t.Errorf("%d half-open tunnels never went", n)
		}
	})
}

func TestDatagramsFromAnotherAddressAreDropped(t *testing.T) {
	run(t, fast, func(r *rig) {
		c := r.dial(1, "l2tpuser", "Admin@123")
		r.wantUp(c, time.Second)
		id := l2tp.TunnelID(r.server.Tunnels()[0].LocalID)
		stop := l2tp.Append(nil, l2tp.StopCCN{AssignedTunnel: 7, Result: l2tp.ResultCode{Result: 1}}, l2tp.AppendOptions{})
		receiver := r.server.Receiver()
		for ns := range uint16(20) {
			receiver.Datagram(datapath.Path{Remote: netip.MustParseAddrPort("203.0.113.1:1701")},
				l2tp.AppendControl(nil, id, 0, ns, 0, stop))
		}
		synctest.Wait()
		if n := r.server.Counters()["drop_wrong_source"]; n != 20 {
			t.Errorf("%d counted", n)
		}
		if len(r.server.Tunnels()) != 1 {
			t.Error("a stranger closed the tunnel")
		}
		c.cancel()
		r.wantEnd(c, 5*time.Second)
	})
}

// A storm of short logins must not leave tens of thousands of closed tunnels behind, each waiting for repetitions.
func TestClosedTunnelsGiveWay(t *testing.T) {
	run(t, fast, func(r *rig) {
		receiver := r.server.Receiver()
		stop := l2tp.Append(nil, l2tp.StopCCN{AssignedTunnel: 1, Result: l2tp.ResultCode{Result: 1}}, l2tp.AppendOptions{})
		connected := l2tp.Append(nil, l2tp.SCCCN{}, l2tp.AppendOptions{})
		for i := range 5000 {
			from := datapath.Path{Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, byte(i >> 8), byte(i), 1}), 1701)}
			receiver.Datagram(from, sccrq(1))
			synctest.Wait()
			id := l2tp.TunnelID(r.server.TunnelAt(from.Remote))
			receiver.Datagram(from, l2tp.AppendControl(nil, id, 0, 1, 1, connected))
			receiver.Datagram(from, l2tp.AppendControl(nil, id, 0, 2, 1, stop))
		}
		synctest.Wait()
		if n := len(r.server.Tunnels()); n > 4096 {
			t.Errorf("%d closed tunnels are kept", n)
		}
		r.sleep(time.Minute)
		if n := len(r.server.Tunnels()); n != 0 {
			t.Errorf("%d closed tunnels are kept for good", n)
		}
	})
}

// down is an AAA layer whose back end cannot be asked.
type down struct{ aaa.Authenticator }

func (down) Authorize(context.Context, *aaa.Request) (aaa.Decision, error) {
	return aaa.Decision{}, aaa.Reject(aaa.BackendUnavailable, "connection refused")
}

func TestSessionsGoOnWhenNobodyCanTell(t *testing.T) {
	run(t, fast, func(r *rig) {
		a, b := r.dial(1, "l2tpuser", "Admin@123"), r.dial(2, "bob", "secret")
		r.wantUp(a, time.Second)
		r.wantUp(b, time.Second)
		r.gateway.set(down{r.gateway.get()})
		err := r.server.Reauthorize(context.Background(), func(lns.SessionInfo) bool { return true })
		if err == nil || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("the caller is told %v", err)
		}
		if n := len(r.server.Sessions()); n != 2 {
			t.Errorf("%d sessions are left", n)
		}
		a.cancel()
		b.cancel()
		r.wantEnd(a, 5*time.Second)
		r.wantEnd(b, 5*time.Second)
	})
}
