package lns_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns"
	"lnsgate/lns/datapath"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/lac"
	"lnsgate/lns/recorder"
	"lnsgate/lns/trace"
	"lnsgate/test/simnet"
)

// crowdedWith runs a test on a server that already has a half-open tunnel and may have one.
func crowdedWith(t *testing.T, network simnet.Config, change func(*lns.Config, *lns.Deps), test func(*rig)) {
	t.Helper()
	runWith(t, network, func(c *lns.Config, d *lns.Deps) {
		c.Limits.HalfOpenTunnels = 1
		if change != nil {
			change(c, d)
		}
	}, func(r *rig) {
		r.server.Receiver().Datagram(datapath.Path{Remote: netip.MustParseAddrPort("203.0.113.250:1701")}, sccrq(1))
		synctest.Wait()
		test(r)
	})
}

func (r *rig) wantCounters(want map[string]uint64) {
	r.t.Helper()
	all := r.server.Counters()
	for name, n := range want {
		if got, known := all[name]; got != n || !known {
			r.t.Errorf("%s is %d, want %d", name, got, n)
		}
	}
}

// In a crowd a login goes as without one, with and without secrets.
func TestALoginInACrowd(t *testing.T) {
	hidden := func(c *lac.ClientConfig) { c.Secret, c.HideAVPs = l2tp.Secret("s"), true }
	for name, c := range map[string]struct {
		server func(*lns.Config, *lns.Deps)
		peer   func(*lac.ClientConfig)
	}{
		"no secret":         {nil, func(*lac.ClientConfig) {}},
		"secret":            {withSecrets("s"), has("s")},
		"a previous secret": {withSecrets("new", "s"), func(c *lac.ClientConfig) { c.Secret = l2tp.Secret("new") }},
		"hidden AVPs": {func(c *lns.Config, d *lns.Deps) {
			withSecrets("new", "s")(c, d)
			c.Groups[0].HideAVPs = true
		}, hidden},
	} {
		t.Run(name, func(t *testing.T) {
			crowdedWith(t, fast, c.server, func(r *rig) {
				peer := r.dial(1, "l2tpuser", "Admin@123", c.peer)
				r.wantUp(peer, 3*time.Second)
				r.wantCounters(map[string]uint64{"half_open_sketches": 1, "half_open_sketches_completed": 1, "evicted_half_open_sketches": 0})
				peer.cancel()
				r.wantEnd(peer, 10*time.Second)
			})
		})
	}
}

// The peer repeats what is lost, as without a crowd.
func TestALoginInACrowdSurvivesTheLossOfAnyDatagram(t *testing.T) {
	for i := 1; i <= 12; i++ {
		crowdedWith(t, simnet.Config{Latency: 5 * time.Millisecond}, withSecrets("s"), func(r *rig) {
			r.net.Drop(r.net.Sent() + i)
			c := r.dial(1, "l2tpuser", "Admin@123", has("s"))
			r.wantUp(c, 6*time.Second)
			c.cancel()
			r.wantEnd(c, 10*time.Second)
		})
	}
}

// listener is a peer's address without a peer: it only keeps what it is sent.
type listener struct {
	from datapath.Path
	got  [][]byte
}

func (r *rig) listenAt(address string) *listener {
	l := &listener{from: datapath.Path{Remote: netip.MustParseAddrPort(address)}}
	end := r.net.Endpoint(nil, l.from.Remote)
	end.Handle(func(_ datapath.Path, b []byte) { l.got = append(l.got, bytes.Clone(b)) })
	return l
}

func TestARepeatedSCCRQInACrowdGetsTheSameAnswer(t *testing.T) {
	crowdedWith(t, fast, withSecrets("s"), func(r *rig) {
		l, rx := r.listenAt("203.0.113.9:1701"), r.server.Receiver()
		for range 20 {
			rx.Datagram(l.from, sccrq(9))
			r.sleep(time.Second)
		}
		if len(l.got) != 8 {
			t.Fatalf("%d answers to 20 SCCRQs", len(l.got))
		}
		for i, b := range l.got {
			if !bytes.Equal(b, l.got[0]) {
				t.Errorf("answer %d is %x, the first was %x", i, b, l.got[0])
			}
		}
		r.wantCounters(map[string]uint64{"half_open_sketches": 1})
		if n := len(r.server.Tunnels()); n != 1 { // the crowd
			t.Errorf("%d tunnels", n)
		}
	})
}

// Only a message from the peer's own address, for the tunnel id that it was told, makes a tunnel of a sketch.
func TestAForgedSCCCNInACrowdMakesNoTunnel(t *testing.T) {
	crowdedWith(t, fast, nil, func(r *rig) {
		l, rx := r.listenAt("203.0.113.9:1701"), r.server.Receiver()
		rx.Datagram(l.from, sccrq(9))
		r.sleep(time.Second)
		_, payload, _ := l2tp.ParseHeader(l.got[0])
		id, _ := l2tp.PeekAssigned(payload)
		say := func(from string, id l2tp.TunnelID, m l2tp.Message) {
			var body []byte
			if m != nil {
				body = l2tp.Append(nil, m, l2tp.AppendOptions{})
			}
			rx.Datagram(datapath.Path{Remote: netip.MustParseAddrPort(from)}, l2tp.AppendControl(nil, id, 0, 1, 1, body))
			synctest.Wait()
		}
		say("203.0.113.9:1702", id, l2tp.SCCCN{})
		say("203.0.113.10:1701", id, l2tp.SCCCN{})
		say("203.0.113.9:1701", id^1, l2tp.SCCCN{})
		say("203.0.113.9:1701", id, nil)
		r.wantCounters(map[string]uint64{"half_open_sketches_completed": 0, "drop_unknown_tunnel": 4, "tunnels_opened": 0})
		say("203.0.113.9:1701", id, l2tp.SCCCN{})
		r.wantCounters(map[string]uint64{"half_open_sketches_completed": 1, "tunnels_opened": 1})
	})
}

// A message that makes no tunnel spends no sketch: a moment later the peer gets in.
func TestASketchIsNotSpentOnWhatIsNotLetIn(t *testing.T) {
	bans := &bannedHost{address: netip.MustParseAddr("203.0.113.9")}
	crowdedWith(t, fast, func(_ *lns.Config, d *lns.Deps) { d.Bans = bans }, func(r *rig) {
		l, rx := r.listenAt("203.0.113.9:1701"), r.server.Receiver()
		rx.Datagram(l.from, sccrq(9))
		r.sleep(time.Second)
		_, payload, _ := l2tp.ParseHeader(l.got[0])
		id, _ := l2tp.PeekAssigned(payload)
		connected := l2tp.AppendControl(nil, id, 0, 1, 1, l2tp.Append(nil, l2tp.SCCCN{}, l2tp.AppendOptions{}))
		bans.until = time.Now().Add(time.Hour)
		rx.Datagram(l.from, connected)
		synctest.Wait()
		r.wantCounters(map[string]uint64{"half_open_sketches_completed": 0, "drop_banned_source": 1})
		bans.until = time.Time{}
		rx.Datagram(l.from, connected)
		synctest.Wait()
		r.wantCounters(map[string]uint64{"half_open_sketches_completed": 1, "tunnels_opened": 1})
	})
}

// What goes wrong in a crowd has the same verdict as without one.
func TestASecretThatIsRefusedInACrowdHasItsVerdict(t *testing.T) {
	var rec *recorder.Recorder
	crowdedWith(t, fast, recording(&rec, withSecrets("s")), func(r *rig) {
		peer := r.dial(1, "l2tpuser", "Admin@123", has("other"))
		if err := r.wantEnd(peer, 20*time.Second); err == nil {
			t.Error("it got in")
		}
		if a := the(t, rec, trace.Filter{Peer: netip.MustParsePrefix("198.51.100.1/32")}); a.Verdict.Cause != trace.TunnelSecretRefused {
			t.Errorf("%+v", a.Verdict)
		}
		r.sleep(40 * time.Second)
	})
}

func TestAnSCCRQThatIsRefusedInACrowdHasItsVerdict(t *testing.T) {
	var rec *recorder.Recorder
	crowdedWith(t, fast, recording(&rec, nil), func(r *rig) {
		peer := r.dial(1, "l2tpuser", "Admin@123", has("mine")) // and we have none
		if err := r.wantEnd(peer, 20*time.Second); err == nil {
			t.Error("it got in")
		}
		if a := the(t, rec, trace.Filter{Peer: netip.MustParsePrefix("198.51.100.1/32")}); a.Verdict.Cause != trace.TunnelSecretUnknown {
			t.Errorf("%+v", a.Verdict)
		}
	})
}

// Names that do not fit into a sketch take a tunnel, as before.
func TestLongNamesInACrowdTakeATunnel(t *testing.T) {
	crowdedWith(t, fast, nil, func(r *rig) {
		peer := r.dial(1, "l2tpuser", "Admin@123", func(c *lac.ClientConfig) { c.HostName = fmt.Sprintf("%0100d", 1) })
		r.wantUp(peer, 3*time.Second)
		r.wantCounters(map[string]uint64{"half_open_sketches": 0})
		peer.cancel()
		r.wantEnd(peer, 10*time.Second)
	})
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A flood from 10,000 addresses costs the book of sketches once, and no goroutine.
func TestWhatAFloodCosts(t *testing.T) {
	flood := func(tunnels, n int) (octets, goroutines int) {
		runWith(t, fast, func(c *lns.Config, d *lns.Deps) {
			c.Limits.HalfOpenTunnels, c.Limits.HalfOpen = tunnels, 10_000
			c.Groups[0].Secret, c.Groups[0].Authenticate = aaa.NewSecret("s"), true
			d.Sender = silent{}
		}, func(r *rig) {
			rx := r.server.Receiver()
			q := sccrq(1)
			rx.Datagram(datapath.Path{Remote: netip.MustParseAddrPort("203.0.113.250:1701")}, q)
			rx.Datagram(datapath.Path{Remote: netip.MustParseAddrPort("203.0.113.251:1701")}, q)
			synctest.Wait()
			before, running := heap(), runtime.NumGoroutine()
			for i := range n {
				rx.Datagram(datapath.Path{Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{100, byte(i >> 16), byte(i >> 8), byte(i)}), 1701)}, q)
				if i%64 == 0 {
					synctest.Wait()
				}
			}
			synctest.Wait()
			octets, goroutines = int(heap())-int(before), runtime.NumGoroutine()-running
			runtime.KeepAlive(r)
		})
		return octets, goroutines
	}
	asTunnels, _ := flood(0, 1000)
	asSketches, goroutines := flood(1, 10_000)
	t.Logf("a half-open tunnel takes %d octets, the sketches of 10,000 strangers %d in all", asTunnels/1000, asSketches)
	if asSketches > 1<<20 || goroutines > 8 { // the book itself was there before
		t.Errorf("10,000 strangers cost %d octets and %d goroutines", asSketches, goroutines)
	}
	if asTunnels/1000 < 512 {
		t.Errorf("the test cannot fail: a tunnel takes %d octets", asTunnels/1000)
	}
}
