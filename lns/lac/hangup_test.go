package lac

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/negotiate"
	"lnsgate/lns/ppp"
)

func TestCloseSaysGoodbye(t *testing.T) {
	w := newWorld(t, chapLNS(), testConfig())
	w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
	w.until("up", time.Second, w.isUp)
	w.said = nil
	w.caller.Close(w.now, &w.out)
	w.collect()
	w.until("all closed", 10*time.Second, w.isDone)
	at := 0
	for _, want := range []string{"LCP Terminate-Request", "LCP Terminate-Ack", "CDN", "StopCCN"} {
		i := slices.IndexFunc(w.said[at:], func(s Said) bool { return s.What == want })
		if i < 0 {
			t.Fatalf("%s is missing:\n%s", want, w.dialogue())
		}
		at += i
	}
	if len(w.ended) != 1 || w.end().Cause != CauseClosedByUs || w.end().ByServer {
		t.Errorf("ended %+v", w.ended)
	}
	w.pass(time.Minute)
	if len(w.lns.tunnels) != 0 {
		t.Errorf("the server keeps %d tunnels", len(w.lns.tunnels))
	}
}

func TestCloseTowardsASilentServerEnds(t *testing.T) {
	w := newWorld(t, chapLNS(), testConfig())
	w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
	w.until("up", time.Second, w.isUp)
	w.lose = func(int, bool) bool { return true }
	w.caller.Close(w.now, &w.out)
	w.collect()
	w.until("the end of the call", 4*time.Second, w.isOver)
	w.until("the end", time.Minute, w.isDone)
	if w.end().Cause != CauseClosedByUs {
		t.Errorf("cause %s", w.end().Cause)
	}
}

func TestCloseAtAnyMomentFinishes(t *testing.T) {
	for steps := range 60 {
		w := newWorld(t, chapLNS(), testConfig())
		w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
		for range steps {
			w.step(w.now.Add(time.Second))
		}
		w.caller.Close(w.now, &w.out)
		w.collect()
		w.until("all closed", time.Minute, w.isDone)
		if len(w.ended) != 1 || w.end().Cause != CauseClosedByUs {
			t.Fatalf("after %d steps: ended %+v", steps, w.ended)
		}
	}
}

func TestServerThatFallsSilentIsNoticed(t *testing.T) {
	for name, c := range map[string]struct {
		hello, echo time.Duration
		cause       Cause
	}{
		"by HELLO":    {hello: 10 * time.Second, cause: CauseTunnelLost},
		"by LCP echo": {echo: 10 * time.Second, cause: CauseEchoLost},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig()
			cfg.HelloInterval = c.hello
			w := newWorld(t, chapLNS(), cfg)
			login := testLogin("l2tpuser", "Admin@123", aaa.CHAP)
			login.EchoInterval = c.echo
			w.dial(login)
			w.until("up", time.Second, w.isUp)
			w.pass(5 * time.Minute)
			if w.isOver() {
				t.Fatalf("it ended while the server was there: %s", w.end().Reason)
			}
			w.lose = func(int, bool) bool { return true }
			w.until("the end", 2*time.Minute, w.isOver)
			if e := w.end(); e.Cause != c.cause || e.Stage != StageUp {
				t.Errorf("cause %s at %s: %s", e.Cause, e.Stage, e.Reason)
			}
		})
	}
}

func TestServersEchoIsAnswered(t *testing.T) {
	lns := chapLNS()
	lns.echo = 10 * time.Second
	w := newWorld(t, lns, testConfig())
	w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
	w.until("up", time.Second, w.isUp)
	w.pass(10 * time.Minute)
	if w.isOver() {
		t.Fatalf("the server gave up: %s", w.end().Reason)
	}
}

// serverCall is the server's end of the only call.
func (w *world) serverCall() (*servedTunnel, *servedCall) {
	for _, t := range w.lns.tunnels {
		for _, k := range t.calls {
			return t, k
		}
	}
	w.t.Fatal("the server has no call")
	return nil, nil
}

func TestServerHangsUp(t *testing.T) {
	w := newWorld(t, chapLNS(), testConfig())
	w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
	w.until("up", time.Second, w.isUp)
	served, k := w.serverCall()
	served.lcp(k, w.now, func(o *negotiate.Out) { k.lcp.Close(w.now, o) })
	w.fromServer(served.flush(w.now))
	w.until("the end", time.Second, w.isOver)
	if e := w.end(); e.Cause != CausePeerHungUp || !e.ByServer || e.Stage != StageUp {
		t.Errorf("cause %s at %s: %s", e.Cause, e.Stage, e.Reason)
	}
	w.until("all closed", time.Minute, w.isDone)
}

func TestServerClosesCallOrTunnel(t *testing.T) {
	for name, c := range map[string]struct {
		act   func(*servedTunnel, time.Time)
		cause Cause
	}{
		"CDN": {func(s *servedTunnel, now time.Time) {
			s.control.CloseCall(1007, l2tp.ResultCode{Result: l2tp.CDNAdministrative, Message: "kicked"}, now, &s.out)
		}, CauseCallClosed},
		"StopCCN": {func(s *servedTunnel, now time.Time) {
			s.control.Close(l2tp.ResultCode{Result: l2tp.StopCCNShutdown, Message: "kicked"}, now, &s.out)
		}, CauseTunnelClosed},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, chapLNS(), testConfig())
			w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
			w.until("up", time.Second, w.isUp)
			served, _ := w.serverCall()
			c.act(served, w.now)
			w.fromServer(served.flush(w.now))
			w.until("the end", time.Second, w.isOver)
			e := w.end()
			if e.Cause != c.cause || !e.ByServer || e.Stage != StageUp || !strings.Contains(e.Reason, "kicked") {
				t.Errorf("cause %s at %s: %s", e.Cause, e.Stage, e.Reason)
			}
			w.until("all closed", time.Minute, w.isDone)
		})
	}
}

func TestServerNegotiatesAgain(t *testing.T) {
	w := newWorld(t, chapLNS(), testConfig())
	w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
	w.until("up", time.Second, w.isUp)
	served, k := w.serverCall()
	served.lcp(k, w.now, func(o *negotiate.Out) { k.lcp.Down(w.now, o); k.lcp.Up(w.now, o) })
	w.fromServer(served.flush(w.now))
	w.until("up again", 10*time.Second, func() bool { return len(w.ups) == 2 })
	if w.downs != 1 {
		t.Errorf("down was said %d times", w.downs)
	}
	if want := netip.MustParseAddr("10.10.1.11"); w.up().Address != want {
		t.Errorf("address %s, want the new one %s", w.up().Address, want)
	}
}

func TestCloseBeforeAnythingWasHeardIsImmediate(t *testing.T) {
	w := newWorld(t, chapLNS(), testConfig())
	w.lose = func(int, bool) bool { return true }
	w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
	w.caller.Close(w.now, &w.out)
	w.collect()
	if !w.finished || len(w.ended) != 1 || w.end().Cause != CauseClosedByUs || !w.caller.Deadline().IsZero() {
		t.Errorf("finished %t, ended %+v, deadline %s", w.finished, w.ended, w.caller.Deadline())
	}
}

func TestSeveralCallsInATunnel(t *testing.T) {
	w := newWorld(t, chapLNS(), testConfig())
	w.dial(testLogin("l2tpuser", "Admin@123", aaa.CHAP))
	place := func(id l2tp.SessionID) bool {
		login := testLogin("l2tpuser", "Admin@123", aaa.CHAP)
		login.Session = id
		ok := w.caller.Place(login, w.now, &w.out)
		w.collect()
		return ok
	}
	if !place(8) { // before the tunnel is up
		t.Fatal("the second call was refused")
	}
	w.until("both up", time.Second, func() bool { return len(w.ups) == 2 })
	if place(8) || place(0) {
		t.Error("a session id was taken twice, or zero")
	}
	if !place(9) {
		t.Fatal("the third call was refused")
	}
	w.until("three up", time.Second, func() bool { return len(w.ups) == 3 })
	if w.up().Took >= w.now.Sub(w.caller.dialled) {
		t.Errorf("the third call counts the tunnel's time too: %s", w.up().Took)
	}
	for _, id := range []l2tp.SessionID{7, 9} {
		w.caller.HangUp(id, w.now, &w.out)
		w.collect()
	}
	w.until("two ended", time.Second, func() bool { return len(w.ended) == 2 })
	w.pass(5 * time.Second)
	if w.finished {
		t.Fatal("the tunnel closed with a call still up")
	}
	w.caller.HangUp(8, w.now, &w.out)
	w.collect()
	w.until("all closed", 5*time.Second, w.isDone)
	if place(10) {
		t.Error("a finished caller took a call")
	}
}

func TestUserTrafficCountsAsLife(t *testing.T) {
	cfg := testConfig()
	cfg.HelloInterval = 10 * time.Second
	w := newWorld(t, chapLNS(), cfg)
	login := testLogin("l2tpuser", "Admin@123", aaa.CHAP)
	login.EchoInterval = 10 * time.Second
	w.dial(login)
	w.until("up", time.Second, w.isUp)
	w.said = nil
	for i := range 40 {
		w.pass(5 * time.Second)
		if i < 20 {
			w.caller.Alive(w.now) // traffic that took another way
			continue
		}
		served, k := w.serverCall()
		served.frames(k, []ppp.Frame{{Protocol: ppp.IPv4, Packet: []byte{0x45}}})
		w.fromServer(served.flush(w.now))
	}
	for _, s := range w.said {
		if s.Sent && (s.What == "HELLO" || s.What == "LCP Echo-Request") {
			t.Fatalf("%s in spite of traffic", s.What)
		}
	}
}
