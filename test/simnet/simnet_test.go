package simnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"lnsgate/lns/datapath"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	lac     = netip.MustParseAddrPort("198.51.100.7:1701")
	lns     = netip.MustParseAddrPort("192.0.2.1:1701")
	lns2    = netip.MustParseAddrPort("192.0.2.2:1701")
	natAddr = netip.MustParseAddr("203.0.113.9")
)

// inbox collects what arrives at an endpoint.
type inbox struct {
	got   []string
	paths []datapath.Path
	times []time.Time
}

func (i *inbox) handle(from datapath.Path, b []byte) {
	i.got = append(i.got, string(b))
	i.paths = append(i.paths, from)
	i.times = append(i.times, time.Now())
}

func pair(n *Network) (client *Endpoint, server *inbox) {
	server = &inbox{}
	n.Endpoint(server.handle, lns)
	return n.Endpoint(nil, lac), server
}

func send(t *testing.T, e *Endpoint, p datapath.Path, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := e.Send(p, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
}

// pass lets time pass; unlike Sleep alone it also waits for the handlers, and tells the race detector so.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func numbered(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprint(i+1))
	}
	return all
}

func TestDatagramsArriveInOrderAfterTheLatency(t *testing.T) {
	for _, latency := range []time.Duration{0, 20 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			n := New(Config{Latency: latency})
			defer n.Close()
			client, server := pair(n)
			start := time.Now()
			send(t, client, client.PathTo(lns), numbered(100)...)
			pass(latency + 1)
			if !slices.Equal(server.got, numbered(100)) {
				t.Errorf("latency %v: got %v", latency, server.got)
			}
			for i, at := range server.times {
				if at.Sub(start) != latency {
					t.Errorf("datagram %d took %v, want %v", i+1, at.Sub(start), latency)
				}
			}
			if want := (datapath.Path{Remote: lac, Local: lns.Addr()}); server.paths[0] != want {
				t.Errorf("path %v, want %v", server.paths[0], want)
			}
		})
	}
}

func TestHandlersMayAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{Latency: time.Millisecond})
		defer n.Close()
		var server *Endpoint
		server = n.Endpoint(func(from datapath.Path, b []byte) {
			if err := server.Send(from, append([]byte("re: "), b...)); err != nil {
				t.Error(err)
			}
		}, lns, lns2)
		answers := &inbox{}
		client := n.Endpoint(answers.handle, lac)
		send(t, client, client.PathTo(lns2), "hello")
		pass(time.Second)
		if !slices.Equal(answers.got, []string{"re: hello"}) || answers.paths[0].Remote != lns2 {
			t.Errorf("got %q by %v, want an answer from %s", answers.got, answers.paths, lns2)
		}
	})
}

func TestSenderMustHaveTheLocalAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{})
		client, _ := pair(n)
		if err := client.Send(datapath.Path{Remote: lns, Local: lns2.Addr()}, nil); !errors.Is(err, ErrSource) {
			t.Errorf("got %v, want ErrSource", err)
		}
		n.Close()
		if err := client.Send(client.PathTo(lns), nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: got %v, want net.ErrClosed", err)
		}
	})
}

func TestHooksSeeAndDropDatagramsOfBothDirections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{Latency: time.Millisecond})
		defer n.Close()
		var ladder []string
		n.Tap(func(d Datagram) { ladder = append(ladder, fmt.Sprintf("%d %s %s", d.Number, d.From.Addr(), d.Fate)) })
		n.Drop(2, 3)
		n.DropIf(func(d Datagram) bool { return string(d.Bytes) == "5" })
		server, answers := &inbox{}, &inbox{}
		answering := n.Endpoint(server.handle, lns)
		client := n.Endpoint(answers.handle, lac)
		send(t, client, client.PathTo(lns), "1", "2")
		send(t, answering, answering.PathTo(lac), "3", "4")
		send(t, client, client.PathTo(lns), "5", "6")
		send(t, client, client.PathTo(lns2), "7")
		pass(time.Second)
		if !slices.Equal(server.got, []string{"1", "6"}) || !slices.Equal(answers.got, []string{"4"}) {
			t.Errorf("the server got %v, the client got %v", server.got, answers.got)
		}
		want := "1 198.51.100.7 delivered, 2 198.51.100.7 dropped, 3 192.0.2.1 dropped, 4 192.0.2.1 delivered, " +
			"5 198.51.100.7 dropped, 6 198.51.100.7 delivered, 7 198.51.100.7 unreachable"
		if got := strings.Join(ladder, ", "); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if n.Sent() != 7 {
			t.Errorf("%d sent, want 7", n.Sent())
		}
	})
}

// run sends 1000 datagrams, 10 ms apart, and returns what arrived.
func run(t *testing.T, cfg Config) (got []string) {
	synctest.Test(t, func(t *testing.T) {
		n := New(cfg)
		defer n.Close()
		client, server := pair(n)
		for _, text := range numbered(1000) {
			send(t, client, client.PathTo(lns), text)
			time.Sleep(10 * time.Millisecond)
		}
		pass(time.Minute)
		got = server.got
	})
	return got
}

func TestChances(t *testing.T) {
	sent := numbered(1000)
	t.Run("loss", func(t *testing.T) {
		if got := len(run(t, Config{Loss: 0.1, Seed: 1})); got < 860 || got > 940 {
			t.Errorf("%d of 1000 arrived, want about 900", got)
		}
	})
	t.Run("duplicate", func(t *testing.T) {
		got := run(t, Config{Duplicate: 0.1, Seed: 1})
		if len(got) < 1060 || len(got) > 1140 {
			t.Errorf("%d arrived, want about 1100", len(got))
		}
		if got = slices.Compact(got); !slices.Equal(got, sent) {
			t.Error("something is missing or out of order")
		}
	})
	for name, cfg := range map[string]Config{
		"reorder": {Latency: 20 * time.Millisecond, Reorder: 0.1, Seed: 1},
		"jitter":  {Latency: 20 * time.Millisecond, Jitter: 30 * time.Millisecond, Seed: 1},
	} {
		t.Run(name, func(t *testing.T) {
			got := run(t, cfg)
			if slices.Equal(got, sent) {
				t.Error("everything arrived in order")
			}
			slices.Sort(got)
			slices.Sort(sent)
			if !slices.Equal(got, sent) {
				t.Error("something is missing, or there twice")
			}
		})
	}
	t.Run("everything lost", func(t *testing.T) {
		if got := run(t, Config{Loss: 1}); len(got) != 0 {
			t.Errorf("%d arrived", len(got))
		}
	})
}

func TestEqualSeedsGiveEqualRuns(t *testing.T) {
	cfg := Config{Latency: 20 * time.Millisecond, Jitter: 15 * time.Millisecond, Loss: 0.1, Duplicate: 0.1, Reorder: 0.1, Seed: 7}
	first := run(t, cfg)
	if !slices.Equal(first, run(t, cfg)) {
		t.Error("the same seed gave another run")
	}
	cfg.Seed = 8
	if slices.Equal(first, run(t, cfg)) {
		t.Error("another seed gave the same run")
	}
}

func TestDroppingOneDatagramLeavesTheFateOfOthers(t *testing.T) {
	fates := func(drop ...int) (all []Fate) {
		synctest.Test(t, func(t *testing.T) {
			n := New(Config{Loss: 0.3, Duplicate: 0.2, Reorder: 0.2, Seed: 3})
			defer n.Close()
			n.Tap(func(d Datagram) { all = append(all, d.Fate) })
			n.Drop(drop...)
			client, _ := pair(n)
			send(t, client, client.PathTo(lns), numbered(50)...)
		})
		return all
	}
	with, without := fates(10), fates()
	if with[9] != Dropped {
		t.Errorf("number 10 was %v", with[9])
	}
	with[9] = without[9]
	if !slices.Equal(with, without) {
		t.Errorf("got  %v\nwant %v", with, without)
	}
}

func TestTwoClientsBehindOneNAT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{Latency: time.Millisecond})
		defer n.Close()
		seen := &inbox{}
		server := n.Endpoint(seen.handle, lns)
		nat := n.NAT(natAddr)
		var inner [2]inbox
		var clients [2]*Endpoint
		for i := range clients {
			address := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, 1, byte(2 + i)}), 1701)
			clients[i] = nat.Endpoint(inner[i].handle, address)
			send(t, clients[i], clients[i].PathTo(lns), "hello")
		}
		pass(time.Second)
		first, second := seen.paths[0], seen.paths[1]
		if first.Remote != netip.AddrPortFrom(natAddr, 1701) || second.Remote != netip.AddrPortFrom(natAddr, firstMappedPort) {
			t.Fatalf("the server saw %v and %v", first, second)
		}
		send(t, server, second, "to the second")
		send(t, server, first, "to the first")
		pass(time.Second)
		if inner[0].got[0] != "to the first" || inner[1].got[0] != "to the second" {
			t.Errorf("the clients got %q and %q", inner[0].got, inner[1].got)
		}
		if inner[1].paths[0] != (datapath.Path{Remote: lns, Local: netip.MustParseAddr("192.168.1.3")}) {
			t.Errorf("the second client saw the path %v", inner[1].paths[0])
		}

		stranger := n.Endpoint(nil, lac)
		send(t, stranger, stranger.PathTo(first.Remote), "not asked for")
		nat.Rebind()
		send(t, server, first, "too late")
		send(t, clients[0], clients[0].PathTo(lns), "again")
		pass(time.Second)
		if len(inner[0].got) != 1 {
			t.Errorf("the NAT let through %q", inner[0].got[1:])
		}
		if moved := seen.paths[2].Remote; moved != netip.AddrPortFrom(natAddr, firstMappedPort+1) {
			t.Errorf("after Rebind the server saw %v", moved)
		}
	})
}

func TestClosedEndpointGetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{Latency: time.Second})
		defer n.Close()
		server := &inbox{}
		old := n.Endpoint(server.handle, lns)
		client := n.Endpoint(nil, lac)
		send(t, client, client.PathTo(lns), "under way")
		old.Close()
		old.Close()
		pass(2 * time.Second)
		if len(server.got) != 0 {
			t.Errorf("got %q", server.got)
		}
		n.Endpoint(server.handle, lns) // the address is free again
		send(t, client, client.PathTo(lns), "again")
		pass(2 * time.Second)
		if !slices.Equal(server.got, []string{"again"}) {
			t.Errorf("got %q", server.got)
		}
	})
}

func TestCloseWaitsForTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{})
		finished := false
		n.Endpoint(func(datapath.Path, []byte) { time.Sleep(time.Minute); finished = true }, lns)
		client := n.Endpoint(nil, lac)
		send(t, client, client.PathTo(lns), "1", "2")
		synctest.Wait()
		start := time.Now()
		n.Close()
		if !finished || time.Since(start) != time.Minute {
			t.Errorf("Close returned after %v, handler finished: %v", time.Since(start), finished)
		}
	})
}

func TestFateString(t *testing.T) {
	for f, want := range map[Fate]string{Delivered: "delivered", Lost: "lost", Dropped: "dropped", Unreachable: "unreachable",
		Duplicated: "duplicated", Delayed: "delayed", 9: "Fate(9)"} {
		if f.String() != want {
			t.Errorf("got %s, want %s", f, want)
		}
	}
}
