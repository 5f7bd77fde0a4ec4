package negotiate

import (
	"testing"
	"time"

	"lnsgate/lns/ppp"

	"pgregory.net/rapid"
)

// unreliable makes a wire lose and double packets as rapid decides, for the
// first packets only: what is asked for is that the two sides agree once the
// wire has become good, and never that they agree over a dead one.
func unreliable(t *rapid.T) func(int, []byte) int {
	fates := rapid.SliceOfN(rapid.IntRange(0, 3), 0, 24).Draw(t, "copies")
	return func(int, []byte) int {
		if len(fates) == 0 {
			return 1
		}
		fate := fates[0]
		fates = fates[1:]
		return [...]int{0, 1, 1, 2}[fate]
	}
}

// settle runs the link and, should one side have given up over the losses, hangs
// up and dials again.
func settle(l *link) {
	for range 3 {
		l.run(2 * time.Minute)
		if l.ends[0].State() == Opened && l.ends[1].State() == Opened {
			return
		}
		for i := range l.ends {
			l.do(i, func(e *end, out *Out) { e.Down(l.now, out) })
		}
		l.wire = nil
		for i := range l.ends {
			l.do(i, func(e *end, out *Out) { e.Open(l.now, out); e.Up(l.now, out) })
		}
	}
}

func drawDelay(t *rapid.T) time.Duration {
	return time.Duration(rapid.IntRange(1, 800).Draw(t, "delay in ms")) * time.Millisecond
}

// balanced: between two ups there is a down, and the last word agrees with the
// state.
func balanced(t *rapid.T, e *end) {
	up := false
	for _, c := range e.all.Changes {
		switch c {
		case LayerUp:
			if up {
				t.Fatalf("up twice: %v", e.all.Changes)
			}
			up = true
		case LayerDown:
			if !up {
				t.Fatalf("down without up: %v", e.all.Changes)
			}
			up = false
		}
	}
	if up != (e.State() == Opened) {
		t.Fatalf("%v in state %v", e.all.Changes, e.State())
	}
}

func TestPropertyLCPConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		server, client := serverLCP(), clientLCP()
		l := newLink(server, client)
		l.delay = drawDelay(t)
		l.fate = unreliable(t)
		l.up()
		settle(l)
		for i, e := range l.ends {
			if e.State() != Opened {
				t.Fatalf("end %d: %v %v\n%s", i, e.State(), e.Reason(), dialogue(e.all.Frames))
			}
			balanced(t, e)
			if n := len(e.all.Frames); n > 200 {
				t.Fatalf("end %d sent %d packets", i, n)
			}
		}
		if s, c := server.Result(), client.Result(); s.Authentication != AuthCHAPMD5 || c.Authentication != AuthCHAPMD5 || s.PeerMRU != 1400 || c.LocalMRU != 1400 || s.PeerMagic != 0x22222222 {
			t.Fatalf("server %+v, client %+v", s, c)
		}
	})
}

func TestPropertyIPCPConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		server, client := serverIPCP(), clientIPCP()
		l := newLink(server, client)
		l.delay = drawDelay(t)
		l.fate = unreliable(t)
		l.up()
		settle(l)
		for i, e := range l.ends {
			if e.State() != Opened {
				t.Fatalf("end %d: %v %v\n%s", i, e.State(), e.Reason(), dialogue(e.all.Frames))
			}
			balanced(t, e)
		}
		if s, c := server.Result(), client.Result(); s.Peer != assigned || c.Local != assigned || c.Peer != headquarters || c.DNS[1] != dns2 {
			t.Fatalf("server %+v, client %+v", s, c)
		}
	})
}

// strictLCP and strictIPCP forget what they have acknowledged, so that they take
// every request in Opened for a new negotiation, as pppd does.
type strictLCP struct{ *LCP }

func (p strictLCP) Receive(packet []byte, now time.Time, out *Out) {
	p.m.ackedAt = time.Time{}
	p.LCP.Receive(packet, now, out)
}

type strictIPCP struct{ *IPCP }

func (p strictIPCP) Receive(packet []byte, now time.Time, out *Out) {
	p.m.ackedAt = time.Time{}
	p.IPCP.Receive(packet, now, out)
}

// TestPropertySlowPathOpensOnce: whatever the delay of a wire that loses
// nothing, and whoever starts first, a link comes up once. The quick repeats of
// a request must not start the negotiation anew behind it.
func TestPropertySlowPathOpensOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		opensOnce(t, newLink(strictLCP{serverLCP()}, strictLCP{clientLCP()}))
		opensOnce(t, newLink(strictIPCP{serverIPCP()}, strictIPCP{clientIPCP()}))
	})
}

func opensOnce(t *rapid.T, l *link) {
	l.delay = time.Duration(rapid.IntRange(1, 450).Draw(t, "delay in ms")) * time.Millisecond
	first := rapid.IntRange(0, 1).Draw(t, "who starts")
	gap := time.Duration(rapid.IntRange(0, 400).Draw(t, "gap in ms")) * time.Millisecond
	for n, i := range []int{first, 1 - first} {
		if n == 1 {
			l.run(gap)
		}
		l.do(i, func(e *end, out *Out) { e.Open(l.now, out); e.Up(l.now, out) })
	}
	l.run(30 * time.Second)
	for i, e := range l.ends {
		if e.State() != Opened || e.count(LayerUp) != 1 || e.count(LayerDown) != 0 {
			t.Fatalf("end %d: %v %v\n%s", i, e.State(), e.all.Changes, dialogue(e.all.Frames))
		}
	}
}

// TestPropertyStateAndTimerAgree throws commands, packets and time at a machine
// in any order.
func TestPropertyStateAndTimerAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, d := range []driver{serverLCP(), clientLCP(), serverIPCP(), clientIPCP()} {
			e := &end{driver: d}
			now := start
			for range rapid.IntRange(1, 60).Draw(t, "steps") {
				now = now.Add(time.Duration(rapid.IntRange(0, 4000).Draw(t, "ms")) * time.Millisecond)
				before := len(e.all.Frames)
				e.run(func(out *Out) { randomStep(t, d, e, now, out) })
				if n := len(e.all.Frames) - before; n > 3 {
					t.Fatalf("one step sent %d packets", n)
				}
				if d.State().timed() && d.Deadline().IsZero() {
					t.Fatalf("state %v, deadline %v", d.State(), d.Deadline())
				}
				if !d.State().timed() && d.State() != Opened && !d.Deadline().IsZero() {
					t.Fatalf("a timer runs in %v", d.State())
				}
			}
			balanced(t, e)
		}
	})
}

func randomStep(t *rapid.T, d driver, e *end, now time.Time, out *Out) {
	switch rapid.IntRange(0, 9).Draw(t, "step") {
	case 0:
		d.Up(now, out)
	case 1:
		d.Open(now, out)
	case 2:
		d.Down(now, out)
	case 3:
		d.Close(now, out)
	case 4, 5:
		d.Advance(now, out)
	case 6:
		d.Nudge(now, out)
	default:
		data := rapid.SampledFrom([][]byte{nil, {5, 6, 1, 2, 3, 4}, {3, 6, 0, 0, 0, 0}, {17, 4, 1, 2}, lacSent, {1}}).Draw(t, "data")
		id := uint8(rapid.IntRange(0, 3).Draw(t, "id"))
		if n := len(e.all.Frames); n > 0 {
			// Often an answer to what was sent last, so that the deeper states are
			// reached.
			sent := e.all.Frames[n-1].Packet
			if rapid.Bool().Draw(t, "echo") {
				id, data = sent[1], sent[4:]
			}
		}
		code := rapid.IntRange(0, 14).Draw(t, "code")
		d.Receive(packet(ppp.Code(code), id, data...), now, out)
	}
}
