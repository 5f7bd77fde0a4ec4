package negotiate

import (
	"fmt"
	"testing"
	"time"

	"lnsgate/lns/ppp"
)

// driver is what LCP, IPCP and IPv6CP have in common, for tests that run both.
type driver interface {
	Up(time.Time, *Out)
	Down(time.Time, *Out)
	Open(time.Time, *Out)
	Close(time.Time, *Out)
	Receive([]byte, time.Time, *Out)
	Advance(time.Time, *Out)
	Nudge(time.Time, *Out)
	Deadline() time.Time
	State() State
	Reason() Reason
	PeerText() string
}

var (
	_ driver = (*LCP)(nil)
	_ driver = (*IPCP)(nil)
)

// start is the beginning of virtual time.
var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// end is one machine in a test, with all it has said.
type end struct {
	driver
	all Out
}

func (e *end) run(f func(*Out)) []ppp.Frame {
	var out Out
	f(&out)
	e.all.Frames = append(e.all.Frames, out.Frames...)
	e.all.Changes = append(e.all.Changes, out.Changes...)
	e.all.PeerRejected = append(e.all.PeerRejected, out.PeerRejected...)
	e.all.Identification = append(e.all.Identification, out.Identification...)
	return out.Frames
}

func (e *end) count(c Change) (n int) {
	for _, have := range e.all.Changes {
		if have == c {
			n++
		}
	}
	return n
}

// flight is a packet on the wire.
type flight struct {
	at     time.Time
	to     int
	packet []byte
}

// link joins two machines by a wire with a delay; lose may swallow a packet.
type link struct {
	now   time.Time
	ends  [2]*end
	wire  []flight
	delay time.Duration
	fate  func(to int, packet []byte) (copies int)
}

func newLink(a, b driver) *link {
	return &link{now: start, ends: [2]*end{{driver: a}, {driver: b}}, delay: 4 * time.Millisecond}
}

func (l *link) do(i int, f func(e *end, out *Out)) {
	for _, frame := range l.ends[i].run(func(out *Out) { f(l.ends[i], out) }) {
		copies := 1
		if l.fate != nil {
			copies = l.fate(1-i, frame.Packet)
		}
		for range copies {
			l.wire = append(l.wire, flight{at: l.now.Add(l.delay), to: 1 - i, packet: frame.Packet})
		}
	}
}

func (l *link) up() {
	for i := range l.ends {
		l.do(i, func(e *end, out *Out) { e.Open(l.now, out) })
		l.do(i, func(e *end, out *Out) { e.Up(l.now, out) })
	}
}

// run lets virtual time pass until nothing is due before the given duration is
// over.
func (l *link) run(d time.Duration) {
	until := l.now.Add(d)
	for {
		next := until.Add(1)
		if len(l.wire) > 0 {
			next = l.wire[0].at
		}
		for _, e := range l.ends {
			if at := e.Deadline(); !at.IsZero() && at.Before(next) {
				next = at
			}
		}
		if next.After(until) {
			l.now = until
			return
		}
		if next.After(l.now) {
			l.now = next
		}
		if len(l.wire) > 0 && !l.wire[0].at.After(l.now) {
			f := l.wire[0]
			l.wire = l.wire[1:]
			l.do(f.to, func(e *end, out *Out) { e.Receive(f.packet, l.now, out) })
			continue
		}
		for i := range l.ends {
			l.do(i, func(e *end, out *Out) { e.Advance(l.now, out) })
		}
	}
}

func (l *link) mustOpen(t *testing.T) {
	t.Helper()
	for i, e := range l.ends {
		if e.State() != Opened {
			t.Fatalf("end %d is in %v (%v), want Opened; it sent:\n%s", i, e.State(), e.Reason(), dialogue(e.all.Frames))
		}
	}
}

// dialogue prints frames for a failed test.
func dialogue(frames []ppp.Frame) string {
	s := ""
	for _, f := range frames {
		p, err := ppp.ParsePacket(f.Packet)
		s += fmt.Sprintf("  %v %v id %d % x %v\n", f.Protocol, p.Code, p.Identifier, p.Data, err)
	}
	return s
}

// packet builds a control packet.
func packet(code ppp.Code, id uint8, data ...byte) []byte {
	return ppp.Packet{Code: code, Identifier: id, Data: data}.Append(nil)
}

// last is the packet that was sent last.
func last(t *testing.T, out *Out) ppp.Packet {
	t.Helper()
	if len(out.Frames) == 0 {
		t.Fatal("nothing was sent")
	}
	p, err := ppp.ParsePacket(out.Frames[len(out.Frames)-1].Packet)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
