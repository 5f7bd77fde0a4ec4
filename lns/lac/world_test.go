package lac

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/negotiate"
)

// world joins a Caller and a server in virtual time, with a millisecond of travel and a hook that loses datagrams.
type world struct {
	t      testing.TB
	now    time.Time
	caller *Caller
	out    Out
	lns    *scriptedLNS
	flying []flying
	sent   int                                  // datagrams so far, both ways
	lose   func(number int, toServer bool) bool // nil loses none
	echoed [][]byte                             // IP packets that came back

	travel func() time.Duration  // nil: a millisecond
	heard  func(datagram []byte) // sees what the server sends, when set

	said     []Said
	ups      []Up
	downs    int
	ended    []Ended
	finished bool
}

type flying struct {
	at       time.Time
	toServer bool
	datagram []byte
}

func testConfig() Config {
	return Config{HostName: "laptop", Tunnel: 4711, Talk: true, Rand: rand.Reader}
}

func testLogin(user, password string, methods ...aaa.Method) Login {
	return Login{
		Session: 7, User: user, Credentials: secret.NewAnswerer(user, aaa.NewSecret(password), [16]byte{1, 2, 3}),
		Methods: methods, MRU: 1460, Magic: 42, WantDNS: true,
	}
}

func newWorld(t testing.TB, lns *scriptedLNS, cfg Config) *world {
	return &world{t: t, now: time.Unix(1_700_000_000, 0), caller: NewCaller(cfg), lns: lns}
}

func chapLNS() *scriptedLNS { return newScriptedLNS("Admin@123", negotiate.AuthCHAPMD5) }

func (w *world) dial(login Login) {
	w.caller.Dial(login, w.now, &w.out)
	w.collect()
}

// collect takes what the caller wants.
func (w *world) collect() {
	for _, d := range w.out.Datagrams {
		w.fly(d, true)
	}
	for _, p := range w.out.Packets {
		w.echoed = append(w.echoed, append([]byte(nil), p.IP...))
	}
	w.said = append(w.said, w.out.Said...)
	w.ups = append(w.ups, w.out.Up...)
	w.downs += len(w.out.Down)
	w.ended = append(w.ended, w.out.Ended...)
	w.finished = w.finished || w.out.Finished
	w.out.Reset()
}

func (w *world) fly(d []byte, toServer bool) {
	w.sent++
	if w.lose != nil && w.lose(w.sent, toServer) {
		return
	}
	travel := time.Millisecond
	if w.travel != nil {
		travel = w.travel()
	}
	w.flying = append(w.flying, flying{w.now.Add(travel), toServer, append([]byte(nil), d...)})
	slices.SortStableFunc(w.flying, func(a, b flying) int { return a.at.Compare(b.at) })
}

// step moves to whatever comes next, and says false when nothing does before the limit.
func (w *world) step(limit time.Time) bool {
	next := sooner(w.caller.Deadline(), w.lns.deadline())
	if len(w.flying) > 0 {
		next = sooner(next, w.flying[0].at)
	}
	if next.IsZero() || next.After(limit) {
		w.now = limit
		return false
	}
	if next.After(w.now) {
		w.now = next
	}
	if len(w.flying) > 0 && !w.flying[0].at.After(w.now) {
		f := w.flying[0]
		w.flying = w.flying[1:]
		if f.toServer {
			w.fromServer(w.lns.receive(f.datagram, w.now))
		} else {
			if w.heard != nil {
				w.heard(f.datagram)
			}
			w.caller.Receive(f.datagram, w.now, &w.out)
			w.collect()
		}
		return true
	}
	w.fromServer(w.lns.advance(w.now))
	w.caller.Advance(w.now, &w.out)
	w.collect()
	return true
}

func (w *world) fromServer(datagrams [][]byte) {
	for _, d := range datagrams {
		w.fly(d, false)
	}
}

// until runs until the condition holds, for at most that long, and fails the test when it never does.
func (w *world) until(what string, limit time.Duration, holds func() bool) {
	w.t.Helper()
	end := w.now.Add(limit)
	for steps := 0; !holds(); steps++ {
		if steps > 100_000 || !w.step(end) {
			w.t.Fatalf("%s: not within %s\n%s", what, limit, w.dialogue())
		}
	}
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	end := w.now.Add(d)
	for w.step(end) {
	}
}

func (w *world) isUp() bool              { return len(w.ups) > 0 }
func (w *world) isOver() bool            { return len(w.ended) > 0 }
func (w *world) isDone() bool            { return w.finished }
func (w *world) end() Ended              { return w.ended[0] }
func (w *world) up() Up                  { return w.ups[len(w.ups)-1] }
func (w *world) session() l2tp.SessionID { return 7 }

func (w *world) dialogue() string {
	var s strings.Builder
	for _, m := range w.said {
		arrow := "<-"
		if m.Sent {
			arrow = "->"
		}
		fmt.Fprintf(&s, "%s %-14s %-22s %s again=%t\n", arrow, m.Stage, m.What, m.Detail, m.Again)
	}
	return s.String()
}
