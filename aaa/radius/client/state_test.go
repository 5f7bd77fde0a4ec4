package client

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"layeh.com/radius"
)

func withStatus(names ...string) (list []Server) {
	for i, name := range names {
		list = append(list, Server{Name: name, Priority: i, StatusServer: true})
	}
	return list
}

func (g *Group) state(i int) State { return g.Stats()[i].State }

// The life of a server that goes away and comes back, as Status-Server tells it.
func TestRFC5997_AliveZombieDeadProbingAlive(t *testing.T) {
	bubble(t, []string{"a"}, func(t *testing.T, n *network) {
		a := n.server("a")
		g := n.group(t, Config{Servers: withStatus("a")})
		must(t, g, login("alice"), radius.CodeAccessAccept)
		if got := len(a.arrivals(true)); got != 0 {
			t.Errorf("%d Status-Server to a server that is well", got)
		}
		a.change(func(r *remote) { r.silent, r.status = nobody, false })
		done := ask(g, login("bob"))
		after(9 * time.Second)
		if g.state(0) != Alive {
			t.Errorf("after 9 s it is %v", g.state(0))
		}
		after(10 * time.Second)
		if g.state(0) != Zombie || len(a.arrivals(true)) == 0 {
			t.Errorf("after 19 s it is %v, with %d Status-Server", g.state(0), len(a.arrivals(true)))
		}
		if err := <-done; !errors.Is(err, ErrSilent) {
			t.Error(err)
		}
		after(45 * time.Second)
		if g.state(0) != Dead {
			t.Errorf("after more than 40 s as a zombie it is %v", g.state(0))
		}
		a.change(func(r *remote) { r.status = true })
		awaitProbing(t, g)
		after(7 * time.Second)
		if s := g.Stats()[0]; s.State != Alive || s.ProbesGood != 3 {
			t.Errorf("after three answers: %+v", s)
		}
		probes := a.arrivals(true)
		for i, p := range probes {
			for _, q := range probes[:i] {
				if string(p.octets) == string(q.octets) || p.socket == q.socket && p.octets[1] == q.octets[1] && p.at-q.at < 30*time.Second {
					t.Errorf("Status-Server at %v is that of %v again", p.at, q.at)
				}
			}
		}
		g.Close()
	})
}

// awaitProbing waits until the first server has answered a Status-Server, for which a dead one is asked every 30 s.
func awaitProbing(t *testing.T, g *Group) {
	t.Helper()
	for range 34 {
		if after(time.Second); g.state(0) == Probing {
			return
		}
	}
	t.Fatalf("it is %v", g.state(0))
}

func TestProbingFallsBack(t *testing.T) {
	bubble(t, []string{"a", "b"}, func(t *testing.T, n *network) {
		a := n.server("a")
		a.silent, a.status = nobody, false
		g := n.group(t, Config{Servers: withStatus("a", "b")})
		must(t, g, login("alice"), radius.CodeAccessAccept)
		after(time.Minute)
		a.change(func(r *remote) { r.status = true })
		awaitProbing(t, g)
		a.change(func(r *remote) { r.status = false })
		after(10 * time.Second)
		if g.state(0) != Dead {
			t.Errorf("it is %v", g.state(0))
		}
		g.Close()
	})
}

// Some requests of one user are never answered, as a server may have its reasons. All others are.
func TestOneSilentUserKillsNoServer(t *testing.T) {
	for _, status := range []bool{false, true} {
		bubble(t, []string{"a"}, func(t *testing.T, n *network) {
			a := n.server("a")
			a.silent = func(p *radius.Packet) bool { return string(p.Get(1)) == "mallory" }
			servers := one("a")
			servers[0].StatusServer = status
			g := n.group(t, Config{Servers: servers})
			for range 10 {
				done := ask(g, login("mallory"))
				for range 30 {
					must(t, g, login("alice"), radius.CodeAccessAccept)
					after(time.Second)
					if g.state(0) != Alive {
						t.Fatalf("it is %v", g.state(0))
					}
				}
				if err := <-done; !errors.Is(err, ErrSilent) {
					t.Error(err)
				}
			}
			g.Close()
		})
	}
}

// Who gives up before the first repetition says nothing about the server; who gives up later does.
func TestHurryProvesNothing(t *testing.T) {
	bubble(t, []string{"a"}, func(t *testing.T, n *network) {
		n.server("a").silent = nobody
		g := n.group(t, Config{Servers: one("a")})
		for _, test := range []struct {
			patience time.Duration
			want     State
		}{{time.Second, Alive}, {3 * time.Second, Zombie}} {
			ctx, cancel := context.WithTimeout(context.Background(), test.patience)
			g.Exchange(ctx, login("alice"))
			cancel()
			if g.state(0) != test.want {
				t.Errorf("after %v it is %v", test.patience, g.state(0))
			}
		}
		g.Close()
	})
}

// A Status-Server may take its time, and is not sent again meanwhile (RFC 5997 section 4.2).
func TestRFC5997Section4_2_SlowAnswer(t *testing.T) {
	bubble(t, []string{"a"}, func(t *testing.T, n *network) {
		a := n.server("a")
		a.silent, a.delay = nobody, 3500*time.Millisecond
		g := n.group(t, Config{Servers: withStatus("a"), Retry: RetryConfig{Initial: time.Second, Count: 1, Duration: time.Second}})
		if _, err := g.Exchange(context.Background(), login("alice")); !errors.Is(err, ErrSilent) {
			t.Error(err)
		}
		after(3600 * time.Millisecond)
		if g.state(0) != Alive || len(a.arrivals(true)) != 1 {
			t.Errorf("it is %v after %d Status-Server", g.state(0), len(a.arrivals(true)))
		}
		g.Close()
	})
}

// With nobody but that user, Status-Server tells that the server is well.
func TestStatusServerClearsSuspicion(t *testing.T) {
	bubble(t, []string{"a"}, func(t *testing.T, n *network) {
		n.server("a").silent = nobody
		g := n.group(t, Config{Servers: withStatus("a")})
		for range 5 {
			if _, err := g.Exchange(context.Background(), login("mallory")); !errors.Is(err, ErrSilent) {
				t.Error(err)
			}
			synctest.Wait()
			if g.state(0) != Alive {
				t.Errorf("it is %v", g.state(0))
			}
		}
		g.Close()
	})
}

// A server that answers no Status-Server gets one request again after a while, and all of them after it answered that.
func TestReviveByTime(t *testing.T) {
	for _, status := range []bool{false, true} {
		bubble(t, []string{"a", "b"}, func(t *testing.T, n *network) {
			a := n.server("a")
			a.silent, a.status = nobody, false
			g := n.group(t, Config{Servers: []Server{{Name: "a", StatusServer: status}, {Name: "b", Priority: 1}}})
			must(t, g, login("alice"), radius.CodeAccessAccept)
			after(41 * time.Second)
			if g.state(0) != Dead {
				t.Fatalf("it is %v", g.state(0))
			}
			count := len(a.arrivals(false))
			must(t, g, login("alice"), radius.CodeAccessAccept)
			if len(a.arrivals(false)) != count {
				t.Error("a dead server was asked")
			}
			after(125 * time.Second)
			if g.state(0) != Probing {
				t.Fatalf("it is %v", g.state(0))
			}
			trial := ask(g, login("alice")) // to a, which is still silent
			synctest.Wait()
			must(t, g, login("bob"), radius.CodeAccessAccept) // to b at once
			after(11 * time.Second)
			if !answered(t, trial) || g.state(0) != Dead {
				t.Errorf("after a trial that failed it is %v", g.state(0))
			}
			a.change(func(r *remote) { r.silent = nil })
			after(121 * time.Second)
			must(t, g, login("alice"), radius.CodeAccessAccept)
			if g.state(0) != Alive {
				t.Errorf("after a trial that went well it is %v", g.state(0))
			}
			g.Close()
		})
	}
}

// When all are dead, one request at a time is tried, and all others are turned away at once: a back end behind this one
// in the chain may know them.
func TestAllDead(t *testing.T) {
	bubble(t, []string{"a"}, func(t *testing.T, n *network) {
		a := n.server("a")
		a.silent = nobody
		g := n.group(t, Config{Servers: one("a")})
		done := ask(g, login("alice"))
		after(time.Minute)
		if <-done; g.state(0) != Dead {
			t.Fatalf("it is %v", g.state(0))
		}
		done = ask(g, login("alice"))
		synctest.Wait()
		began := time.Now()
		for range 5 {
			if _, err := g.Exchange(context.Background(), login("bob")); !errors.Is(err, ErrNoServer) || time.Since(began) != 0 {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
		}
		a.change(func(r *remote) { r.silent = nil })
		after(16 * time.Second)
		if !answered(t, done) || g.state(0) != Alive {
			t.Errorf("it is %v", g.state(0))
		}
		g.Close()
	})
}

func TestPinned(t *testing.T) {
	bubble(t, []string{"a", "b"}, func(t *testing.T, n *network) {
		a, b := n.server("a"), n.server("b")
		g := n.group(t, Config{Servers: withStatus("a", "b")})
		r := login("alice")
		r.Server = "b"
		must(t, g, r, radius.CodeAccessAccept)
		b.change(func(r *remote) { r.silent, r.status = nobody, false })
		if _, err := g.Exchange(context.Background(), r); !errors.Is(err, ErrSilent) {
			t.Error(err)
		}
		after(time.Minute)
		if _, err := g.Exchange(context.Background(), r); !errors.Is(err, ErrNoServer) || g.state(1) != Dead {
			t.Errorf("%v: %v", g.state(1), err)
		}
		if len(a.arrivals(false)) != 0 {
			t.Error("another server was asked")
		}
		g.Close()
	})
}

func TestShares(t *testing.T) {
	bubble(t, []string{"a", "b", "c"}, func(t *testing.T, n *network) {
		g := n.group(t, Config{Servers: []Server{{Name: "a", Weight: 3}, {Name: "b"}, {Name: "c", Priority: 5}}})
		for range 40 {
			must(t, g, login("alice"), radius.CodeAccessAccept)
		}
		a, b, c := len(n.server("a").arrivals(false)), len(n.server("b").arrivals(false)), len(n.server("c").arrivals(false))
		if a != 30 || b != 10 || c != 0 {
			t.Errorf("%d, %d and %d requests", a, b, c)
		}
		g.Close()
	})
	bubble(t, []string{"a", "b"}, func(t *testing.T, n *network) {
		n.server("a").delay, n.server("b").delay = 9*time.Second, time.Second
		g := n.group(t, Config{Sharing: LeastInFlight, Servers: []Server{{Name: "a"}, {Name: "b"}}, Retry: RetryConfig{Initial: 20 * time.Second}})
		var all []chan error
		for range 100 {
			all = append(all, ask(g, login("alice")))
			after(100 * time.Millisecond)
		}
		after(20 * time.Second)
		for _, done := range all {
			if !answered(t, done) {
				t.Fatal("one is missing")
			}
		}
		if a, b := len(n.server("a").arrivals(false)), len(n.server("b").arrivals(false)); b < 3*a {
			t.Errorf("the slow one got %d, the fast one %d", a, b)
		}
		g.Close()
	})
}

// A server whose port is closed is asked by Status-Server at once, but requests that wait are left alone: the refusal may
// be a lie.
func TestPortUnreachable(t *testing.T) {
	bubble(t, []string{"a"}, func(t *testing.T, n *network) {
		a := n.server("a")
		a.delay = time.Second
		g := n.group(t, Config{Servers: withStatus("a")})
		done := ask(g, login("alice"))
		synctest.Wait()
		a.arrivals(false)[0].socket.fault <- syscall.ECONNREFUSED
		synctest.Wait()
		if g.state(0) != Zombie || len(a.arrivals(true)) != 1 {
			t.Errorf("it is %v after %d Status-Server", g.state(0), len(a.arrivals(true)))
		}
		after(time.Second)
		if !answered(t, done) || g.state(0) != Alive {
			t.Errorf("it is %v", g.state(0))
		}
		g.Close()
	})
}

// What else ICMP can say changes nothing either. A packet that was too long
// for a link on the way does not even make the server suspect.
func TestWhatICMPSaysEndsNoRequest(t *testing.T) {
	for err, state := range map[syscall.Errno]State{
		syscall.EHOSTUNREACH: Zombie, syscall.ENETUNREACH: Zombie, syscall.EHOSTDOWN: Zombie, syscall.ENOPROTOOPT: Zombie, syscall.EMSGSIZE: Alive,
	} {
		bubble(t, []string{"a"}, func(t *testing.T, n *network) {
			a := n.server("a")
			a.delay = time.Second
			g := n.group(t, Config{Servers: withStatus("a")})
			done := ask(g, login("alice"))
			synctest.Wait()
			a.arrivals(false)[0].socket.fault <- &net.OpError{Op: "read", Net: "udp", Err: os.NewSyscallError("read", err)}
			synctest.Wait()
			if g.state(0) != state {
				t.Errorf("%v: it is %v", err, g.state(0))
			}
			after(time.Second)
			if list := a.arrivals(false); !answered(t, done) || len(list) != 1 || g.state(0) != Alive {
				t.Errorf("%v: %d requests, it is %v", err, len(list), g.state(0))
			}
			g.Close()
		})
	}
}

func TestNoSocket(t *testing.T) {
	bubble(t, []string{"a", "b"}, func(t *testing.T, n *network) {
		a, b := n.server("a"), n.server("b")
		a.dialErr, b.dialErr = errNoRoute, errNoRoute
		g := n.group(t, Config{Servers: withStatus("a", "b")})
		if _, err := g.Exchange(context.Background(), login("alice")); !errors.Is(err, ErrConnection) || time.Since(epoch) != 0 {
			t.Errorf("after %v: %v", time.Since(epoch), err)
		}
		if s := g.Stats()[0]; s.State != Dead || s.Fault != errNoRoute.Error() {
			t.Errorf("%+v", s)
		}
		b.change(func(r *remote) { r.dialErr = nil })
		after(time.Minute)
		must(t, g, login("alice"), radius.CodeAccessAccept)
		if g.state(0) != Dead || g.state(1) != Alive {
			t.Errorf("%v and %v", g.state(0), g.state(1))
		}
		g.Close()
	})
}

// A socket that fails is replaced, and what was on its way is sent again, once, as a new request.
func TestSocketFails(t *testing.T) {
	bubble(t, []string{"a"}, func(t *testing.T, n *network) {
		a := n.server("a")
		a.silent = nobody
		g := n.group(t, Config{Servers: one("a")})
		done := ask(g, login("alice"))
		synctest.Wait()
		a.change(func(r *remote) { r.silent = nil })
		a.arrivals(false)[0].socket.fault <- syscall.ENETDOWN
		after(time.Second)
		list := a.arrivals(false)
		if !answered(t, done) || len(list) != 2 || string(list[0].octets[4:20]) == string(list[1].octets[4:20]) {
			t.Errorf("%d requests", len(list))
		}
		a.change(func(r *remote) { r.silent = nobody })
		done = ask(g, login("bob"))
		for range 2 {
			synctest.Wait()
			list = a.arrivals(false)
			list[len(list)-1].socket.fault <- syscall.ENETDOWN
			after(time.Second)
		}
		if err := <-done; !errors.Is(err, ErrConnection) {
			t.Error(err)
		}
		g.Close()
	})
}
