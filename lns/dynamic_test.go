package lns_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns"
	"lnsgate/lns/datapath"
)

func filterNamed(t *testing.T, name string) *datapath.Filter {
	t.Helper()
	f, err := datapath.NewFilter(name, datapath.Deny, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// openMany dials n sessions, the first from 198.51.100.1, each as another user.
func (r *rig) openMany(n int) []*client {
	var clients []*client
	for i := range n {
		c := r.dial(1+i, fmt.Sprintf("user%d", i), "Admin@123", byEAP)
		r.wantUp(c, time.Second)
		clients = append(clients, c)
	}
	r.sleep(time.Second)
	return clients
}

func (r *rig) specs() map[uint16]datapath.Spec {
	all := map[uint16]datapath.Spec{}
	for _, s := range r.path.Specs() {
		all[s.Key.Tunnel] = s
	}
	return all
}

func TestFindMatchesWhatIsSet(t *testing.T) {
	s := &conversation{}
	s.grant = func(d *aaa.Decision) {
		d.UserName, d.CUI = "radius-"+d.Account, []byte("cui-"+d.Account)
		d.Class = [][]byte{[]byte("all"), []byte("class-" + d.Account)}
	}
	runWith(t, fast, withServer(s, nil), func(r *rig) {
		r.openMany(3)
		ctx := context.Background()
		all := r.server.Find(ctx, aaa.Match{})
		if len(all) != 3 {
			t.Fatalf("live: %+v", all)
		}
		var one aaa.Live
		for _, l := range all {
			if l.Name == "user1" {
				one = l
			}
		}
		var info lns.SessionInfo
		for _, i := range r.server.Sessions() {
			if i.User == "user1" {
				info = i
			}
		}
		if one.UserName != "radius-user1" || one.Backend != "radius" || one.Address != info.Address || one.Session != info.UID || one.Since.IsZero() {
			t.Errorf("%+v", one)
		}
		for name, tc := range map[string]struct {
			m    aaa.Match
			want int
		}{
			"session":                 {aaa.Match{Session: one.Session}, 1},
			"session and user":        {aaa.Match{Session: one.Session, UserName: "radius-user1"}, 1},
			"session of another user": {aaa.Match{Session: one.Session, UserName: "radius-user2"}, 0},
			"unknown session":         {aaa.Match{Session: one.Session + "0"}, 0},
			"other node's session":    {aaa.Match{Session: "node9-1-1-1/1"}, 0},
			"later record":            {aaa.Match{Session: one.Session + "+1"}, 0},
			"name":                    {aaa.Match{Name: "user1"}, 1},
			"user name":               {aaa.Match{UserName: "radius-user1"}, 1},
			"name as user name":       {aaa.Match{UserName: "user1"}, 0},
			"address":                 {aaa.Match{Address: one.Address}, 1},
			"peer":                    {aaa.Match{Peer: one.Peer.Addr()}, 1},
			"tunnel":                  {aaa.Match{LocalTunnel: info.LocalTunnel}, 1},
			"tunnel and session":      {aaa.Match{LocalTunnel: info.LocalTunnel, LocalSession: info.LocalID}, 1},
			"another session":         {aaa.Match{LocalTunnel: info.LocalTunnel, LocalSession: info.LocalID + 1}, 0},
			"no tunnel":               {aaa.Match{LocalTunnel: info.LocalTunnel + 1, Name: "user1"}, 0},
			"caller":                  {aaa.Match{CallingNumber: one.Peer.Addr().String()}, 1},
			"called":                  {aaa.Match{CalledNumber: serverAddr.Addr().String()}, 3},
			"class of all":            {aaa.Match{Class: [][]byte{[]byte("all")}}, 3},
			"both classes":            {aaa.Match{Class: [][]byte{[]byte("all"), []byte("class-user1")}}, 1},
			"no class":                {aaa.Match{Class: [][]byte{[]byte("none")}}, 0},
			"CUI":                     {aaa.Match{CUI: []byte("cui-user1")}, 1},
			"empty CUI":               {aaa.Match{CUI: []byte{}}, 0},
		} {
			if got := r.server.Find(ctx, tc.m); len(got) != tc.want || tc.want == 1 && got[0] != one {
				t.Errorf("%s: %+v", name, got)
			}
		}
	})
}

func TestChangeTakesEffectOnLiveSessions(t *testing.T) {
	s, l := &conversation{}, &ledger{}
	s.grant = func(d *aaa.Decision) { d.Filter, d.RateUp = "open", 1000 }
	runWith(t, fast, func(c *lns.Config, d *lns.Deps) {
		withServer(s, l)(c, d)
		c.Filters = map[string]*datapath.Filter{"open": filterNamed(t, "open"), "strict": filterNamed(t, "strict")}
	}, func(r *rig) {
		clients := r.openMany(2)
		var names []string
		for _, live := range r.server.Find(context.Background(), aaa.Match{}) {
			names = append(names, live.Session)
		}
		for _, spec := range r.specs() {
			if spec.Filter != r.config.Filters["open"] || spec.RateUp != 1000 {
				t.Fatalf("opened with %+v", spec)
			}
		}
		before := len(l.written())
		filter, rate, timeout, interim := "strict", uint64(5), 40*time.Second, 20*time.Second
		c := aaa.Change{Filter: &filter, RateDown: &rate, SessionTimeout: &timeout, Interim: &interim, Class: [][]byte{[]byte("new")}}
		if err := r.server.Change(context.Background(), append(names, "node1-0-0-9/9", "rubbish"), c); err != nil {
			t.Fatal(err)
		}
		for _, spec := range r.specs() {
			if spec.Filter != r.config.Filters["strict"] || spec.RateUp != 1000 || spec.RateDown != 5 {
				t.Errorf("changed to %+v", spec)
			}
		}
		if len(l.written()) != before+2 {
			t.Fatalf("%d records after the change, %d before", len(l.written()), before)
		}
		for _, rec := range l.written()[before:] {
			if rec.Kind != aaa.RecordInterim || len(rec.Class) != 1 || string(rec.Class[0]) != "new" {
				t.Errorf("%+v", rec)
			}
		}
		r.sleep(23 * time.Second)
		if n := len(l.written()); n != before+4 {
			t.Errorf("%d records, %d before: the interval counts from the change on", n, before)
		}
		for _, c := range clients { // the timeout counts from when it opened
			r.wantEnd(c, 18*time.Second)
		}
	})
}

func TestChangeIsAllOrNone(t *testing.T) {
	s, l := &conversation{}, &ledger{}
	runWith(t, fast, withServer(s, l), func(r *rig) {
		r.openMany(2)
		var names []string
		for _, live := range r.server.Find(context.Background(), aaa.Match{}) {
			names = append(names, live.Session)
		}
		rate, filter, negative := uint64(9), "missing", -time.Second
		for _, c := range []aaa.Change{
			{RateUp: &rate, Filter: &filter}, {RateUp: &rate, SessionTimeout: &negative}, {RateUp: &rate, Interim: &negative}, {RateUp: &rate, IdleTimeout: &negative},
		} {
			if err := r.server.Change(context.Background(), names, c); err == nil {
				t.Errorf("%+v was taken", c)
			}
		}
		err := r.server.Change(context.Background(), names, aaa.Change{Filter: &filter})
		var said *aaa.Rejection
		if !errors.As(err, &said) || said.Cause != aaa.Misconfigured {
			t.Errorf("a filter that does not exist: %v", err)
		}
		for _, spec := range r.specs() {
			if spec.RateUp != 0 {
				t.Errorf("changed all the same: %+v", spec)
			}
		}
		if l.kinds() != "start start" {
			t.Errorf("records: %s", l.kinds())
		}
	})
}

func TestDisconnect(t *testing.T) {
	s, l := &conversation{}, &ledger{}
	runWith(t, fast, withServer(s, l), func(r *rig) {
		clients := r.openMany(2)
		ctx := context.Background()
		name := r.server.Find(ctx, aaa.Match{Name: "user1"})[0].Session
		if !r.server.Disconnect(ctx, name, "Disconnect-Request of 192.0.2.99") {
			t.Fatal("not found")
		}
		r.wantEnd(clients[1], 5*time.Second)
		r.sleep(time.Second)
		if r.server.Disconnect(ctx, name, "again") || r.server.Disconnect(ctx, "node9-1-1-1/1", "") || r.server.Disconnect(ctx, "", "") {
			t.Error("ended what is not there")
		}
		last := l.written()[len(l.written())-1]
		if last.Kind != aaa.RecordStop || last.Terminate != aaa.TerminateAdminReset || last.Reason != "ended on request: Disconnect-Request of 192.0.2.99" || last.Name != "user1" {
			t.Errorf("%+v", last)
		}
		if n := len(r.server.Find(ctx, aaa.Match{})); n != 1 {
			t.Errorf("%d sessions left", n)
		}
	})
}

func TestAFilterThatDoesNotExistIsRefused(t *testing.T) {
	s := &conversation{}
	s.grant = func(d *aaa.Decision) { d.Filter = "missing" }
	runWith(t, fast, withServer(s, nil), func(r *rig) {
		r.wantEnd(r.dial(1, "l2tpuser", "Admin@123", byEAP), 10*time.Second)
		if log := r.log.String(); !strings.Contains(log, "there is no filter") {
			t.Errorf("the log does not say why:\n%s", log)
		}
	})
}

func TestReloadSwapsFiltersOnLiveSessions(t *testing.T) {
	s := &conversation{}
	s.grant = func(d *aaa.Decision) { d.Filter = "staff" }
	runWith(t, fast, func(c *lns.Config, d *lns.Deps) {
		withServer(s, nil)(c, d)
		c.Filters = map[string]*datapath.Filter{"staff": filterNamed(t, "staff")}
	}, func(r *rig) {
		c := r.openMany(1)[0]
		next := *r.config
		next.Filters = map[string]*datapath.Filter{"staff": filterNamed(t, "staff")}
		if err := r.server.Reload(context.Background(), &next); err != nil {
			t.Fatal(err)
		}
		for _, spec := range r.specs() {
			if spec.Filter != next.Filters["staff"] {
				t.Errorf("still %p, not %p", spec.Filter, next.Filters["staff"])
			}
		}
		gone := next
		gone.Filters = nil // a session must not go on under a policy that nobody has any more, nor without one
		if err := r.server.Reload(context.Background(), &gone); err != nil {
			t.Fatal(err)
		}
		r.wantEnd(c, 10*time.Second)
	})
}

// slowHost takes longer for an address than anybody waits for the answer of a tunnel.
type slowHost struct{ once sync.Once }

func (h *slowHost) Attach(string, netip.Addr) error {
	h.once.Do(func() { <-time.After(14 * time.Second) })
	return nil
}

func (*slowHost) Detach(string, netip.Addr) error { return nil }

// No session goes on under a filter of before because its tunnel was busy during the reload.
func TestReloadReachesTheFiltersOfABusyTunnel(t *testing.T) {
	s := &conversation{}
	s.grant = func(d *aaa.Decision) { d.Filter = "staff" }
	runWith(t, fast, func(c *lns.Config, d *lns.Deps) {
		withServer(s, nil)(c, d)
		d.Host = new(slowHost)
		c.Filters = map[string]*datapath.Filter{"staff": filterNamed(t, "staff")}
	}, func(r *rig) {
		c := r.dial(1, "user0", "Admin@123", byEAP)
		r.sleep(2 * time.Second) // it is in the data path, and its tunnel at work
		next := *r.config
		next.Filters = map[string]*datapath.Filter{"staff": filterNamed(t, "staff")}
		if err := r.server.Reload(context.Background(), &next); err != nil {
			t.Fatal(err)
		}
		r.wantUp(c, 30*time.Second)
		r.sleep(10 * time.Second) // what the peer has repeated meanwhile opens the session anew
		specs := r.specs()
		for _, spec := range specs {
			if spec.Filter != next.Filters["staff"] {
				t.Errorf("still %p, not %p", spec.Filter, next.Filters["staff"])
			}
		}
		if len(specs) != 1 {
			t.Errorf("%d sessions in the data path", len(specs))
		}
	})
}

// tellRouter keeps the routes of the host.
type tellRouter struct {
	mu   sync.Mutex
	held map[netip.Prefix]string
}

func (t *tellRouter) AddRoutes(template string, routes []aaa.Route) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range routes {
		t.held[r.Prefix] = template
	}
	return nil
}

func (t *tellRouter) RemoveRoutes(_ string, routes []aaa.Route) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range routes {
		delete(t.held, r.Prefix)
	}
	return nil
}

func TestNetworksBehindPeers(t *testing.T) {
	router := &tellRouter{held: map[netip.Prefix]string{}}
	s := &conversation{}
	s.grant = func(d *aaa.Decision) {
		prefix := map[string]string{"user0": "192.168.7.0/24", "user1": "192.168.7.128/25", "user2": "10.10.1.0/28", "user4": "198.51.100.0/24"}[d.Account]
		d.Routes = []aaa.Route{{Prefix: netip.MustParsePrefix(prefix)}}
	}
	runWith(t, fast, func(c *lns.Config, d *lns.Deps) {
		withServer(s, nil)(c, d)
		d.Router = router
		c.Reserved = []lns.Reserved{{Network: netip.MustParsePrefix("10.10.1.0/24"), What: `pool "pool1"`}}
	}, func(r *rig) {
		first := r.openMany(1)[0]
		network := netip.MustParsePrefix("192.168.7.0/24")
		for _, spec := range r.specs() {
			if len(spec.Routes) != 1 || spec.Routes[0] != network {
				t.Errorf("%+v", spec)
			}
		}
		if len(router.held) != 1 || router.held[network] != "vt1" {
			t.Errorf("routes of the host: %v", router.held)
		}
		r.wantEnd(r.dial(2, "user1", "Admin@123", byEAP), 10*time.Second)
		r.wantEnd(r.dial(3, "user2", "Admin@123", byEAP), 10*time.Second)
		r.wantEnd(r.dial(6, "user4", "Admin@123", byEAP), 10*time.Second)
		log := r.log.String()
		for _, want := range []string{"overlaps 192.168.7.0/24, which is behind session", "overlaps pool", "the way to the peer itself"} {
			if !strings.Contains(log, want) {
				t.Errorf("the log lacks %q:\n%s", want, log)
			}
		}
		// The same account again: what is left of a broken connection gives way.
		again := r.dial(4, "user0", "Admin@123", byEAP)
		r.wantUp(again, 5*time.Second)
		r.wantEnd(first, 10*time.Second)
		again.cancel()
		r.wantEnd(again, 5*time.Second)
		r.sleep(time.Second)
		if len(router.held) != 0 {
			t.Errorf("routes of the host: %v", router.held)
		}
		r.wantUp(r.dial(5, "user0", "Admin@123", byEAP), time.Second)
	})
}

// Whoever may not log in once more does not end what he has.
func TestALoginOverTheLimitTakesNoRoutes(t *testing.T) {
	s, l := &conversation{}, &ledger{}
	s.grant = func(d *aaa.Decision) {
		d.Routes, d.MaxSessions = []aaa.Route{{Prefix: netip.MustParsePrefix("192.168.7.0/24")}}, 1
	}
	runWith(t, fast, func(c *lns.Config, d *lns.Deps) {
		withServer(s, l)(c, d)
		d.Registry = l
	}, func(r *rig) {
		r.openMany(1)
		l.mu.Lock()
		l.refuse = aaa.Reject(aaa.SessionLimit, "one session is all it may have")
		l.mu.Unlock()
		r.wantEnd(r.dial(2, "user0", "Admin@123", byEAP), 10*time.Second)
		if n := len(r.specs()); n != 1 {
			t.Errorf("%d sessions are left", n)
		}
	})
}

// A netmask beside each address of a pool is common, and seldom meant as a network behind the peer.
func TestImpliedRoutesRefuseNobody(t *testing.T) {
	s := &conversation{}
	s.grant = func(d *aaa.Decision) {
		d.Routes = []aaa.Route{
			{Prefix: netip.MustParsePrefix("10.10.0.0/16"), Implied: true},
			{Prefix: netip.MustParsePrefix("192.168.0.0/16"), Implied: true},
			{Prefix: netip.MustParsePrefix(map[string]string{"user0": "172.16.1.0/24", "user1": "172.16.2.0/24"}[d.Account])},
		}
	}
	runWith(t, fast, withServer(s, nil), func(r *rig) {
		r.openMany(2)
		got := map[string]int{}
		for _, spec := range r.specs() {
			for _, p := range spec.Routes {
				got[p.String()]++
			}
		}
		if len(got) != 3 || got["172.16.1.0/24"] != 1 || got["172.16.2.0/24"] != 1 || got["192.168.0.0/16"] != 1 {
			t.Errorf("routes %v", got)
		}
		if !strings.Contains(r.log.String(), "the network of a netmask is not led to the peer") {
			t.Error("nobody is told")
		}
	})
}

// Sessions are found, changed, ended and dialled, and the configuration is reloaded, all at once.
func TestSessionsAreChangedFromManySides(t *testing.T) {
	s := &conversation{}
	s.grant = func(d *aaa.Decision) { d.Filter = "staff" }
	runWith(t, fast, func(c *lns.Config, d *lns.Deps) {
		withServer(s, &ledger{})(c, d)
		c.Filters = map[string]*datapath.Filter{"staff": filterNamed(t, "staff"), "other": filterNamed(t, "other")}
	}, func(r *rig) {
		r.openMany(10)
		ctx := context.Background()
		var all sync.WaitGroup
		for side := range 8 {
			all.Go(func() {
				filters := []string{"staff", "other"}
				for i := range 20 {
					rate := uint64(i)
					for _, live := range r.server.Find(ctx, aaa.Match{}) {
						if err := r.server.Change(ctx, []string{live.Session}, aaa.Change{RateUp: &rate, Filter: &filters[i%2]}); err != nil {
							t.Error(err)
						}
					}
					if i == 10 && side < 3 {
						r.server.Disconnect(ctx, r.server.Find(ctx, aaa.Match{Name: fmt.Sprintf("user%d", side)})[0].Session, "one of many")
					}
					if side == 7 {
						if err := r.server.Reload(ctx, r.config); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		all.Wait()
		r.sleep(10 * time.Second)
		if n := len(r.server.Find(ctx, aaa.Match{})); n != 7 {
			t.Errorf("%d sessions are left", n)
		}
	})
}
