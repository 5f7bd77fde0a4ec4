package client

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"layeh.com/radius"
)

func one(name string) []Server { return []Server{{Name: name}} }

// exact is the default without jitter.
func exact() RetryConfig { r := DefaultRetry(); r.Jitter = 0; r.Initial = 2 * time.Second; return r }

func seconds(list []arrival) (at []float64) {
	for _, a := range list {
		at = append(at, a.at.Seconds())
	}
	return at
}

func TestRFC5080Section2_2_1_Transmissions(t *testing.T) {
	bubble(t, []string{"a"}, func(t *testing.T, n *network) {
		n.server("a").silent = nobody
		g := n.group(t, Config{Servers: one("a"), Retry: exact()})
		_, err := g.Exchange(context.Background(), login("alice"))
		if !errors.Is(err, ErrSilent) || time.Since(epoch) != 30*time.Second {
			t.Errorf("after %v: %v", time.Since(epoch), err)
		}
		got := n.server("a").arrivals(false)
		if want := []float64{0, 2, 6, 14}; !slices.Equal(seconds(got), want) {
			t.Errorf("sent at %v, not %v", seconds(got), want)
		}
		for _, a := range got {
			if string(a.octets) != string(got[0].octets) {
				t.Error("the octets changed")
			}
		}
		g.Close()
	})
}

func TestJitter(t *testing.T) {
	bubble(t, []string{"a"}, func(t *testing.T, n *network) {
		n.server("a").silent = nobody
		g := n.group(t, Config{Servers: one("a")})
		different := map[float64]bool{}
		for range 20 {
			began := time.Since(epoch)
			g.Exchange(context.Background(), login("alice"))
			list := n.server("a").arrivals(false)
			i := slices.IndexFunc(list, func(a arrival) bool { return a.at >= began })
			if i < 0 {
				break // it is dead by now
			}
			gap := (list[i+1].at - list[i].at).Seconds()
			if gap < 1.8 || gap > 2.2 {
				t.Errorf("repeated after %v s", gap)
			}
			different[gap] = true
		}
		if len(different) < 2 {
			t.Errorf("always the same: %v", different)
		}
		g.Close()
	})
}

// Without a limit only the context ends it, and the octets stay the same (RFC 5080 section 2.2.1, accounting).
func TestEndless(t *testing.T) {
	bubble(t, []string{"a"}, func(t *testing.T, n *network) {
		n.server("a").silent = nobody
		g := n.group(t, Config{Servers: one("a"), Retry: EndlessRetry()})
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		if _, err := g.Exchange(ctx, record()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		list := n.server("a").arrivals(false)
		if time.Since(epoch) != time.Hour || len(list) < 3600/18 || len(list) > 3600/14 {
			t.Errorf("sent %d times in %v", len(list), time.Since(epoch))
		}
		for _, a := range list {
			if string(a.octets) != string(list[0].octets) {
				t.Fatal("the octets changed")
			}
		}
		g.Close()
	})
}

// A request that only the context ends does not stay with a server that is gone when another comes back.
func TestEndlessMoves(t *testing.T) {
	bubble(t, []string{"a", "b"}, func(t *testing.T, n *network) {
		a, b := n.server("a"), n.server("b")
		a.silent, a.status, b.silent, b.status = nobody, false, nobody, false
		g := n.group(t, Config{Servers: withStatus("a", "b"), Retry: EndlessRetry()})
		done := ask(g, record())
		after(3 * time.Minute)
		b.change(func(r *remote) { r.silent, r.status = nil, true })
		after(time.Minute)
		if !answered(t, done) {
			t.Errorf("it stays with %+v", g.Stats())
		}
		g.Close()
	})
}

// The time is shared among the servers that may be tried, and the last one gets the rest.
func TestTimeIsShared(t *testing.T) {
	bubble(t, []string{"a", "b", "c"}, func(t *testing.T, n *network) {
		for _, name := range []string{"a", "b", "c"} {
			n.server(name).silent = nobody
		}
		g := n.group(t, Config{Retry: exact(), Servers: []Server{{Name: "a", Priority: 1}, {Name: "b", Priority: 2}, {Name: "c", Priority: 3}}})
		ctx, cancel := context.WithTimeout(context.Background(), 12*time.Second)
		defer cancel()
		g.Exchange(ctx, login("alice"))
		for name, want := range map[string][]float64{"a": {0, 2}, "b": {4, 6}, "c": {8, 10}} {
			if got := seconds(n.server(name).arrivals(false)); !slices.Equal(got, want) {
				t.Errorf("%s was asked at %v, not %v", name, got, want)
			}
		}
		g.Close()
	})
}

func TestWrongRepliesLeaveTimersAlone(t *testing.T) {
	bubble(t, []string{"a"}, func(t *testing.T, n *network) {
		a := n.server("a")
		a.silent = nobody
		g := n.group(t, Config{Servers: one("a"), Retry: exact()})
		done := ask(g, login("alice"))
		synctest.Wait()
		first := a.arrivals(false)[0]
		for range 19 {
			time.Sleep(100 * time.Millisecond)
			first.socket.push([]byte("garbage"))
			first.socket.push(append([]byte{2, first.octets[1], 0, 20}, make([]byte, 16)...))
		}
		a.change(func(r *remote) { r.silent = nil })
		after(time.Second)
		if !answered(t, done) || !slices.Equal(seconds(a.arrivals(false)), []float64{0, 2}) {
			t.Errorf("sent at %v", seconds(a.arrivals(false)))
		}
		if s := g.Stats()[0]; s.Discarded[Malformed] != 19 || s.Discarded[Forged] != 19 {
			t.Errorf("%+v", s)
		}
		g.Close()
	})
}

// An answer that comes too late is known for what it is, and meets no new request: its identifier rests.
func TestLateReply(t *testing.T) {
	bubble(t, []string{"a"}, func(t *testing.T, n *network) {
		a := n.server("a")
		a.delay = 20 * time.Second
		g := n.group(t, Config{Servers: one("a"), Retry: RetryConfig{Initial: time.Second, Count: 2, Duration: 5 * time.Second}})
		if _, err := g.Exchange(context.Background(), login("alice")); !errors.Is(err, ErrSilent) {
			t.Errorf("%v", err)
		}
		a.change(func(r *remote) { r.delay = 0 })
		after(20 * time.Second)
		if s := g.Stats()[0]; s.Discarded[Late] != 1 || s.Discarded[Unexpected] != 1 || s.State != Zombie {
			t.Errorf("%+v", s) // both transmissions were answered, and late answers are no sign of health
		}
		g.Close()
	})
}

func TestIdentifiersRest(t *testing.T) {
	bubble(t, []string{"a"}, func(t *testing.T, n *network) {
		a := n.server("a")
		a.silent = func(p *radius.Packet) bool { return string(p.Get(1)) == "alice" }
		g := n.group(t, Config{Servers: one("a"), Sockets: 1, Retry: RetryConfig{Initial: 5 * time.Second, Count: 1, Duration: time.Minute}})
		var all []chan error
		for range identifierCount {
			all = append(all, ask(g, login("alice")))
		}
		after(6 * time.Second)
		for _, done := range all {
			if err := <-done; !errors.Is(err, ErrSilent) {
				t.Fatal(err)
			}
		}
		done := ask(g, login("bob")) // has to wait for the first identifier that has rested for 30 s
		after(28 * time.Second)
		if answered(t, done) {
			t.Error("an identifier did not rest")
		}
		after(2 * time.Second)
		if !answered(t, done) {
			t.Error("an identifier rested too long")
		}
		g.Close()
	})
}

// Many at once: more sockets, up to the cap; no identifier used twice while it is pending; and one socket again when it
// is quiet.
func TestSocketsGrowAndShrink(t *testing.T) {
	bubble(t, []string{"a"}, func(t *testing.T, n *network) {
		a := n.server("a")
		a.delay = time.Second
		g := n.group(t, Config{Servers: one("a")})
		var all []chan error
		for range 3000 {
			all = append(all, ask(g, login("alice")))
		}
		after(500 * time.Millisecond)
		if s := g.Stats()[0]; s.Sockets != 4 || s.InFlight != 1024 || s.Queued != 3000-1024 {
			t.Errorf("%+v", s)
		}
		after(5 * time.Second)
		for _, done := range all {
			if !answered(t, done) {
				t.Fatal("one is missing")
			}
		}
		type place struct {
			socket *memoryConn
			id     byte
		}
		pending := map[place]time.Duration{}
		for _, r := range a.arrivals(false) {
			p := place{r.socket, r.octets[1]}
			if until, ok := pending[p]; ok && r.at < until {
				t.Fatalf("identifier %d was used again after %v", p.id, r.at-until)
			}
			pending[p] = r.at + time.Second
		}
		after(10 * time.Minute)
		if s := g.Stats()[0]; s.Sockets != 1 || n.open != 1 || n.most > 4 || s.State != Alive || s.Resent != 0 {
			t.Errorf("%d of %d sockets left: %+v", n.open, n.most, s)
		}
		a.change(func(r *remote) { r.delay = 0 })
		must(t, g, login("bob"), radius.CodeAccessAccept)
		g.Close()
	})
}

func TestQueueIsBounded(t *testing.T) {
	bubble(t, []string{"a"}, func(t *testing.T, n *network) {
		a := n.server("a")
		a.delay = time.Second
		g := n.group(t, Config{Queue: 3, Servers: []Server{{Name: "a", InFlight: 2}}})
		must(t, g, login("first"), radius.CodeAccessAccept) // opens the socket
		var all []chan error
		for range 5 {
			all = append(all, ask(g, login("alice")))
			synctest.Wait()
		}
		if _, err := g.Exchange(context.Background(), login("bob")); !errors.Is(err, ErrBusy) {
			t.Errorf("the sixth: %v", err)
		}
		for i, wait := range []int{2, 4, 5} { // two by two
			after(time.Second)
			for j, done := range all[:wait] {
				if done != nil && !answered(t, done) {
					t.Errorf("after %d s number %d is not answered", i+1, j)
				}
				all[j] = nil
			}
		}
		if s := g.Stats()[0]; s.Refused != 1 || s.State != Alive {
			t.Errorf("%+v", s)
		}
		g.Close()
	})
}

// Who waits in the queue may give up.
func TestGivingUpInTheQueue(t *testing.T) {
	bubble(t, []string{"a"}, func(t *testing.T, n *network) {
		n.server("a").delay = 5 * time.Second
		g := n.group(t, Config{Servers: []Server{{Name: "a", InFlight: 1}}})
		first := ask(g, login("alice"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := g.Exchange(ctx, login("bob")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		last := ask(g, login("carol"))
		after(4 * time.Second)
		if !answered(t, first) {
			t.Error("the first is not answered")
		}
		after(5 * time.Second)
		if !answered(t, last) {
			t.Error("the last is not answered")
		}
		g.Close()
	})
}

// A storm does not overflow the receive buffer of the server: what comes at once is limited, but not what it takes long
// to answer.
func TestBurst(t *testing.T) {
	bubble(t, []string{"a"}, func(t *testing.T, n *network) {
		a := n.server("a")
		a.delay = time.Second // as rejects have it
		g := n.group(t, Config{Servers: one("a")})
		var all []chan error
		for range 1000 {
			all = append(all, ask(g, login("alice")))
		}
		for i := range 8 {
			synctest.Wait()
			if got, want := len(a.arrivals(false)), min(1000, (i+1)*burstSize); got != want {
				t.Errorf("%d came in %v, not %d", got, time.Since(epoch), want)
			}
			time.Sleep(burstTime)
		}
		after(time.Second)
		for _, done := range all {
			if !answered(t, done) {
				t.Fatal("one is missing")
			}
		}
		if s := g.Stats()[0]; s.InFlight != 0 || s.Resent != 0 || g.servers[0].young.calls.count != 0 {
			t.Errorf("%+v", s)
		}
		g.Close()
	})
}

// The line in a slow server's buffer is seen in its answers, and what is in it counts as young for longer.
func TestBurstFollowsTheRoundTrip(t *testing.T) {
	var b burst
	b.measure(10 * time.Millisecond)
	c := &call{link: &link{}}
	b.add(c, epoch)
	if got := b.over().Sub(epoch); got != burstTime {
		t.Errorf("young for %v on a long way", got)
	}
	for range 100 {
		b.measure(110 * time.Millisecond)
	}
	if got := b.over().Sub(epoch); got < burstTime+90*time.Millisecond || got > burstTime+100*time.Millisecond {
		t.Errorf("young for %v with a line of 100 ms", got)
	}
	b.remove(c)
	b.remove(c)
	if !b.over().IsZero() || b.full(epoch) {
		t.Error("something is left")
	}
}
