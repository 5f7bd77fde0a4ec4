package lac

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/test/simnet"
)

// shardWire is a wire of a load on the simulated network.
type shardWire struct {
	endpoint *simnet.Endpoint
	sent     int
}

func (w *shardWire) SendBatch(datagrams [][]byte) error {
	w.sent += len(datagrams)
	return w.endpoint.SendBatch(w.endpoint.PathTo(serverAddress), datagrams)
}

// newLoad puts a load onto the network of the hall, one shard for each of its wires.
func (h *hall) newLoad(t *testing.T, cfg LoadConfig, wires int) *Load {
	t.Helper()
	endpoints := make([]*simnet.Endpoint, wires)
	for i := range endpoints {
		endpoints[i] = h.network.Endpoint(nil, netip.AddrPortFrom(clientAddress.Addr(), uint16(50000+i)))
		cfg.Wires = append(cfg.Wires, &shardWire{endpoint: endpoints[i]})
	}
	cfg.Tunnel = testConfig()
	if cfg.Login == nil {
		cfg.Login = loadLogin("Admin@123")
	}
	l, err := NewLoad(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range endpoints {
		s := l.Shard(i)
		e.Handle(func(_ datapath.Path, b []byte) { s.Deliver(b); s.Flush() })
	}
	return l
}

func loadLogin(password string) func(int) Login {
	return func(n int) Login {
		name := "user" + strconv.Itoa(n)
		return Login{
			User: name, Credentials: secret.NewAnswerer(name, aaa.NewSecret(password), [16]byte{}),
			Methods: []aaa.Method{aaa.CHAP}, MRU: 1460, Magic: 99,
		}
	}
}

// peerAware gives each client socket a scripted server of its own: tunnel ids of two sockets may be equal.
func (h *hall) peerAware(make func() *scriptedLNS) map[netip.AddrPort]*scriptedLNS {
	servers := map[netip.AddrPort]*scriptedLNS{}
	h.server.Handle(func(from datapath.Path, b []byte) {
		s := servers[from.Remote]
		if s == nil {
			s = make()
			servers[from.Remote] = s
		}
		h.server.SendBatch(from, s.receive(b, time.Now()))
	})
	return servers
}

func TestLoadCountsSetUps(t *testing.T) {
	for _, c := range []struct {
		name                           string
		count, wires, perTunnel, limit int
		rate                           float64
	}{
		{name: "one by one", count: 20, wires: 1, perTunnel: 1, limit: 1},
		{name: "many at once", count: 200, wires: 1, perTunnel: 1, limit: 50},
		{name: "several sockets", count: 203, wires: 3, perTunnel: 1, limit: 50},
		{name: "several sessions in a tunnel", count: 100, wires: 2, perTunnel: 7, limit: 20},
		{name: "at a rate", count: 100, wires: 2, perTunnel: 1, limit: 50, rate: 50},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHall(t, chapLNS(), simnet.Config{Latency: time.Millisecond})
				servers := h.peerAware(chapLNS)
				l := h.newLoad(t, LoadConfig{
					Count: c.count, Concurrency: c.limit, SessionsPerTunnel: c.perTunnel, Rate: c.rate,
				}, c.wires)
				r := l.Run(t.Context())
				if r.Up != c.count || r.Failed != 0 || r.Dropped != 0 || r.Open != 0 || r.Placed != c.count {
					t.Errorf("%+v", r)
				}
				served := 0
				for _, s := range servers {
					served += s.up
				}
				if len(servers) != c.wires || served != c.count {
					t.Errorf("%d sockets, the servers count %d sessions", len(servers), served)
				}
				if r.P50 <= 0 || r.P50 > r.P90 || r.P90 > r.P99 || r.P99 > r.Max || r.Max > time.Second {
					t.Errorf("p50 %s p90 %s p99 %s max %s", r.P50, r.P90, r.P99, r.Max)
				}
				if c.rate > 0 && (r.Rate > c.rate*1.1 || r.Rate < c.rate*0.9) {
					t.Errorf("%f per second, want %f", r.Rate, c.rate)
				}
			})
		})
	}
}

func TestLoadCountsFailuresByReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, chapLNS(), simnet.Config{})
		l := h.newLoad(t, LoadConfig{Count: 10, Login: loadLogin("wrong")}, 1)
		r := l.Run(t.Context())
		if r.Up != 0 || r.Failed != 10 || len(r.Failures) != 1 {
			t.Fatalf("%+v", r)
		}
		f := r.Failures[0]
		if f.Step != StageAuthentication || f.Cause != CauseWrongPassword || f.Count != 10 || f.Example == "" {
			t.Errorf("%+v", f)
		}
	})
}

func TestLoadHoldsSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, chapLNS(), simnet.Config{Latency: time.Millisecond})
		l := h.newLoad(t, LoadConfig{Count: 30, Hold: time.Minute}, 1)
		began := time.Now()
		go func() {
			time.Sleep(30 * time.Second)
			if r := l.Report(); r.Open != 30 {
				t.Errorf("half way: %+v", r)
			}
		}()
		r := l.Run(t.Context())
		if r.Up != 30 || r.Open != 0 || r.Dropped != 0 {
			t.Errorf("%+v", r)
		}
		if took := time.Since(began); took < time.Minute || took > time.Minute+5*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestLoadKeepsSessionsUpUntilItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, chapLNS(), simnet.Config{Latency: time.Millisecond})
		l := h.newLoad(t, LoadConfig{Count: 100, KeepUp: true, SessionsPerTunnel: 3, Concurrency: 10}, 1)
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan Report, 1)
		go func() { result <- l.Run(ctx) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		if r := l.Report(); r.Open != 100 || r.Up != 100 || !r.Complete() {
			t.Fatalf("%+v", r)
		}
		cancel()
		if r := <-result; r.Open != 0 || r.Dropped != 0 {
			t.Errorf("%+v", r)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
	})
}

func TestLoadEndsInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, chapLNS(), simnet.Config{Latency: 10 * time.Millisecond})
		l := h.newLoad(t, LoadConfig{Count: 1000, Rate: 100}, 2)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		h.peerAware(chapLNS)
		r := l.Run(ctx)
		if r.Placed < 290 || r.Placed > 310 || r.Open != 0 || r.Failed != 0 || r.Up+r.Left != r.Placed {
			t.Errorf("%+v", r)
		}
	})
}

func TestLoadGivesUpOnASilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, chapLNS(), simnet.Config{Loss: 1})
		l := h.newLoad(t, LoadConfig{Count: 5}, 1)
		r := l.Run(t.Context())
		if r.Failed != 5 || len(r.Failures) != 1 || r.Failures[0].Cause != CauseNoAnswer {
			t.Errorf("%+v", r)
		}
	})
}

func TestLoadNeedsTheEssentials(t *testing.T) {
	if _, err := NewLoad(LoadConfig{Count: 1}); err == nil {
		t.Error("a load without a wire was made")
	}
}

func TestPercentile(t *testing.T) {
	var values []time.Duration
	for i := range 100 {
		values = append(values, time.Duration(i+1))
	}
	for p, want := range map[int]time.Duration{50: 50, 90: 90, 99: 99, 100: 100, 0: 1} {
		if got := percentile(values, p); got != want {
			t.Errorf("p%d is %d, want %d", p, got, want)
		}
	}
	if got := percentile(values[:1], 99); got != 1 {
		t.Errorf("p99 of one value is %d", got)
	}
}

func TestQueueKeepsTheEarliestFirst(t *testing.T) {
	start := time.Unix(1000, 0)
	var q queue
	tunnels := make([]*loadTunnel, 100)
	for i := range tunnels {
		tunnels[i] = &loadTunnel{id: l2tp.TunnelID(i + 1), place: -1}
		q.set(tunnels[i], start.Add(time.Duration(i*37%100)*time.Second))
	}
	for i, tunnel := range tunnels {
		switch i % 3 {
		case 0:
			q.set(tunnel, time.Time{})
		case 1:
			q.set(tunnel, start.Add(time.Duration(i*61%100)*time.Second))
		}
	}
	last := time.Time{}
	for n := len(q); n > 0; n-- {
		if q.first().Before(last) {
			t.Fatalf("%s comes after %s", q.first(), last)
		}
		last = q.first()
		q.remove(q[0])
	}
	if !q.first().IsZero() {
		t.Error("the empty queue has a first")
	}
}

type recordingWire struct{ batch [][]byte }

func (w *recordingWire) SendBatch(datagrams [][]byte) error {
	w.batch = append(w.batch, datagrams...)
	return nil
}

// What one caller says keeps its order, and among callers equal lengths stand together.
func TestShardSendsInRoundsByLength(t *testing.T) {
	wire := &recordingWire{}
	s := newShard(&LoadConfig{Wires: []BatchWire{wire}}, 0, wire)
	for _, caller := range [][]string{{"aaa", "b"}, {"cc", "dddd"}, {"eee", "f"}} {
		for round, d := range caller {
			s.outgoing = append(s.outgoing, outgoing{round: round, datagram: []byte(d)})
		}
	}
	s.send()
	var got []string
	for _, d := range wire.batch {
		got = append(got, string(d))
	}
	if want := []string{"cc", "aaa", "eee", "b", "f", "dddd"}; !slices.Equal(got, want) {
		t.Errorf("sent %v, want %v", got, want)
	}
	if len(s.outgoing) != 0 || len(s.batch) != 0 {
		t.Error("something is left to send")
	}
}

// What a tunnel says in several steps of one batch keeps its order too, however long it is.
func TestShardKeepsTheOrderOfATunnelOverSeveralSteps(t *testing.T) {
	wire := &recordingWire{}
	s := newShard(&LoadConfig{Wires: []BatchWire{wire}}, 0, wire)
	one, other := &loadTunnel{id: 1, caller: NewCaller(testConfig()), place: -1}, &loadTunnel{id: 2, caller: NewCaller(testConfig()), place: -1}
	for range 2 {
		wire.batch = nil
		for _, step := range []struct {
			tunnel    *loadTunnel
			datagrams []string
		}{{one, []string{"1aaa", "1bb"}}, {other, []string{"2aa"}}, {one, []string{"1c"}}, {other, []string{"2b"}}, {one, []string{"1dddd"}}} {
			for _, d := range step.datagrams {
				s.out.Datagrams = append(s.out.Datagrams, []byte(d))
			}
			s.settle(step.tunnel, time.Unix(1, 0))
		}
		s.send()
		var got []string
		for _, d := range wire.batch {
			got = append(got, string(d))
		}
		if want := []string{"2aa", "1aaa", "2b", "1bb", "1c", "1dddd"}; !slices.Equal(got, want) {
			t.Errorf("sent %v, want %v", got, want)
		}
	}
}

// With more good-byes due than may be under way, the shard waits for the server and does not spin.
func TestShardWaitsWhileGoodbyesAreUnderWay(t *testing.T) {
	wire := &recordingWire{}
	s := newShard(&LoadConfig{Wires: []BatchWire{wire}, Concurrency: 1}, 0, wire)
	now := time.Unix(1000, 0)
	s.open = []openCall{{until: now.Add(-time.Second)}}
	s.closing = 1
	if next := s.act(now); !next.IsZero() {
		t.Errorf("the next step is due %s ago", now.Sub(next))
	}
}
