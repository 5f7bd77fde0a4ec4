package control

import (
	"encoding/binary"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lnsgate/lns/l2tp"
)

// side is one end of a bad link.
type side struct {
	Channel
	sent, got uint32   // next to send, next expected
	wire      [][]byte // on the way from here
}

// Two channels over a link that loses, repeats and reorders deliver everything once and in order, hold no more than a
// window of early messages, and end with nothing in memory.
func TestPropertyEverythingOnceAndInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		windows := [2]uint16{rapid.Uint16Range(0, 20).Draw(t, "window a"), rapid.Uint16Range(0, 20).Draw(t, "window b")}
		cfg := testConfig()
		cfg.MaxTransmissions = 1 << 30
		var ends [2]*side
		begin := rapid.Uint16().Draw(t, "first number")
		for i := range ends {
			ends[i] = &side{Channel: NewChannel(cfg)}
			ends[i].cfg.ReceiveWindow = max(windows[i], 4*btoi(windows[i] == 0))
			ends[i].SetPeer(1, windows[1-i])
			ends[i].una, ends[i].expected = begin, begin
		}
		now := start
		total := rapid.Uint32Range(1, 40).Draw(t, "messages each way")
		for range rapid.IntRange(0, 300).Draw(t, "steps") {
			e, far := ends[0], ends[1]
			if rapid.Bool().Draw(t, "end") {
				e, far = far, e
			}
			switch rapid.IntRange(0, 7).Draw(t, "step") {
			case 0, 1:
				if e.sent < total {
					e.put(now)
				}
			case 2:
				now = now.Add(time.Duration(rapid.IntRange(1, 3000).Draw(t, "ms")) * time.Millisecond)
				e.tick(now)
			case 3:
				e.cut(rapid.IntRange(0, 50).Draw(t, "lost"), false)
			case 4:
				e.carry(t, far, rapid.IntRange(0, 50).Draw(t, "repeated"), true, now)
			default:
				e.carry(t, far, rapid.IntRange(0, 50).Draw(t, "carried"), false, now)
			}
		}
		// Then the link heals.
		for range 10000 {
			for i, e := range ends {
				for e.sent < total {
					e.put(now)
				}
				for len(e.wire) > 0 {
					e.carry(t, ends[1-i], 0, false, now)
				}
			}
			next := earliest(ends[0].Deadline(), ends[1].Deadline())
			if next.IsZero() {
				break
			}
			now = next
			ends[0].tick(now)
			ends[1].tick(now)
		}
		for i, e := range ends {
			if e.got != total || !e.Idle() || e.queue != nil || e.early != nil || !e.Deadline().IsZero() {
				t.Fatalf("end %d: got %d of %d, queue %d, early %d", i, e.got, total, len(e.queue), len(e.early))
			}
		}
	})
}

func btoi(b bool) uint16 {
	if b {
		return 1
	}
	return 0
}

func (s *side) collect(out *Out) {
	for _, a := range out.Actions {
		if d, ok := a.(Send); ok {
			s.wire = append(s.wire, d.Datagram)
		}
	}
}

func (s *side) put(now time.Time) {
	var out Out
	s.Send(Outgoing{Body: binary.BigEndian.AppendUint32(nil, s.sent)}, now, &out)
	s.sent++
	s.collect(&out)
}

func (s *side) tick(now time.Time) {
	var out Out
	s.Advance(now, &out)
	s.collect(&out)
}

// cut takes a datagram off the wire, anywhere in it.
func (s *side) cut(i int, keep bool) []byte {
	if len(s.wire) == 0 {
		return nil
	}
	i %= len(s.wire)
	d := s.wire[i]
	if !keep {
		s.wire = append(s.wire[:i:i], s.wire[i+1:]...)
	}
	return d
}

func (s *side) carry(t *rapid.T, to *side, i int, keep bool, now time.Time) {
	d := s.cut(i, keep)
	if d == nil {
		return
	}
	h, payload, err := l2tp.ParseHeader(d)
	if err != nil {
		t.Fatal(err)
	}
	var out Out
	v, err := to.Receive(h, payload, now, &out)
	if err != nil {
		t.Fatalf("%+v: %v", h, err)
	}
	if v == Deliver {
		to.deliver(t, payload)
		for _, b, ok := to.Next(); ok; _, b, ok = to.Next() {
			to.deliver(t, b)
		}
	}
	to.Acknowledge(&out)
	to.collect(&out)
	if n := to.flight; n > int(to.window) || n > int(to.cwnd) {
		t.Fatalf("%d in flight, window %d, cwnd %d", n, to.window, to.cwnd)
	}
	if len(to.early) >= int(to.cfg.ReceiveWindow) && len(to.early) > 0 {
		t.Fatalf("%d early messages", len(to.early))
	}
}

func (s *side) deliver(t *rapid.T, body []byte) {
	if n := binary.BigEndian.Uint32(body); n != s.got {
		t.Fatalf("delivered %d, want %d", n, s.got)
	}
	s.got++
}
