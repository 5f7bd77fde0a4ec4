package lns_test

import (
	"context"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/local"
	"lnsgate/lns"
	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/pool"
)

// slowPools answers late, as a database does.
type slowPools struct {
	pool.Allocator
	delay time.Duration
}

func (s slowPools) Allocate(ctx context.Context, r pool.Request) (pool.Lease, error) {
	l, err := s.Allocator.Allocate(ctx, r)
	if err == nil {
		<-time.After(s.delay)
	}
	return l, err
}

// Two logins of an account with its own address at nearly the same moment: one of them has to get in.
func TestTwoLoginsOfOneStaticAccountRace(t *testing.T) {
	slow := func(_ *lns.Config, d *lns.Deps) { d.Pools = slowPools{d.Pools, 100 * time.Millisecond} }
	runWith(t, fast, slow, func(r *rig) {
		static := account("l2tpuser", "Admin@123")
		static.Address = netip.MustParseAddr("10.10.1.77")
		r.gateway.set(newGateway(t, static))
		a := r.dial(1, "l2tpuser", "Admin@123")
		r.sleep(20 * time.Millisecond)
		b := r.dial(2, "l2tpuser", "Admin@123")
		r.sleep(3 * time.Second)
		if s := r.server.Sessions(); len(s) != 1 || s[0].Phase != "open" {
			t.Errorf("sessions: %+v", s)
		}
		a.cancel()
		b.cancel()
		r.sleep(5 * time.Second)
	})
}

// heldGateway gives its answer late: it was made from the accounts of before.
type heldGateway struct {
	*swapGateway
	delay time.Duration
}

func (g heldGateway) Authenticate(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	d, err := g.swapGateway.Authenticate(ctx, r)
	<-time.After(g.delay)
	return d, err
}

// A login that is being checked while a reload deletes its account must not end up open.
func TestReloadReachesALoginUnderWay(t *testing.T) {
	var inner *swapGateway
	late := func(_ *lns.Config, d *lns.Deps) {
		inner = d.AAA.(*swapGateway)
		d.AAA = heldGateway{inner, 2 * time.Second}
	}
	runWith(t, fast, late, func(r *rig) {
		c := r.dial(1, "bob", "secret")
		r.sleep(time.Second)
		r.gateway.set(newGateway(t, account("l2tpuser", "Admin@123")))
		if err := r.server.Reload(context.Background(), r.config); err != nil {
			t.Fatal(err)
		}
		r.sleep(5 * time.Second)
		if s := r.server.Sessions(); len(s) != 0 {
			t.Errorf("the account was deleted, yet its session is %s", s[0].Phase)
		}
		c.cancel()
		r.sleep(5 * time.Second)
	})
}

// An operator who hangs up during a reload must not end sessions that the change does not concern.
func TestReloadWithAnEndedContext(t *testing.T) {
	forced := func(c *lns.Config, _ *lns.Deps) { c.Groups[0].Domain = "default" }
	runWith(t, fast, forced, func(r *rig) {
		r.gateway.set(newGateway(t, account("bob@elsewhere", "secret")))
		c := r.dial(1, "bob@elsewhere", "secret")
		r.wantUp(c, time.Second)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = r.server.Reload(ctx, r.config)
		r.sleep(5 * time.Second)
		if s := r.server.Sessions(); len(s) != 1 || s[0].Phase != "open" {
			t.Errorf("sessions: %+v", s)
		}
		c.cancel()
		r.sleep(5 * time.Second)
	})
}

// stuckHost blocks the goroutine of a tunnel for a while.
type stuckHost struct{ stuck atomic.Bool }

func (h *stuckHost) Attach(string, netip.Addr) error {
	if h.stuck.Swap(false) {
		<-time.After(8 * time.Second)
	}
	return nil
}
func (*stuckHost) Detach(string, netip.Addr) error { return nil }

// With -race: what askAll collects is read while a late tunnel still writes.
func TestSessionsWhileATunnelIsStuck(t *testing.T) {
	h := &stuckHost{}
	runWith(t, fast, func(_ *lns.Config, d *lns.Deps) { d.Host = h }, func(r *rig) {
		a := r.dial(1, "l2tpuser", "Admin@123")
		r.wantUp(a, time.Second)
		h.stuck.Store(true)
		b := r.dial(2, "bob", "secret")
		r.sleep(time.Second)
		total := 0
		for _, s := range r.server.Sessions() {
			total += len(s.Name)
		}
		r.sleep(10 * time.Second)
		t.Log(total)
		a.cancel()
		b.cancel()
		r.sleep(5 * time.Second)
	})
}

// stranger drives one tunnel by hand: no login, only control messages.
type stranger struct {
	r      *rig
	rx     *lns.Receiver
	from   datapath.Path
	tunnel l2tp.TunnelID
	ns     uint16
	nr     uint16
}

func newStranger(r *rig) *stranger {
	s := &stranger{r: r, rx: r.server.Receiver(), from: datapath.Path{Remote: netip.MustParseAddrPort("203.0.113.9:1701")}}
	s.rx.Datagram(s.from, sccrq(9))
	synctest.Wait()
	s.tunnel, s.ns, s.nr = l2tp.TunnelID(r.server.Tunnels()[0].LocalID), 1, 1
	s.say(0, l2tp.SCCCN{}, 0)
	return s
}

// say sends a message; answers is how many messages of the server it acknowledges the next time.
func (s *stranger) say(session l2tp.SessionID, m l2tp.Message, answers uint16) {
	body := l2tp.Append(nil, m, l2tp.AppendOptions{})
	s.rx.Datagram(s.from, l2tp.AppendControl(nil, s.tunnel, session, s.ns, s.nr, body))
	s.ns++
	s.nr += answers
	synctest.Wait()
}

// One stranger without an account: every pair of its datagrams is a line in the log.
func TestStrangerDoesNotWriteTheLog(t *testing.T) {
	run(t, fast, func(r *rig) {
		s := newStranger(r)
		for i := range 500 {
			id := l2tp.SessionID(i + 1)
			s.say(0, l2tp.ICRQ{AssignedSession: id}, 1)
			s.say(0, l2tp.CDN{AssignedSession: id, Result: l2tp.ResultCode{Result: 3}}, 0)
		}
		if n := strings.Count(r.log.String(), "level=WARN"); n > 100 {
			t.Errorf("1000 datagrams of a stranger wrote %d warnings", n)
		}
	})
}

// One stranger without an account takes every session there is.
func TestStrangerLeavesSessionsForOthers(t *testing.T) {
	limits := func(c *lns.Config, _ *lns.Deps) { c.Limits.Sessions = 50 }
	runWith(t, fast, limits, func(r *rig) {
		s := newStranger(r)
		for i := range 60 {
			s.say(0, l2tp.ICRQ{AssignedSession: l2tp.SessionID(i + 1)}, 1)
		}
		c := r.dial(1, "l2tpuser", "Admin@123")
		select {
		case <-c.ups:
		case err := <-c.ended:
			t.Errorf("a login from elsewhere: %v", err)
		case <-time.After(5 * time.Second):
			t.Error("a login from elsewhere is not up")
		}
		c.cancel()
		r.sleep(5 * time.Second)
	})
}

// Calls refused at a limit: one warning for each ICRQ of a stranger.
func TestRefusedCallsDoNotFloodTheLog(t *testing.T) {
	limits := func(c *lns.Config, _ *lns.Deps) { c.Limits.Sessions = 0 }
	runWith(t, fast, limits, func(r *rig) {
		s := newStranger(r)
		for i := range 500 {
			s.say(0, l2tp.ICRQ{AssignedSession: l2tp.SessionID(i + 1)}, 1)
		}
		if n := strings.Count(r.log.String(), "level=WARN"); n > 100 {
			t.Errorf("500 datagrams of a stranger wrote %d warnings", n)
		}
	})
}

// Forged SCCRQs that are faulty: one warning each.
func TestFaultyStrangersDoNotFloodTheLog(t *testing.T) {
	run(t, fast, func(r *rig) {
		rx := r.server.Receiver()
		body := l2tp.Append(nil, l2tp.SCCRQ{HostName: "flood", Framing: 1, AssignedTunnel: 1, Challenge: []byte("x")}, l2tp.AppendOptions{})
		datagram := l2tp.AppendControl(nil, 0, 0, 0, 0, body)
		for i := range 500 {
			source := netip.AddrFrom4([4]byte{203, byte(i >> 8), byte(i), 1})
			rx.Datagram(datapath.Path{Remote: netip.AddrPortFrom(source, 1701)}, datagram)
		}
		synctest.Wait()
		if n := strings.Count(r.log.String(), "level=WARN"); n > 100 {
			t.Errorf("500 datagrams of strangers wrote %d warnings", n)
		}
	})
}

// A domain whose template the engine does not know must not land on another department's interface.
func TestUnknownTemplateIsNotReplacedSilently(t *testing.T) {
	run(t, fast, func(r *rig) {
		backend, err := local.New([]local.Account{account("bob", "secret")})
		if err != nil {
			t.Fatal(err)
		}
		g, err := aaa.NewGateway(aaa.Config{DefaultDomain: "finance", Backends: []aaa.Backend{backend},
			Domains: []aaa.Domain{{Name: "finance", Chain: []string{local.Name}, Pools: []string{"pool1"}, VirtualTemplate: "vt-finance"}}})
		if err != nil {
			t.Fatal(err)
		}
		r.gateway.set(g)
		c := r.dial(1, "bob", "secret")
		r.sleep(3 * time.Second)
		if s := r.server.Sessions(); len(s) > 0 && s[0].Phase == "open" {
			t.Errorf("the domain wants vt-finance, the session is open on %s", s[0].VirtualTemplate)
		}
		c.cancel()
		r.sleep(5 * time.Second)
	})
}

// An ended context during a reload: how many lines for how many sessions, and is it applied?
func TestReloadIsAllOrNothing(t *testing.T) {
	runWith(t, fast, func(*lns.Config, *lns.Deps) {}, func(r *rig) {
		c := r.dial(1, "bob", "secret")
		r.wantUp(c, time.Second)
		r.gateway.set(newGateway(t, account("l2tpuser", "Admin@123")))
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = r.server.Reload(ctx, r.config)
		r.sleep(5 * time.Second)
		if s := r.server.Sessions(); len(s) != 0 {
			t.Errorf("bob is deleted, and goes on: %s; warnings %d", s[0].Phase, strings.Count(r.log.String(), "not checked after the reload"))
		}
		c.cancel()
		r.sleep(5 * time.Second)
	})
}
